"""The preset label-spans, whole: begun, killed between two readings, gone on with, answered and exported; and what
merging readings does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project

Cli = Callable[..., Any]
RUN = ("run", "label-spans", "--seeds", "seeds.jsonl")


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = solon("init", "label-spans", "--model", "scripted:default", "--privacy", "synthetic")
    assert made.code == 0
    monkeypatch.chdir(folder / "label-spans")
    return folder / "label-spans"


def test_it_is_killed_resumed_answered_and_exported(
    solon: Cli, home: Path, killed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed("solon.agents.marker:mark", 7, *RUN)
    summary = solon("resume", "--json").json
    assert (summary["items"], summary["failed"]) == (10, 0)
    assert summary["pending_review"] > 0, "readings differ, or the pilot asks"
    ada = solon("expert", "add", "ada", "--json").json["token"]
    with Project("sqlite:///solon.db", expert=ada) as project:
        review = project.reviews()[0]
        name = review.prompt.split()[0].strip(",.")
        start = review.prompt.index(name)
        spans = [{"start": start, "end": start + len(name), "label": "person"}]
        project.decide(review, "changed", spans=spans, rationale="It is a name.")
        [other, *_] = project.reviews()
    monkeypatch.setenv("SOLON_TOKEN", ada)
    _change_on_the_command_line(solon, other.id)
    monkeypatch.delenv("SOLON_TOKEN")
    assert solon("resume").code in (0, 3)
    found = solon("eval", "spans", "--json").json
    assert found["n"] == 2
    assert found["stood"]["n"] > 0
    assert found["proposed"]["strict"]["n"] == 2
    assert solon("report").code == 0
    assert "<h3>Spans</h3>" in Path("report.html").read_text()
    assert solon("export", "--format", "spans", "--output", "spans.jsonl").code == 0
    rows = {row["id"]: row for row in map(json.loads, Path("spans.jsonl").read_text().splitlines())}
    changed = [row for row in rows.values() if row["text"] == review.prompt]
    assert [(s["start"], s["end"], s["label"], s["text"]) for s in changed[0]["spans"]] == [
        (start, start + len(name), "person", name)
    ]
    assert changed[0]["route"] == "decided"
    assert all(s["text"] == row["text"][s["start"] : s["end"]] for row in rows.values() for s in row["spans"])
    for name, ending in (("conll", "conll"), ("spacy", "jsonl"), ("label-studio-spans", "json")):
        assert solon("export", "--format", name, "--output", f"{name}.{ending}").code == 0
    assert len(json.loads(Path("label-studio-spans.json").read_text())) == len(rows)
    assert Path("conll.conll").read_text().count("\n\n") == len(rows)


def _change_on_the_command_line(solon: Cli, review: str) -> None:
    """What `show` tells of spans can be given back: as they are, or as a file with others."""
    shown = solon("review", "show", review).out
    assert "{" not in shown.split("choices:")[0], "spans are told in words"
    assert f"solon review decide {review} changed --spans @FILE" in shown
    bad = '[{"start": 0, "end": 999, "label": "person"}]'
    solon("review", "decide", review, "changed", "--spans", bad).fails(2, "out of range")
    solon("review", "decide", review, "changed", "--spans", "{").fails(2, "no list of spans", "@FILE")
    Path("row.json").write_text('{"id": "x", "spans": []}')
    words = ("review", "decide", review, "changed", "--spans", "@row.json", "--rationale", "There is none.")
    assert solon(*words).code == 0


def test_without_merging_one_reading_is_taken_as_it_is(solon: Cli, home: Path) -> None:
    """What the preset's own part does: the plain recipe, one reading and no vote on it, asks nobody about what was
    overlooked."""
    config = home / "solon.toml"
    text = config.read_text().replace('policy = "pilot" ', 'policy = "threshold" ')
    asked = {}
    for name, readings in (("merged", 3), ("plain", 1)):
        config.write_text(text.replace("readings = 3", f"readings = {readings}"))
        summary = solon(*RUN, "--store", f"sqlite:///{name}.db", "--json").json
        assert (summary["items"], summary["failed"]) == (10, 0)
        asked[name] = summary["pending_review"]
    assert asked["plain"] == 0, "one reading agrees with itself"
    assert asked["merged"] > 0, "where readings differ, people are asked"
