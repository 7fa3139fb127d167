"""A folder as somebody has who works with Solon: configuration, seeds, a store with runs. A fake answers."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from solon.cli import main, terminal
from solon.project import Project
from solon.store.database import ids, store

sys.path.insert(0, str(Path(__file__).parent))  # pages.py

CONFIG = """\
[models.default]
model = "scripted:default"
price = { input = 1.0, output = 4.0 }

[routing]
policy = "always"
"""
SEEDS = [
    {
        "id": f"s{number}",
        "prompt": f"Explain in plain words what thing number {number} does",
        "group": f"g{number}",
    }
    for number in range(6)
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    for name in [
        name
        for name in os.environ
        if name.startswith("SOLON_") and name not in ("SOLON_DATA", "SOLON_WRITE_DOCS")
    ]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ada")
    # The pages show what a terminal of this width does.
    monkeypatch.setattr(terminal, "_WIDTH_OF_A_PIPE", 110)
    return tmp_path


def pin_draws(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    """Ids by number and one key for every store: what is drawn from them is the same each time."""
    numbers = count(first)
    monkeypatch.setattr(ids, "clock", SimpleNamespace(now=lambda: next(numbers)))
    monkeypatch.setattr(ids, "secrets", SimpleNamespace(token_hex=lambda n: "5" * 2 * n))
    monkeypatch.setattr(store, "secrets", SimpleNamespace(token_hex=lambda n: "7" * 2 * n))


@contextmanager
def same_draws_from(first: int) -> Iterator[None]:
    """Pinned draws within the block: to be entered before a store is made, which draws its key."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        pin_draws(monkeypatch, first)
        yield


@pytest.fixture
def same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    pin_draws(monkeypatch, 1_790_000_000)


@pytest.fixture(scope="session")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs over the same seeds, the first with decisions and records, and a release of it."""
    folder = tmp_path_factory.mktemp("lived-in")
    before = Path.cwd()
    os.chdir(folder)
    try:
        (folder / "solon.toml").write_text(CONFIG)
        (folder / "seeds.jsonl").write_text("".join(json.dumps(seed) + "\n" for seed in SEEDS))
        for name in ("mmlu.jsonl", "gsm8k.jsonl"):
            (folder / name).write_text(json.dumps({"question": "What does a thing do?"}) + "\n")
        with same_draws_from(1_780_000_000), Project() as project:
            project.run("preference", "seeds.jsonl")
            for review in project.reviews()[:4]:
                project.decide(review, "prefer", review.candidates[0], rationale="It answers the question.")
            first = project.resume()
            project.run("preference", "seeds.jsonl", new_run=True, reuse=first.run_id)
        assert (
            main(["release", "create", "2026-10", "--format", "trl-preference", "--run", first.run_id]) == 0
        )
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def at_work(lived_in: Path, folder: Path) -> Path:
    """A copy of that folder as the working folder."""
    shutil.copytree(lived_in, folder, dirs_exist_ok=True)
    return folder
