"""Shares of what a person decided are older than the decision: whoever takes them out is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon import Project, judge
from solon.eval.releases import releases
from solon.formats.facts import spell_cautions


@judge("sure-of-card", "1")
def sorter(answer: str) -> str:
    return "card"


@pytest.fixture
def labelled(tmp_path: Path) -> Any:
    """Four records: a person has decided one, otherwise than the panel."""
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "label": {"labels": ["card", "transfer"]},
        "judges": [{"python": f"{__name__}:sorter"}],
        "routing": {"policy": "budget", "budget": 1, "audit_share": 0.0},
    }
    with Project(f"sqlite:///{tmp_path}/s.db", config=config) as project:
        project.plugins = {f"{__name__}:sorter": sorter}
        project.run("label-panel", [{"id": f"t{n}", "prompt": f"money was sent {n}"} for n in range(4)])
        [waiting] = project.reviews()
        project.decide(waiting, "transfer", rationale="it was sent")
        project.resume()
        yield project


def test_the_export_its_card_and_croissant_say_so(labelled: Project, tmp_path: Path) -> None:
    told = labelled.export("jsonl", tmp_path / "set", folder=True)
    [caution] = spell_cautions(told.facts)[-1:]
    assert caution.startswith("1 of 4 records were decided by a person: their `shares`")
    rows = [
        json.loads(line)
        for line in next((tmp_path / "set" / "data").glob("*.jsonl")).read_text().splitlines()
    ]
    [decided] = [row for row in rows if row["route"] == "decided"]
    shares = {one["label"]: one["share"] for one in decided["shares"]}
    assert decided["label"] == "transfer"
    assert shares["transfer"] < 0.5, "what the panel held before the decision"
    assert "may have a low share there" in (tmp_path / "set" / "README.md").read_text()
    fields = json.loads((tmp_path / "set" / "croissant.json").read_text())["recordSet"][0]["field"]
    [described] = [one for one in fields if one["name"] == "shares"]
    assert "Of records that a person decided" in described["description"]


def test_nothing_is_said_where_nobody_decided_or_nothing_was_weighed(labelled: Project) -> None:
    assert spell_cautions({"decided": 0, "records": 3, "columns": {"shares": "shares"}}) == []
    assert spell_cautions({"decided": 2, "records": 3, "columns": {"label": "text"}}) == []


def test_a_release_that_was_sealed_without_the_caution_still_verifies(
    labelled: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(releases, "spell_cautions", lambda facts: [])
        labelled.releases.create("old", tmp_path / "old", format="jsonl")
    assert labelled.releases.verify(tmp_path / "old").passed
    made = labelled.releases.create("new", tmp_path / "new", format="jsonl")
    assert any("decided by a person" in caution for caution in made["export"]["cautions"])
    assert labelled.releases.verify(tmp_path / "new").passed
