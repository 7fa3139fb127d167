"""A command line in this process, in an empty folder of its own, on the scripted fake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from solon.cli import main

SCRIPTED = '[models.default]\nmodel = "scripted:default"\n'


@dataclass(frozen=True)
class Result:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The object on the last line of standard output."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found

    def fails(self, code: int, *parts: str) -> Result:
        """It failed like this, named these things and the next step, and showed no traceback."""
        assert self.code == code, self
        assert "Traceback" not in self.err + self.out
        assert self.err.startswith("error: ") or "error: " in self.err, self.err
        assert "\n  -> " in self.err, self.err
        for part in parts:
            assert part in self.err, (part, self.err)
        return self


Cli = Callable[..., Result]
KILLER = """
import importlib, os, signal, sys
from solon.cli import main

place, left = sys.argv[1].partition(":"), int(sys.argv[2])
module = importlib.import_module(place[0])
real = getattr(module, place[2])


async def counted(*arguments, **options):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return await real(*arguments, **options)


setattr(module, place[2], counted)
sys.exit(main(sys.argv[3:]))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder whose solon.toml names the scripted fake."""
    for name in [name for name in os.environ if name.startswith("SOLON_") and name != "SOLON_DATA"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "solon.toml").write_text(SCRIPTED)
    return tmp_path


@pytest.fixture
def solon(capfd: pytest.CaptureFixture[str]) -> Cli:
    """Runs one command line."""

    def call(*arguments: str) -> Result:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture
def killed() -> Callable[..., None]:
    """Runs a command line in a process of its own, which is killed when an async function (`module:function`) is called
    once more than so often."""

    def run(function: str, calls: int, *arguments: str) -> None:
        words = [sys.executable, "-c", KILLER, function, str(calls), *arguments]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr

    return run


@pytest.fixture
def write_seeds(folder: Path) -> Callable[..., Path]:
    """Writes a seed file: mappings as JSON, texts and bytes as they are."""

    def write(*rows: Any, name: str = "seeds.jsonl") -> Path:
        lines = [
            row
            if isinstance(row, bytes)
            else row.encode()
            if isinstance(row, str)
            else json.dumps(row).encode()
            for row in rows
        ]
        path = folder / name
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return write


@pytest.fixture
def five_seeds(write_seeds: Callable[..., Path]) -> Path:
    return write_seeds(
        *({"id": f"s{i}", "prompt": f"Explain topic number {i} to a beginner."} for i in range(5))
    )


@pytest.fixture
def waiting(solon: Cli, five_seeds: Path, folder: Path) -> list[dict[str, Any]]:
    """The reviews of a finished run whose every item goes to a person."""
    (folder / "solon.toml").write_text(f'{SCRIPTED}[routing]\npolicy = "always"\n')
    assert solon("run", "preference", "--seeds", five_seeds).code == 3
    reviews: list[dict[str, Any]] = solon("review", "list", "--json").json["reviews"]
    assert reviews
    return reviews


@pytest.fixture
def rules(folder: Path) -> str:
    """A fake whose judges prefer the cooler draft, but for one seed of the demo, where they cannot tell."""
    script = {
        "rules": [
            {"role": "generator", "answer": "An answer written at $temperature."},
            {"role": "critic", "answer": {"findings": []}},
            {"role": "judge", "prompt": "sky is blue", "probabilities": {"A": 0.5, "B": 0.5}},
            {
                "role": "judge",
                "prompt": r"\[Answer A \w+\]\n[^\n]*at 0\.7",
                "probabilities": {"A": 0.95, "B": 0.05},
            },
            {"role": "judge", "probabilities": {"A": 0.05, "B": 0.95}},
        ]
    }
    (folder / "rules.json").write_text(json.dumps(script))
    return "scripted:rules.json"
