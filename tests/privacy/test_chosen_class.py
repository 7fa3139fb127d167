"""Seeds that say whom they are about run under a class that somebody chose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon.errors import ConfigError

ABOUT = {"id": "a", "prompt": "Can I drive again?", "subject": "patient-07"}
NOBODY = {"id": "b", "prompt": "Why is the sky blue?"}


@pytest.mark.parametrize("rows", [[ABOUT, NOBODY], [NOBODY, ABOUT]], ids=["the first row", "a later row"])
def test_seeds_about_people_are_refused_until_the_class_is_chosen(
    open_project: Any, rows: list[dict[str, str]]
) -> None:
    with pytest.raises(ConfigError, match=r'line \d has a `subject`.*(?s:.)*class = "personal"'):
        open_project(privacy={}).run("preference", rows)
    with open_project(privacy={}).store.connect() as connection:
        assert not connection.exec_driver_sql("select count(*) from calls").scalar()
    found = open_project(privacy={"class": "deidentified"}).run("preference", rows)
    assert (found.items, found.notes) == (2, ())


def test_who_chose_synthetic_is_told_once(open_project: Any) -> None:
    project = open_project(privacy={"class": "synthetic"})
    told = "seeds have a `subject`, and [privacy] class is synthetic: they are not scanned"
    assert project.run("preference", [ABOUT, NOBODY]).notes == (told,)
    assert project.run("preference", [NOBODY]).notes == ()


def test_every_command_that_reads_seeds_refuses(command: Any, folder: Path) -> None:
    (folder / "seeds.jsonl").write_text(json.dumps(ABOUT) + "\n")
    (folder / "solon.toml").write_text('[models.default]\nmodel = "scripted:default"\n')
    people = ("--experts", "1", "--minutes", "9", "--days", "1")
    for words in (
        ("run", "preference", "--seeds", "seeds.jsonl"),
        ("preview", "preference", "--seeds", "seeds.jsonl"),
        ("plan", "--seeds", "seeds.jsonl", *people),
    ):
        code, _, err = command(*words)
        assert (code, "seeds.jsonl: line 1 has a `subject`" in err) == (2, True), err
