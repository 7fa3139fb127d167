"""What judges answer is read however they spell it, and no certainty is made up for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from solon.agents.models.answers import find_answer
from solon.agents.models.features import schema_in_words
from solon.agents.outputs import PairVerdict, ResolutionAnswer


def verdict(**said: Any) -> PairVerdict | None:
    return find_answer(json.dumps(said), PairVerdict)[0]


@pytest.mark.parametrize(
    ("said", "side"),
    [
        ("A", "A"),
        ("a", "A"),
        (" b. ", "B"),
        ("(B)", "B"),
        ("**A**", "A"),
        ("Answer A", "A"),
        ("answer b", "B"),
        ("Response: B", "B"),
        ("The answer A is better.", "A"),
        ("Tie", "tie"),
        ("TIE.", "tie"),
    ],
)
def test_a_side_is_read_however_it_is_written(said: str, side: str) -> None:
    found = verdict(verdict=said)
    assert found is not None
    assert found.verdict == side


@pytest.mark.parametrize(
    "said", ["A or B", "A|B|tie", "Answer C", "both", "", "AB", "not A", "hand_over", None, 1, True]
)
def test_what_names_no_side_is_no_verdict(said: Any) -> None:
    assert verdict(verdict=said) is None


@pytest.mark.parametrize(
    ("said", "share"),
    [(0.9, 0.9), ("0.9", 0.9), ("90%", 0.9), (" 12.5 % ", 0.125), (1, 1.0), (0, 0.0), ("100%", 1.0)],
)
def test_a_confidence_is_read_as_number_text_or_per_cent(said: Any, share: float) -> None:
    found = verdict(verdict="A", confidence=said)
    assert found is not None
    assert found.confidence == pytest.approx(share)


@pytest.mark.parametrize(
    "said",
    [90, "90", 1.5, -0.1, "-5%", "101%", "high", "", "0,9", "nan", "inf", float("nan"), float("inf"), 10**400,
     None, True, [0.9], {"value": 0.9}],
)  # fmt: skip
def test_a_confidence_that_cannot_be_read_is_unknown_and_costs_no_verdict(said: Any) -> None:
    found = verdict(verdict="B", confidence=said)
    assert found is not None
    assert (found.verdict, found.confidence) == ("B", None)


def test_no_confidence_is_unknown_and_none_is_suggested() -> None:
    found = verdict(verdict="A")
    assert found is not None
    assert found.confidence is None
    told = schema_in_words(PairVerdict.model_json_schema())
    assert '"confidence":{"maximum":1,"minimum":0,' in told
    assert '"enum":["A","B","tie"]' in told


@pytest.mark.parametrize(("said", "side"), [("a", "A"), ("Answer B", "B"), ("Hand_over", "hand_over")])
def test_a_resolver_is_read_alike(said: str, side: str) -> None:
    found, _ = find_answer(json.dumps({"reason": "r", "verdict": said}), ResolutionAnswer)
    assert found is not None
    assert found.verdict == side
