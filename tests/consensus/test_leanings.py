"""What decisions show of a voter: planted leanings are found, and none where none was planted."""

from __future__ import annotations

import random

import pytest

from solon.consensus.leanings import (
    Leaning,
    find_leaning,
    measure_ranking,
    spell_leaning,
    spell_ranking,
)

ACCEPT = ("accept", "reject")
KINDS = ("fee", "card", "loan")


def drawn(seed: str, outcomes: tuple[str, ...], n: int = 120) -> dict[str, str]:
    draw = random.Random(seed)
    return {f"i{i}": draw.choice(outcomes) for i in range(n)}


@pytest.mark.parametrize(("to", "word"), [("accept", "lenient (accepts "), ("reject", "strict (rejects ")])
def test_a_judge_who_leans_is_told_with_rate_and_n(to: str, word: str) -> None:
    truth, draw = drawn("lean", ACCEPT), random.Random("judge")
    sides = {item: to if draw.random() < 0.7 else right for item, right in truth.items()}
    leaning = find_leaning(sides, truth, ACCEPT)
    assert leaning is not None
    assert (leaning.outcome, leaning.n) == (to, sum(right != to for right in truth.values()))
    assert leaning.rate == pytest.approx(0.7, abs=0.1)
    assert spell_leaning(leaning, ACCEPT).startswith(word)


def test_a_label_that_is_said_too_often_is_named() -> None:
    truth, draw = drawn("kinds", KINDS), random.Random("judge")
    sides = {item: "fee" if draw.random() < 0.5 else right for item, right in truth.items()}
    leaning = find_leaning(sides, truth, KINDS)
    assert leaning is not None
    assert spell_leaning(leaning, KINDS) == (
        f"one-sided (says fee of {leaning.rate:.0%} of the {leaning.n} that experts call otherwise)"
    )


@pytest.mark.parametrize("outcomes", [ACCEPT, KINDS])
def test_who_errs_in_all_directions_alike_is_seldom_said_to_lean(outcomes: tuple[str, ...]) -> None:
    """Two bounds of 5 % each must pass each other: in 200 panels it happens to a few at most."""
    found = 0
    for i in range(200):
        truth, draw = drawn(f"even {i}", outcomes, 60), random.Random(f"judge {i}")
        sides = {
            item: right if draw.random() < 0.7 else draw.choice([o for o in outcomes if o != right])
            for item, right in truth.items()
        }
        found += find_leaning(sides, truth, outcomes) is not None
    assert found <= 8


def test_one_verdict_no_verdict_and_undecided_ones_say_nothing() -> None:
    truth = {"a": "accept", "b": "reject"}
    for sides in ({}, {"a": None, "b": None}, {"b": "accept"}, {"c": "accept"}):
        assert find_leaning(sides, truth, ACCEPT) is None
    assert (
        spell_leaning(Leaning("accept", 1, 1), ACCEPT)
        == "lenient (accepts 100% of the 1 that experts reject)"
    )


def test_scores_that_rank_are_told_from_those_that_do_not() -> None:
    truth, draw = drawn("rank", ACCEPT), random.Random("scores")
    good = {item: draw.gauss(4.0 if right == "accept" else 3.0, 0.7) for item, right in truth.items()}
    over, error = measure_ranking(good, truth, "accept") or (0.0, 0.0)
    assert over > 0.75
    assert 0.0 < error < 0.1
    assert spell_ranking((over, error)) == f"a good ranker by its scores ({over:.2f})"
    flat = dict.fromkeys(truth, 4.0)
    level = measure_ranking(flat, truth, "accept")
    assert level is not None
    assert level[0] == 0.5
    assert spell_ranking(level).startswith("no ranker by its scores")
    assert measure_ranking({"i0": 4.0}, truth, "accept") is None
    assert spell_ranking(None) == ""
