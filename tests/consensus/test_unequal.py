"""Panels whose voters have unequally many channels: seats, orders and samples."""

from __future__ import annotations

import numpy as np
import pytest
from panels import make_panel, make_unequal_panel

from solon.consensus.ballots import Ballots, collect
from solon.consensus.panel import Vote
from solon.consensus.replay import measure_learning, score_right
from solon.consensus.weights import learn_weights

NOBODY = np.zeros(0, dtype=np.int64), np.zeros((0, 2))


def unequal(seed: int, **options: float) -> tuple[Ballots, np.ndarray]:
    items, truth = make_unequal_panel(400, seed=seed, **options)
    return collect(list(items.values())), np.array(["AB".index(t) for t in truth])


def test_a_voter_of_many_seats_counts_for_more_before_much_is_known() -> None:
    over = []
    for seed in range(3):
        ballots, gold = unequal(seed)
        found = measure_learning(ballots, gold, sizes=(0, 10, 20), seeds=8).figures
        assert found["10"]["accuracy"] > found["10"]["naive_bayes"] + 0.02
        over.append([found[n]["accuracy"] - found[n]["majority"] for n in ("0", "10", "20")])
    assert np.mean(over, axis=0).min() > -0.015, "counted by voter they were under it by .19, .12 and .08"


def test_one_strong_judge_of_a_single_seat_is_still_found() -> None:
    ballots, gold = unequal(1, large=0.55, small=0.9)
    assert measure_learning(ballots, gold, sizes=(50,), seeds=5).figures["50"]["accuracy"] > 0.93


@pytest.mark.parametrize("clique", [0.0, 0.6, 0.8])
def test_before_any_decision_agreement_never_falls_under_the_plain_verdicts(clique: float) -> None:
    for seed in range(4):
        ballots, gold = unequal(seed, large=0.7, clique=clique)
        right = score_right(learn_weights(ballots, *NOBODY).logits(ballots), gold)
        assert right.mean() >= score_right(ballots.votes, gold).mean() - 0.01


def test_agreement_still_decides_where_verdicts_are_level() -> None:
    items, truth = make_panel(600, [0.9, 0.75, 0.6, 0.6], seed=3)
    ballots, gold = collect(list(items.values())), np.array(["AB".index(t) for t in truth])
    right = score_right(learn_weights(ballots, *NOBODY).logits(ballots), gold)
    assert right.mean() > score_right(ballots.votes, gold).mean() + 0.04


def test_equally_many_channels_are_counted_in_one_way_whoever_abstains() -> None:
    items, truth = make_panel(80, [0.8, 0.7, 0.6], seed=4, copies=2)
    target = np.array([[t == "A", t == "B"] for t in truth[:20]], dtype=float)
    items["3"][0] = Vote("judge-0", seat="s", order="AB", outcome="abstain")
    ballots = collect(list(items.values()))
    assert ballots.asked.tolist() == [2.0, 2.0, 2.0]
    assert not [name for name in learn_weights(ballots, np.arange(20), target).mixture if "by-voter" in name]


def test_a_voter_that_never_said_anything_breaks_nothing() -> None:
    items, _ = make_panel(30, [0.8, 0.7], seed=5)
    for said in items.values():
        said.append(Vote("silent", seat="s", outcome="abstain"))
    assert np.isfinite(learn_weights(collect(list(items.values())), *NOBODY).voter).all()
