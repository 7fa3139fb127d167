"""The example of the README runs as it stands, and the example configuration holds every key."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from solon.config import Config, parse_config

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_quickstart_runs_and_has_at_most_twenty_lines(folder: Path) -> None:
    assert len((EXAMPLES / "quickstart.py").read_text().splitlines()) <= 20
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "quickstart.py")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "1 pairs written"
    assert len((folder / "pairs.jsonl").read_text().splitlines()) == 1


def test_the_example_configuration_is_the_default_one() -> None:
    text = (EXAMPLES / "solon.toml").read_text()
    assert parse_config(tomllib.loads(text)) == Config()
