"""Projects on the scripted fake, and a folder whose every byte can be searched."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from solon.project import Project

SCRIPTED: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default"}},
    "routing": {"policy": "always", "audit_share": 0.0},
    "generator": {"revise": False},
    "privacy": {"class": "synthetic"},
}
LETTER = "Patient Anna Schmidt, born 3 March 1961, MRN 4471-882, has asthma. What now?"
Open = Callable[..., Project]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    for name in [name for name in os.environ if name.startswith("SOLON_") and name != "SOLON_DATA"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def open_project(folder: Path) -> Iterator[Open]:
    """Opens a store, by default the folder's, under the scripted configuration with sections replaced."""
    made: list[Project] = []

    def open_(url: str = "", given: Any = None, **sections: Any) -> Project:
        config = {**SCRIPTED, **sections}
        made.append(Project(url or f"sqlite:///{folder / 'solon.db'}", config=config, models=given))
        return made[-1]

    yield open_
    for project in made:
        project.close()


@pytest.fixture
def find_bytes(folder: Path) -> Callable[..., list[str]]:
    """Files of the folder that hold one of these phrases, as UTF-8, as JSON escapes it, or in UTF-16."""

    def find(*phrases: str) -> list[str]:
        needles = {
            needle
            for phrase in phrases
            for needle in (
                phrase.encode(),
                json.dumps(phrase)[1:-1].encode(),
                phrase.encode("utf-16-le"),
            )
        }
        return sorted(
            str(path.relative_to(folder))
            for path in folder.rglob("*")
            if path.is_file() and any(needle in path.read_bytes() for needle in needles)
        )

    return find


@pytest.fixture
def command(folder: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs one command line; exit code, standard output, standard error."""
    from solon.cli import main

    (folder / "solon.toml").write_text('[models.default]\nmodel = "scripted:default"\n')

    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call
