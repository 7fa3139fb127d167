"""The preset `label-active`, whole: init, rounds on the scripted fake, a kill, a stop, an export."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project

Cli = Callable[..., Any]
SMALL = {"budget = 120 ": "budget = 6 ", "rounds = 10 ": "rounds = 3 "}


@pytest.fixture
def begun(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert solon("init", "label-active", "--model", "scripted:default", "--privacy", "synthetic").code == 0
    home = folder / "label-active"
    monkeypatch.chdir(home)
    read = (home / "solon.toml").read_text()
    for old, new in SMALL.items():
        assert read.count(old) == 1
        read = read.replace(old, new)
    (home / "solon.toml").write_text(read)
    return home


def waiting(solon: Cli) -> list[str]:
    listed = solon("review", "list", "--json").json
    return [one["review_id"] for one in listed["reviews"]]


def test_the_rounds_of_the_preset_go_on_after_a_kill(
    solon: Cli, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert solon("run", "label-panel", "--seeds", "seeds.jsonl").code in (0, 3)
    first = waiting(solon)
    assert len(first) == 2, "a third of the budget"
    monkeypatch.setenv("SOLON_TOKEN", solon("expert", "add", "Ada").out.strip())
    for review in first:
        told = solon(
            "review", "decide", review, "card" if review == first[0] else "fees", "--rationale", "as it says"
        )
        assert told.code == 0, told
    killed_resume()
    solon("resume")
    second = waiting(solon)
    assert len(second) == 2
    assert not {*first} & {*second}
    assert solon("learn", "--status", "--json").json["versions"], (
        "the next round is chosen by what was learned"
    )
    calls = solon("status", "--json").json["runs"][0]["model_calls"]
    assert calls == 20, "judging again is free: each of ten texts met each of two judges once"
    exported = solon("export", "--format", "jsonl", "--output", "labels.jsonl")
    assert exported.code == 0
    assert len(Path("labels.jsonl").read_text().splitlines()) == 2


def killed_resume() -> None:
    """`solon resume` in a process of its own, killed as soon as it has learned."""
    process = subprocess.Popen(
        [sys.executable, "-m", "solon", "resume"],
        env={**os.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with Project() as project:
        while process.poll() is None and not project.learned()["versions"]:
            time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_with_the_plain_policy_there_are_no_rounds(solon: Cli, begun: Path) -> None:
    plain = (begun / "solon.toml").read_text().replace('policy = "budget"', 'policy = "never"')
    lines = [line for line in plain.splitlines() if not line.startswith(("rounds", "acquisition"))]
    (begun / "solon.toml").write_text("\n".join(lines))
    assert solon("run", "label-panel", "--seeds", "seeds.jsonl").code == 0
    assert waiting(solon) == []
