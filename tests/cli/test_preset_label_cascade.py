"""The preset label-cascade, whole: begun, killed between two tiers, gone on with, answered and exported; and what
`solon eval tiers` says of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project

Cli = Callable[..., Any]
KILLER = '''
"""A judge of the second tier that ends the process at its first text, the first time."""

import os
import signal
from pathlib import Path

from solon import judge

SEEN = Path("seen")


@judge("strong", "1")
def strong(answer: str, labels: list[str]) -> str:
    if not SEEN.exists():
        SEEN.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return labels[len(answer) % len(labels)]
'''
RUN = ("run", "label-panel", "--seeds", "seeds.jsonl")


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = solon("init", "label-cascade", "--model", "scripted:default", "--privacy", "synthetic")
    assert made.code == 0
    monkeypatch.chdir(folder / "label-cascade")
    return folder / "label-cascade"


def edit(old: str, new: str) -> None:
    config = Path("solon.toml")
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def test_it_is_killed_resumed_answered_and_exported(solon: Cli, home: Path) -> None:
    (home / "stopping_judge.py").write_text(KILLER)
    edit("[routing]", "[routing]\naudit_share = 0.5")
    edit('model = "strong"\ntier = 2', 'python = "stopping_judge:strong"\ntier = 2')
    words = [sys.executable, "-m", "solon", *RUN]
    killed = subprocess.run(words, cwd=home, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    summary = solon("resume", "--json").json
    assert (summary["items"], summary["failed"]) == (10, 0)
    with Project("sqlite:///solon.db") as project:
        before = project.evaluate("tiers")
        assert before.tiers[0].name == "tier 0"
        assert before.tiers[0].calls == 0.0, "what rules settle costs no call"
        assert before.without_people.value == 1.0
    ada = solon("expert", "add", "ada", "--json").json["token"]
    with Project("sqlite:///solon.db", expert=ada) as project:
        waiting = solon("review", "list", "--unblind", "--json").json["reviews"]
        audits = [row for row in waiting if row["kind"] == "audit"][:1]
        for row in [*audits, next(row for row in waiting if row["kind"] == "pilot")]:
            project.decide(row["id"], "card", rationale="It is the card itself.")
        audited = [tier.agreement.n for tier in project.evaluate("tiers").tiers]
    assert sum(audited) == len(audits), "an audit speaks of the tier whose record it was"
    assert solon("resume").code in (0, 3)
    told = solon("eval", "tiers")
    assert "a person" in told.out
    assert solon("export", "--format", "jsonl", "--output", "labels.jsonl").code == 0
    rows = [json.loads(line) for line in Path("labels.jsonl").read_text().splitlines()]
    assert {row["label"] for row in rows} <= {"card", "transfer", "login", "fees"}
    assert len(rows) >= 8
    assert solon("report").code == 0
    assert "<h3>Who gave the records</h3>" in Path("report.html").read_text()


def test_without_its_tiers_every_model_is_asked_of_every_text(solon: Cli, home: Path) -> None:
    """What the preset's own part does: the plain panel of the same voters costs two calls a text."""
    calls = {}
    for name, old, new in (("cascade", "tier = 2", "tier = 2"), ("plain", "tier = ", "tier = 0 # ")):
        edit(old, new)
        summary = solon(*RUN, "--store", f"sqlite:///{name}.db", "--json").json
        assert (summary["items"], summary["failed"]) == (10, 0)
        with Project(f"sqlite:///{name}.db") as project:
            calls[name] = project.evaluate("tiers").calls
    assert calls["plain"] == 2.0
    assert calls["cascade"] < 1.0
