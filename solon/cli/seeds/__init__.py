"""Seeds that ship with Solon, all of our own writing: a dozen short tasks, ten questions a field, a clinic's questions.
Imports nothing of Solon."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def demo_seeds_path() -> Path:
    """Where `demo.jsonl` lies in the installed package."""
    return Path(str(resources.files(__name__) / "demo.jsonl"))


def starters_path() -> Path:
    """The folder with ten questions a field, FIELD.jsonl, that `solon init` begins with."""
    return Path(str(resources.files(__name__) / "starters"))
