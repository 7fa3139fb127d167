"""A blank id names nothing: it is refused with what it stands for, and never taken for everything or the newest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon.errors import ConfigError, UsageError
from solon.project import Project

CONFIG = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "always"}}

ENTRANCES: dict[str, Callable[[Project, str], Any]] = {
    "item": lambda project, blank: project.item(blank),
    "items": lambda project, blank: project.items(run_id=blank),
    "trace": lambda project, blank: project.trace(blank),
    "records": lambda project, blank: project.records(run_id=blank),
    "review": lambda project, blank: project.review(blank),
    "reviews": lambda project, blank: project.reviews(run_id=blank),
    "decide": lambda project, blank: project.decide(blank, "tie"),
    "summarize": lambda project, blank: project.summarize(blank),
    "resume": lambda project, blank: project.resume(blank),
    "learn": lambda project, blank: project.learn(blank),
    "export": lambda project, blank: project.export("jsonl", "never.jsonl", run_id=blank),
    "run": lambda project, blank: project.run(blank, ["Why?"]),
    "reuse": lambda project, blank: project.run("preference", ["Why?"], new_run=True, reuse=blank),
    "constitution": lambda project, blank: project.constitution(blank),
    "rubric": lambda project, blank: project.rubric(blank),
}


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_id_is_refused_at_every_entrance(store_url: str, tmp_path: Path, blank: str) -> None:
    with Project(store_url, config=CONFIG) as project:
        project.run("preference", ["Why is the sky blue?"])
        before = [project.summarize(), len(project.runs()), len(project.reviews())]
        for entrance in ENTRANCES.values():
            with pytest.raises(UsageError) as caught:
                entrance(project, blank)
            assert "blank" in caught.value.cause or repr(blank) in caught.value.cause, caught.value
        assert [project.summarize(), len(project.runs()), len(project.reviews())] == before
    assert not Path("never.jsonl").exists()


def test_a_project_of_no_name_is_none() -> None:
    with pytest.raises(ConfigError):
        Project("", config=CONFIG)
