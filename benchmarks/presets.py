"""What ten rows of each preset of pairs and instructions cost on a model, and what becomes of them, as a table.

`python -m benchmarks.presets [--model builtin:smollm2] [--rows 10] [PRESET ...]`. Each preset is begun as `solon init`
begins it and runs its own first rows under its own policy; a row may be several items. On the built-in model only the
columns about calls, tokens and time mean anything: it is too small to judge.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path

from solon import Project
from solon.cli import main as solon
from solon.presets import PRESETS, Preset

HEAD = (
    "preset",
    "items",
    "calls",
    "tokens in",
    "tokens out",
    "accepted",
    "wait",
    "rejected",
    "failed",
    "minutes",
)


def names() -> list[str]:
    """The presets whose items models draft."""
    return [name for name in PRESETS if name.startswith(("preference", "instruction"))]


def measure(preset: Preset, model: str, rows: int, folder: Path) -> list[str]:
    """The line of one preset.

    Args:
        rows: how many of its seeds are worked on.
        folder: where the project lies; it must not be there yet.
    """
    with redirect_stdout(StringIO()):
        solon(["init", preset.name, "--model", model, "--folder", str(folder), "--yes", "--json"])
    begun = time.monotonic()
    with chdir(folder), Project("sqlite:///solon.db") as project:
        done = project.run(preset.recipe, "seeds.jsonl", limit=rows)
    minutes = (time.monotonic() - begun) / 60
    counts = (done.items, done.model_calls, done.input_tokens, done.output_tokens)
    ends = (done.accepted, done.pending_review, done.rejected, done.failed)
    return [f"`{preset.name}`", *(f"{number:,}" for number in (*counts, *ends)), f"{minutes:.1f}"]


def main() -> None:
    """Print the table, a line as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*", help="default: all")
    parser.add_argument("--model", default="builtin:smollm2")
    parser.add_argument("--rows", type=int, default=10)
    asked = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.presets or names():
            line = measure(PRESETS[name], asked.model, asked.rows, Path(folder) / name)
            print(f"| {' | '.join(line)} |", flush=True)


if __name__ == "__main__":
    main()
