"""The preset preference-contrast, whole: begun, killed between two drafts, gone on with, answered and exported; and
what asking for an answer that breaks a principle does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project

Cli = Callable[..., Any]
BAD_FIRST = r"\[Answer A \w+\]\nAn answer against it\."
RULES = {
    "rules": [
        {"role": "generator", "prompt": "plainly follows", "answer": "An answer by it."},
        {"role": "generator", "prompt": "plainly breaks", "answer": "An answer against it."},
        {"role": "generator", "answer": "An answer at $temperature."},
        {"role": "critic", "answer": {"findings": []}},
        {"role": "judge", "prompt": rf"landlord.*{BAD_FIRST}", "probabilities": {"A": 0.95, "B": 0.05}},
        {"role": "judge", "prompt": "landlord", "probabilities": {"A": 0.05, "B": 0.95}},
        {"role": "judge", "prompt": BAD_FIRST, "probabilities": {"A": 0.05, "B": 0.95}},
        {"role": "judge", "probabilities": {"A": 0.95, "B": 0.05}},
    ]
}
"""Judges find the answer that follows the principle better, but for one request."""
RUN = ("run", "preference-contrast", "--seeds", "seeds.jsonl")


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = solon("init", "preference-contrast", "--model", "scripted:rules.json", "--yes")
    assert made.code == 0
    home = folder / "preference-contrast"
    (home / "rules.json").write_text(json.dumps(RULES))
    monkeypatch.chdir(home)
    return home


def test_it_is_killed_resumed_answered_and_exported(
    solon: Cli, home: Path, killed: Callable[..., None]
) -> None:
    killed("solon.agents.generator:contrast", 11, *RUN)
    summary = solon("resume", "--json").json
    assert (summary["items"], summary["failed"], summary["rejected"]) == (10, 0, 0)
    with Project("sqlite:///solon.db") as project:
        (disputed,) = [review for review in project.reviews() if "landlord" in review.prompt]
    told = "the panel favours B, and the way in which they were made speaks for A"
    assert told in disputed.reasons, (
        "the panel prefers the answer that breaks the principle: a person decides"
    )
    ada = solon("expert", "add", "ada", "--json").json["token"]
    with Project("sqlite:///solon.db", expert=ada) as project:
        for review in project.reviews():
            good = next(one for one in review.candidates if one.text == "An answer by it.")
            project.decide(review, "prefer", good, rationale="It keeps to the principle.")
    assert solon("resume", "--json").json["accepted"] == 10
    assert solon("export", "--format", "jsonl", "--output", "pairs.jsonl").code == 0
    rows = [json.loads(line) for line in Path("pairs.jsonl").read_text().splitlines()]
    assert [(row["chosen"], row["rejected"]) for row in rows] == [
        ("An answer by it.", "An answer against it.")
    ] * 10
    named = [row["lineage"]["principles"] for row in rows]
    assert all(len(names) == 1 for names in named), "both answers are about one principle"
    assert len({name for names in named for name in names}) > 1
    for row, names in zip(rows, named, strict=True):
        asked = row["lineage"]["contrast"]
        assert asked["chosen"] == {"principle": names[0], "asked_to": "follow"}
        assert asked["rejected"] == {"principle": names[0], "asked_to": "break"}
    shown = solon("show", rows[0]["id"]).out
    assert f"asked to break {named[0][0]}" in " ".join(shown.split())
    with Project("sqlite:///solon.db") as project:
        way = project.trace(rows[0]["id"])
    assert way["record"]["principles"] == named[0]
    assert len(way["calls"]) == 2 + 4, "two drafts, two judges in both orders"


def test_a_tie_keeps_its_principle(solon: Cli, home: Path) -> None:
    config = (home / "solon.toml").read_text().replace('policy = "pilot" ', 'policy = "always" ')
    (home / "solon.toml").write_text(config)
    assert solon(*RUN, "--limit", "1").code == 3
    with Project("sqlite:///solon.db") as project:
        project.decide(project.reviews()[0], "tie", rationale="Both will do.")
        project.resume()
        [row] = project.records()
        way = project.trace(row.id)
    assert (row.outcome, row.margin, len(row.lineage["principles"])) == ("tie", None, 1)
    assert way["record"]["principles"] == row.lineage["principles"]


def test_without_its_maker_no_answer_is_made_worse(solon: Cli, home: Path) -> None:
    """What the preset's own part does: under the plain recipe both answers are written to be good, and the order is
    not known."""
    config = (home / "solon.toml").read_text().replace('policy = "pilot" ', 'policy = "never" ')
    (home / "solon.toml").write_text(config)
    made = {}
    for recipe in ("preference-contrast", "preference"):
        words = ("run", recipe, "--seeds", "seeds.jsonl", "--limit", "3", "--store", f"sqlite:///{recipe}.db")
        summary = solon(*words, "--json").json
        assert (summary["items"], summary["failed"]) == (3, 0)
        with Project(f"sqlite:///{recipe}.db") as project:
            made[recipe] = {row.rejected for row in project.records()}
            assert all(
                bool(row.lineage.get("principles")) == (recipe != "preference") for row in project.records()
            )
    assert made["preference-contrast"] == {"An answer against it."}
    assert "An answer against it." not in made["preference"]


def test_functions_and_given_answers_are_refused(solon: Cli, home: Path) -> None:
    """Nobody knows by which principle they were written, or in which order."""
    (home / "given.jsonl").write_text('{"prompt": "Why?", "responses": ["a", "b"]}\n')
    solon("run", "preference-contrast", "--seeds", "given.jsonl").fails(2, "responses")
    source = 'from solon import generator\n\n\n@generator("own", "1")\ndef own(seed):\n    return "text"\n'
    (home / "writes_by_itself.py").write_text(source)
    config = (home / "solon.toml").read_text()
    named = config.replace("[generator]", '[generator]\npython = ["writes_by_itself:own"]')
    (home / "solon.toml").write_text(named)
    solon(*RUN).fails(2, "told to follow a principle", "leave it out")
