"""Projects on the scripted fake in a folder of their own: no model stands behind any answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from solon.project import Project

Open = Callable[..., Project]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    for name in [name for name in os.environ if name.startswith("SOLON_") and name != "SOLON_WRITE_DOCS"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def open_project(folder: Path) -> Iterator[Open]:
    """Opens the folder's store; every item goes to a person, and the critic finds nothing."""
    made: list[Project] = []

    def open_(*, answer: str | None = None, latency: float = 0.0, **sections: Any) -> Project:
        rules: list[dict[str, Any]] = [{"role": "critic", "answer": {"findings": []}}]
        if answer is not None:
            rules.append({"role": "generator", "answer": f"{answer} $temperature"})
        options = {"rules": rules, "latency": latency}
        config = {
            "models": {"default": {"model": "scripted:split", "options": options}},
            "routing": {"policy": "always"},
            **sections,
        }
        made.append(Project(f"sqlite:///{folder / 'solon.db'}", config=config))
        return made[-1]

    yield open_
    for project in made:
        project.close()
