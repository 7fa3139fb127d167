"""What critics find reaches the calibrated confidence, and a replay or a look at the store gives the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from solon.consensus.model import Calibration, ConsensusModel
from solon.consensus.panel import judge_item
from solon.questions import PAIR
from solon.store.learning.evidence import judged_items
from solon.store.runs.runs import find_run
from solon.store.runs.verdicts import against_on

LISTENS = Calibration(kind="platt", signals={"critic_against": -2.0, "said_doubt": -1.0}, n=50)


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> ConsensusModel:
    """Every run begins with a version whose calibration listens to critics."""
    model = ConsensusModel(calibration=LISTENS)
    monkeypatch.setattr(ConsensusModel, "prior", classmethod(lambda _cls, outcomes=("A", "B"): model))
    return model


def find(question: Any, severity: str) -> dict[str, Any]:
    """One finding of this severity, by a principle that the constitution has."""
    principle = (
        json.dumps(question.schema).split('"principle":', 1)[1].split('"enum": ["', 1)[1].split('"', 1)[0]
    )
    finding = {"principle": principle, "quote": "", "severity": severity, "suggestion": "be exact"}
    return {"findings": [finding]}


def critic(question: Any) -> Any:
    """Finds something minor in about every other answer."""
    if question.role != "critic":
        return None
    return find(question, "minor") if question.key[0] % 2 else {"findings": []}


def test_graph_and_store_agree_on_the_confidence(
    make_desk: Callable[..., Any], listening: ConsensusModel
) -> None:
    desk = make_desk(answer=critic, routing={"policy": "never"})
    desk.project.store.key = "5a" * 32  # the scripted answers depend on it: the same ones whenever this runs
    desk.project.run("preference", [f"Explain case {i}." for i in range(20)])
    with desk.project.store.connect() as connection:
        judged = judged_items(connection, find_run(connection).id, PAIR)
        held = against_on(connection, [(PAIR, j.shown) for j in judged])
    confidence = {row["item_id"]: row["confidence"] for row in desk.rows("Record")}
    found = {j.item_id: judge_item(listening, j.votes, against=held[j.shown]) for j in judged}
    assert {j.against == held[j.shown] for j in judged} == {True}
    assert {f.signals["critic_against"] > 0 for f in found.values()} == {True, False}
    for item_id, consensus in found.items():
        assert confidence[item_id] == pytest.approx(consensus.confidence, abs=1e-6)


def test_the_reviewer_is_told_that_the_critic_holds_more_against_the_best(
    make_desk: Callable[..., Any], listening: ConsensusModel
) -> None:
    desk = make_desk(answer=critic, routing={"policy": "always"})
    desk.project.store.key = "5a" * 32  # the scripted answers depend on it: the same ones whenever this runs
    desk.project.run("preference", [f"Explain case {i}." for i in range(20)])
    with desk.project.store.connect() as connection:
        held = against_on(connection, [(PAIR, tuple(row["candidates"])) for row in desk.rows("Review")])
    for row in desk.rows("Review"):
        told = [reason for reason in row["reasons"] if reason["code"] == "critic"]
        against = held[tuple(row["candidates"])]
        assert len(told) <= (against["A"] != against["B"])
    assert any(r["code"] == "critic" for row in desk.rows("Review") for r in row["reasons"])


def test_a_revision_met_no_critic_and_gives_no_signal(
    make_desk: Callable[..., Any], listening: ConsensusModel
) -> None:
    def harsh(question: Any) -> Any:
        if question.role != "critic":
            return None
        return find(question, "major")

    desk = make_desk(answer=harsh, routing={"policy": "always"}, generator={"revise": True})
    desk.project.run("preference", ["Explain one case.", "Explain another."])
    with desk.project.store.connect() as connection:
        held = against_on(connection, [(PAIR, tuple(row["candidates"])) for row in desk.rows("Review")])
    assert {row["kind"] for row in desk.rows("Candidate")} == {"draft", "revision"}
    assert {row["worst"] for row in desk.rows("Critique")} == {"major"}
    assert set(map(bool, held.values())) == {False}
