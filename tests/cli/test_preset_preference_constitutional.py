"""The preset preference-constitutional, whole: begun, killed between two revisions, gone on with, answered and
exported; and what pairing a draft with its revision does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project

Cli = Callable[..., Any]
DRAFT_FIRST = r"\[Answer A \w+\]\nAn answer\.\n"
FOUND = {"principle": "$id", "quote": "", "severity": "minor", "suggestion": "be exact"}
RULES = {
    "rules": [
        {
            "role": "generator",
            "prompt": r"\[draft \w+\]\n(?P<draft>[^\n]*)",
            "answer": "$draft It was mended.",
        },
        {"role": "generator", "answer": "An answer."},
        {"role": "critic", "prompt": r"mended\. It was mended\.", "answer": {"findings": []}},
        {"role": "critic", "prompt": r"^\[(?P<id>[\w.-]+)\] ", "answer": json.dumps({"findings": [FOUND]})},
        {"role": "judge", "prompt": rf"landlord.*{DRAFT_FIRST}", "probabilities": {"A": 0.95, "B": 0.05}},
        {"role": "judge", "prompt": "landlord", "probabilities": {"A": 0.05, "B": 0.95}},
        {"role": "judge", "prompt": DRAFT_FIRST, "probabilities": {"A": 0.05, "B": 0.95}},
        {"role": "judge", "probabilities": {"A": 0.95, "B": 0.05}},
    ]
}
"""Drafts are mended twice until the critic is content; judges find the revision better, but for one request."""
RUN = ("run", "preference", "--seeds", "seeds.jsonl")


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = solon("init", "preference-constitutional", "--model", "scripted:rules.json", "--yes")
    assert made.code == 0
    home = folder / "preference-constitutional"
    (home / "rules.json").write_text(json.dumps(RULES))
    monkeypatch.chdir(home)
    return home


def export(solon: Cli, name: str = "pairs") -> list[dict[str, Any]]:
    assert solon("export", "--format", "jsonl", "--output", f"{name}.jsonl").code == 0
    return [json.loads(line) for line in Path(f"{name}.jsonl").read_text().splitlines()]


def test_it_is_killed_resumed_answered_and_exported(
    solon: Cli, home: Path, killed: Callable[..., None]
) -> None:
    killed("solon.agents.generator:revise", 7, *RUN)
    summary = solon("resume", "--json").json
    assert (summary["items"], summary["failed"], summary["rejected"]) == (10, 0, 0)
    ada = solon("expert", "add", "ada", "--json").json["token"]
    with Project("sqlite:///solon.db") as project:
        (disputed,) = [review for review in project.reviews() if "landlord" in review.prompt]
    told = "the panel favours B, and the way in which they were made speaks for A"
    assert told in disputed.reasons, "the panel prefers the draft: a person decides"
    with Project("sqlite:///solon.db", expert=ada) as project:
        for review in project.reviews():
            draft = next(one for one in review.candidates if one.text == "An answer.")
            better = next(one for one in review.candidates if one is not draft)
            chosen = draft if review.id == disputed.id else better
            project.decide(review, "prefer", chosen, rationale="It keeps to the principle.")
    assert solon("resume", "--json").json["accepted"] == 10
    rows = export(solon)
    assert len(rows) == 10
    for row in rows:
        mended = "An answer. It was mended. It was mended."
        pair = ("An answer.", mended) if "landlord" in row["prompt"] else (mended, "An answer.")
        assert (row["chosen"], row["rejected"]) == pair
        assert len(row["lineage"]["principles"]) == 2, "each of the two turns drew a principle of its own"
    assert len({name for row in rows for name in row["lineage"]["principles"]}) > 3
    with Project("sqlite:///solon.db") as project:
        way = project.trace(rows[0]["id"])
    named = way["record"]["principles"]
    assert named == rows[0]["lineage"]["principles"]
    shown = " ".join(solon("show", rows[0]["id"]).out.split())
    assert f"made by the principles: {', '.join(named)}" in shown
    finding = json.loads(next(one["text"] for one in way["critiques"] if one["principles"]))[0]
    assert f"{finding['severity']} {finding['principle']}: {finding['suggestion']}" in shown
    assert [one["kind"] for one in way["candidates"]].count("revision") == 2
    assert sorted(one["worst"] for one in way["critiques"]) == ["minor", "minor", "none"]
    assert len(way["calls"]) == 1 + 3 + 2 + 4, (
        "a draft, three critiques, two revisions, two judges in both orders"
    )


def test_without_its_pairing_nothing_is_a_revision_of_what_was_rejected(solon: Cli, home: Path) -> None:
    """What the preset's own part does: under the plain pairing small faults are not mended, and no principle is
    named."""
    text = (home / "solon.toml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("turns", "principles"))]
    plain = "\n".join(lines).replace('"revision-draft"', '"best-second"').replace("n = 1 ", "n = 2 ")
    rules = json.dumps(RULES).replace('"An answer."', '"An answer at $temperature."')
    named = {}
    for name, config in (("own", text), ("plain", plain)):
        (home / "solon.toml").write_text(config.replace('policy = "pilot" ', 'policy = "never" '))
        (home / "rules.json").write_text(rules)
        summary = solon(*RUN, "--store", f"sqlite:///{name}.db", "--limit", "3", "--json").json
        assert (summary["items"], summary["failed"]) == (3, 0)
        with Project(f"sqlite:///{name}.db") as project:
            named[name] = [row.lineage.get("principles") for row in project.records()]
    assert all(named["own"])
    assert named["plain"] == [None] * len(named["plain"])
