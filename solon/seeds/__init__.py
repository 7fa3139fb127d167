"""Seeds that ship with Solon: a dozen short tasks of our own writing. Imports nothing of Solon."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def demo_seeds_path() -> Path:
    """Where `demo.jsonl` lies in the installed package."""
    return Path(str(resources.files(__name__) / "demo.jsonl"))
