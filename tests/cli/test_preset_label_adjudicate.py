"""The preset `label-adjudicate` as a whole: votes settle, a lead settles the rest, a killed process is gone on with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon.presets import PRESETS

Cli = Callable[..., Any]
DYING = """
import os, signal
from solon.cli import main
from solon.graphs.nodes import finish

applied, count = finish.mark_applied, 0


def dying(connection, decision_id):
    global count
    applied(connection, decision_id)
    count += 1
    if count == 2:
        os.kill(os.getpid(), signal.SIGKILL)


finish.mark_applied = dying
main(["resume"])
"""
"""Dies in the transaction that stores the second record."""


@pytest.fixture
def at_home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = solon("init", "label-adjudicate", "--privacy", "synthetic", "--json").json
    monkeypatch.chdir(folder / made["folder"])
    return folder / made["folder"]


def join(solon: Cli, name: str, role: str) -> str:
    """The token of a new person."""
    return str(solon("expert", "add", name, "--role", role, "--json").json["token"])


def say(solon: Cli, monkeypatch: pytest.MonkeyPatch, token: str, review: str, label: str) -> Any:
    monkeypatch.setenv("SOLON_TOKEN", token)
    done = solon("review", "decide", review, label, "--rationale", "it says so")
    monkeypatch.delenv("SOLON_TOKEN")
    return done


def test_votes_settle_a_lead_settles_the_rest_and_a_kill_loses_nothing(
    solon: Cli, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PRESETS["label-adjudicate"].leads == "people"
    assert solon("run", "label", "--seeds", "seeds.jsonl").code == 3
    people = [
        join(solon, name, role) for name, role in (("Ann", "worker"), ("Ben", "expert"), ("Cy", "worker"))
    ]
    people += [join(solon, "Dee", "worker"), join(solon, "Eve", "worker")]
    lead = join(solon, "Lea", "lead")
    waiting = {one["prompt"]: one["id"] for one in solon("review", "list", "--json").json["reviews"]}
    assert len(waiting) == 10
    doubtful, *clear = waiting.values()
    for review in clear:
        for token in people[:2]:
            assert say(solon, monkeypatch, token, review, "card").code == 0
    assert say(solon, monkeypatch, people[2], clear[0], "card").code != 0, (
        "it is settled: nobody further is asked"
    )
    for token, label in zip(people, ("card", "fees", "login", "transfer", "card"), strict=True):
        assert say(solon, monkeypatch, token, doubtful, label).code == 0, "an expert's answer is a vote, too"

    died = subprocess.run([sys.executable, "-c", DYING], capture_output=True, check=False, cwd=at_home)
    assert died.returncode == -signal.SIGKILL, died.stderr
    resumed = solon("resume", "--json")
    assert resumed.code == 3, resumed
    assert resumed.json["accepted"] == 9

    [left] = solon("review", "list", "--json").json["reviews"]
    assert left["id"] == doubtful
    refused = say(solon, monkeypatch, people[0], doubtful, "card")
    assert refused.code != 0, "it waits for a lead"
    assert say(solon, monkeypatch, lead, doubtful, "fees").code == 0
    assert solon("resume", "--json").json["accepted"] == 10

    assert solon("export", "--format", "jsonl", "--output", "labels.jsonl").code == 0
    rows = [json.loads(line) for line in Path("labels.jsonl").read_text().splitlines()]
    by_route = {row["response"]: (row["label"], row["route"]) for row in rows}
    settled = {text: name for text, name in waiting.items() if name != doubtful}
    assert all(by_route[text] == ("card", "voted") for text in settled)
    [(label, route)] = [by_route[text] for text, name in waiting.items() if name == doubtful]
    assert (label, route) == ("fees", "decided")
    voted = next(row for row in rows if row["route"] == "voted")
    shares = {one["label"]: one["share"] for one in voted["shares"]}
    assert shares["card"] == max(shares.values()) >= 0.9
    assert len(shares) == 4
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-5)


def test_in_the_plain_recipe_of_labels_the_first_expert_decides(
    solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = solon("init", "label", "--yes", "--privacy", "synthetic", "--json").json
    monkeypatch.chdir(folder / made["folder"])
    assert solon("run", "label", "--seeds", "seeds.jsonl").code == 3
    token = join(solon, "Ben", "expert")
    first = solon("review", "list", "--json").json["reviews"][0]
    assert say(solon, monkeypatch, token, first["id"], first["choices"][0]).code == 0
    assert solon("resume", "--json").json["accepted"] == 1, "which the preset is there to prevent"
