"""What SECURITY.md says: each requirement once, each test there, and how a server begins."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from solon.errors import UsageError
from solon.project import Project
from solon.review.serve import check_bind, first_link
from solon.store.reviewing.experts import list_experts
from solon.store.reviewing.sessions import use_login_link

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 40
    for file in {file for file, _ in named}:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        there = {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}
        assert {name for told, name in named if told == file} <= there, file


def test_every_requirement_has_a_test_or_a_reason() -> None:
    rows = re.findall(r"^\| (\d+\.\d+\.\d+) \|[^|]+\|([^|]*)\|([^|]*)\|$", PAGE, re.MULTILINE)
    assert len(rows) == len({number for number, _, _ in rows}) == 70
    assert not [number for number, how, test in rows if not how.strip() and not test.strip()]


def test_others_are_not_served_in_the_clear() -> None:
    with pytest.raises(UsageError, match=r"0\.0\.0\.0 can be reached by others"):
        check_bind("0.0.0.0", tls=False, insecure_http=False)
    assert check_bind("127.0.0.1", tls=False, insecure_http=False) == ""
    assert "warning" in check_bind("0.0.0.0", tls=False, insecure_http=True)


def test_the_first_admin_has_no_secret_but_a_link(tmp_path: Path) -> None:
    with Project(f"sqlite:///{tmp_path}/solon.db") as project:
        link = first_link(project, "http://127.0.0.1:1", by="local:ada")
        with project.store.transaction() as connection:
            (admin,) = list_experts(connection)
            secret = link.partition("link=")[2]
            used = [use_login_link(project.store, connection, secret) for _ in range(2)]
    assert (admin.name, admin.role, used) == ("ada", "admin", [admin, None])
