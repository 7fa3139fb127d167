"""The preset preference-active, whole: two rounds on the scripted fake with a kill between them, and an export; what is
asked first; and what stands there without rounds."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project

Cli = Callable[..., Any]
KILLER = """
import os, signal, sys
from solon import learning
from solon.cli import main

again = learning.judge_held_again


def dies(*given):
    again(*given)
    os.kill(os.getpid(), signal.SIGKILL)


learning.judge_held_again = dies
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert solon("init", "preference-active", "--model", "scripted:default", "--yes").code == 0
    home = folder / "preference-active"
    text = (home / "solon.toml").read_text()
    for old, new in {"budget = 120 ": "budget = 4 ", "rounds = 10 ": "rounds = 2 "}.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    (home / "solon.toml").write_text(text)
    monkeypatch.chdir(home)
    return home


def waiting(solon: Cli) -> int:
    return len(solon("review", "list", "--json").json["reviews"])


def answer(token: str) -> set[str]:
    """Prefer the first answer of each waiting pair; the requests that were asked about."""
    with Project(expert=token) as project:
        reviews = list(project.reviews())
        for review in reviews:
            project.decide(review, "prefer", review.candidates[0], rationale="It is right.")
    return {review.prompt for review in reviews}


def test_rounds_ask_what_is_unsure_go_on_after_a_kill_and_are_exported(solon: Cli, home: Path) -> None:
    assert solon("run", "preference", "--seeds", "seeds.jsonl").code == 3
    assert waiting(solon) == 2
    token = solon("expert", "add", "ada", "--json").json["token"]
    with Project() as project:
        told = [reason for review in project.reviews(blind=False) for reason in review.reasons]
    assert sum("least sure" in reason for reason in told) == 2, "not what the panel ranks first"
    first = answer(token)
    killed = subprocess.run(
        [sys.executable, "-c", KILLER, "resume"], cwd=home, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert solon("resume").code == 3
    assert waiting(solon) == 2
    assert not first & answer(token)
    summary = solon("resume", "--json").json
    assert (summary["accepted"] + summary["rejected"], summary["pending_review"]) == (10, 0)
    assert solon("export", "--format", "trl-preference", "--output", "pairs.jsonl").code == 0
    assert len(Path("pairs.jsonl").read_text().splitlines()) == summary["accepted"]


def test_without_rounds_all_is_asked_at_once(solon: Cli, home: Path) -> None:
    text = (home / "solon.toml").read_text().splitlines()
    (home / "solon.toml").write_text(
        "\n".join(line for line in text if not line.startswith(("rounds", "stops")))
    )
    assert solon("run", "preference", "--seeds", "seeds.jsonl").code == 3
    assert waiting(solon) == 4
