"""Signals that calibration listens to, who is believed, and what a decision is worth."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.consensus.ballots import collect
from solon.consensus.learn import Decision, fit
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.consensus.reviewers import merge, rate_people
from solon.consensus.select import score_model_change
from solon.consensus.trust import PROVEN_AFTER, believe
from solon.consensus.worth import LONGEST, reading_minutes, weigh_decision

PRIOR = ConsensusModel.prior()


def pair(*outcomes: str, confidence: float | None = None) -> list[Vote]:
    return [
        Vote(f"j{i}", seat="1", order="AB", outcome=side, confidence=confidence)
        for i, side in enumerate(outcomes)
    ]


def test_a_critic_against_the_preferred_answer_is_a_signal_and_against_the_other_is_none() -> None:
    verdicts = pair("A", "A")
    assert judge_item(PRIOR, verdicts, against={"A": 2 / 3, "B": 0.0}).signals["critic_against"] == 2 / 3
    assert judge_item(PRIOR, verdicts, against={"A": 0.0, "B": 1.0}).signals["critic_against"] == 0.0
    assert "critic_against" not in judge_item(PRIOR, verdicts).signals


def test_calibration_learns_to_listen_to_the_critic_and_to_verbal_doubt() -> None:
    draw = random.Random(3)
    verdicts, decisions, against = {}, [], {}
    for i in range(300):
        held = draw.random() < 0.4
        name = f"i{i}"
        verdicts[name] = pair("A", "A", "A", confidence=0.6 if held else 0.9)
        against[name] = {"A": 2 / 3 if held else 0.0, "B": 0.0}
        decisions.append(Decision(name, "B" if draw.random() < (0.5 if held else 0.05) else "A"))
    model = fit(verdicts, decisions, against=against)
    weights = model.calibration.signals
    assert weights["critic_against"] < 0
    assert weights["said_doubt"] < 0
    blamed = judge_item(model, pair("A", "A", "A", confidence=0.6), against={"A": 2 / 3, "B": 0.0})
    clean = judge_item(model, pair("A", "A", "A", confidence=0.9), against={"A": 0.0, "B": 0.0})
    assert blamed.posterior == clean.posterior
    assert blamed.confidence < 0.7 < clean.confidence
    again = ConsensusModel.from_json(model.to_json())
    assert judge_item(again, verdicts["i0"], against=against["i0"]) == judge_item(
        model, verdicts["i0"], against=against["i0"]
    )


def test_sample_variance_is_that_of_one_judge_asked_again() -> None:
    same = [Vote("j", seat="1", order="AB", sample=s, outcome="A") for s in range(4)]
    mixed = [Vote("j", seat="1", order="AB", sample=s, outcome="AB"[s % 2]) for s in range(4)]
    flipped = [Vote("j", seat="1", order="AB", outcome="A"), Vote("j", seat="1", order="BA", outcome="B")]
    assert judge_item(PRIOR, same).signals["sample_variance"] == 0.0
    assert judge_item(PRIOR, mixed).signals["sample_variance"] == 0.5
    assert "sample_variance" not in judge_item(PRIOR, flipped).signals


@given(st.lists(st.sampled_from(["A", "B", "tie", "abstain"]), min_size=1, max_size=6))
def test_model_change_is_that_of_the_selection_module(outcomes: list[str]) -> None:
    verdicts = pair(*outcomes)
    found = judge_item(PRIOR, verdicts)
    ballots = collect([verdicts])
    posterior = np.array([list(found.posterior.values())])
    voters = int(ballots.active.sum())
    expected = score_model_change(ballots.shares.transpose(0, 2, 1), posterior)[0]
    assert found.signals["model_change"] == pytest.approx(expected / math.sqrt(max(voters, 1)), abs=1e-9)


def test_what_a_decision_teaches_falls_with_what_is_known() -> None:
    first = weigh_decision(0.7, 0.4, decisions=0)
    later = weigh_decision(0.7, 0.4, decisions=20)
    assert later.teaches == pytest.approx(first.teaches / 2)
    assert first.corrects == later.corrects == pytest.approx(0.2)
    assert weigh_decision(0.97, 0.0).value == 0.0
    assert weigh_decision(0.7, 0.4, minutes=2.0).rate == pytest.approx(first.rate / 2)


@given(st.integers(0, 10**7), st.floats(1, 600))
def test_reading_takes_longer_for_longer_texts_and_never_for_ever(characters: int, seconds: float) -> None:
    found = reading_minutes(characters, seconds)
    assert seconds / 2 / 60 <= found <= LONGEST * seconds / 60 + 1e-9
    assert found <= reading_minutes(characters + 100, seconds)


def test_who_is_believed() -> None:
    strong = {"reliability": 0.93, "n": PROVEN_AFTER, "low": 0.8, "high": 0.98}
    weak = {"reliability": 0.62, "n": PROVEN_AFTER, "low": 0.5, "high": 0.74}
    early = weak | {"n": PROVEN_AFTER - 1}
    assert believe(proven_at_first=True).final
    assert not believe(proven_at_first=False).final
    assert believe(proven_at_first=False, measured=strong).final
    assert not believe(proven_at_first=True, measured=weak).final
    assert believe(proven_at_first=True, measured=early).final
    assert believe(proven_at_first=True, trust="proven", measured=weak).final
    assert not believe(proven_at_first=True, trust="unproven").final
    assert believe(proven_at_first=True, trust="unproven", measured=strong).final


def test_a_crowd_cannot_make_an_expert_look_bad() -> None:
    draw = random.Random(5)
    answers = {}
    for i in range(200):
        truth = draw.choice("AB")
        other = "B" if truth == "A" else "A"
        given_ = {"expert": truth if draw.random() < 0.95 else other}
        if i % 2:
            given_["second"] = truth if draw.random() < 0.95 else other
        given_["worker"] = truth if draw.random() < 0.6 else other
        answers[str(i)] = given_
    rated = rate_people(answers, {"expert", "second"})
    assert rated["expert"].reliability > 0.9
    assert rated["worker"].reliability == pytest.approx(0.6, abs=0.08)
    assert rated["worker"].n == 200
    golden = rate_people(answers, set(), golden={"0": "A", "1": "B"})
    assert set(golden) == {"expert", "second", "worker"}


def test_merging_starts_from_what_the_panel_is_believed() -> None:
    posterior = {"A": 0.94, "B": 0.06}
    believed = merge(posterior, [], confidence=0.7)
    assert believed["A"] == pytest.approx(0.7)
    after = merge(posterior, [("B", 0.75)], confidence=0.7)
    assert after["B"] == pytest.approx(0.3 * 3 / (0.3 * 3 + 0.7))
