"""Projects and command lines on the scripted fake: no model stands behind any answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from solon.project import Project

SCRIPTED: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default", "price": {"input": 1.0, "output": 4.0}}},
    "routing": {"policy": "threshold", "audit_share": 0.0},
}
SEEDS = [{"id": f"s{i}", "prompt": f"Explain in plain words what thing number {i} does"} for i in range(6)]
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
    """Opens the folder's store under the scripted configuration with sections replaced."""
    made: list[Project] = []

    def open_(plugins: Any = (), **sections: Any) -> Project:
        config = {**SCRIPTED, **sections}
        made.append(Project(f"sqlite:///{folder / 'solon.db'}", config=config, plugins=plugins))
        return made[-1]

    yield open_
    for project in made:
        project.close()


@pytest.fixture
def seed_file(folder: Path) -> Path:
    path = folder / "seeds.jsonl"
    path.write_text("".join(json.dumps(seed) + "\n" for seed in SEEDS))
    return path


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
