"""Replay statistics on simulated panels whose true figures are known."""

from __future__ import annotations

import numpy as np
import pytest
from panels import make_panel

from solon.consensus import replay, replay_trust
from solon.consensus.ballots import Ballots, collect


def arrays(n: int, accuracies: list[float], seed: int = 0, copies: int = 1) -> tuple[Ballots, np.ndarray]:
    items, truth = make_panel(n, accuracies, seed=seed, copies=copies)
    return collect(list(items.values())), np.array(["AB".index(t) for t in truth])


def test_majority_and_ties() -> None:
    ballots, gold = arrays(2000, [0.8], seed=1)
    found = replay.measure_majority(ballots, gold)
    assert found["ci"][0] < 0.8 < found["ci"][1]
    assert replay.score_right(np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([0, 1])).tolist() == [0.5, 0.0]


def test_learning_beats_majority_where_one_judge_is_better_and_reports_it_paired() -> None:
    ballots, gold = arrays(400, [0.95, 0.4, 0.4, 0.5], seed=2)
    found = replay.measure_learning(ballots, gold, sizes=(0, 20, 50, 1000), seeds=10).figures
    assert set(found) == {"0", "20", "50"}
    assert found["50"]["accuracy"] > found["50"]["majority"] + 0.1
    assert found["50"]["over_majority_ci"][0] > 0.0
    assert found["50"]["naive_bayes"] > 0.8


def test_routing_gains_nothing_from_a_random_score_and_all_from_a_perfect_one() -> None:
    rng = np.random.default_rng(3)
    right = (rng.random(1000) < 0.8).astype(float)
    noise = replay.measure_routing(rng.random(1000), right, (0.2,), draws=200)
    assert noise["0.2"]["gain_ci"][0] < 0.0 < noise["0.2"]["gain_ci"][1]
    perfect = replay.measure_routing(right, right, (0.0, 0.5), draws=50)
    assert perfect["0.5"]["accuracy"] == pytest.approx(1.0)
    assert perfect["0"]["gain"] == 0.0
    level = replay.measure_routing(np.zeros(1000), right, (0.3,), draws=50)
    assert level["0.3"]["gain"] == pytest.approx(0.0, abs=1e-9), "equal scores are routed at random"


def test_routing_after_learning_is_better_than_random() -> None:
    ballots, gold = arrays(500, [0.85, 0.7, 0.6], seed=4)
    curve = replay.measure_learning(ballots, gold, sizes=(20,), seeds=5, rivals=False)
    found = replay.measure_routing_learned(curve, gold, (0.0, 0.2))["20"]
    assert found["0"]["accuracy"] == pytest.approx(curve.figures["20"]["accuracy"])
    assert found["0.2"]["gain_ci"][0] > 0.0


def test_unanimous_shares() -> None:
    ballots, gold = arrays(600, [0.8, 0.8, 0.8], seed=5)
    found = replay.measure_unanimous(ballots, gold)
    assert found["share"] == pytest.approx(0.52, abs=0.06)
    assert found["accuracy"] > 0.95
    assert 0.0 < found["errors_share"] < 0.2


def test_calibration_and_certificates_keep_their_word() -> None:
    ballots, gold = arrays(900, [0.9, 0.85, 0.8, 0.75], seed=6)
    assert replay_trust.measure_calibration(ballots, gold)["ece"] < 0.06
    for score in ("learned", "margin"):
        found = replay_trust.measure_certification(
            ballots, gold, alpha=0.1, delta=0.1, pilot=60, draws=20, score=score
        )
        assert found["coverage"] > 0.4
        assert found["agreement"] >= 0.9
        assert found["false"] <= 0.15


def test_a_weak_reviewer_never_costs_much_and_a_good_one_helps() -> None:
    ballots, gold = arrays(600, [0.8, 0.75, 0.7], seed=7)
    rng = np.random.default_rng(8)
    budgets = (0.0, 0.2, 0.5)
    for skill in (0.6, 0.97):
        said = np.where(rng.random((6, 600)) < skill, gold, 1 - gold)
        other = np.where(rng.random((6, 600)) < skill, gold, 1 - gold)
        found = replay_trust.measure_reviewer(
            ballots, said, other, np.tile(gold, (6, 1)), labels=60, budgets=budgets
        )
        if skill < 0.7:
            assert found["0.5"]["accuracy"] > found["panel_alone"] - 0.02
            assert found["0.5"]["taken_as_truth"] < found["panel_alone"]
        else:
            assert found["0.5"]["accuracy"] > found["panel_alone"] + 0.05
            assert found["reliability"] > 0.85


def test_score_judges_and_cascades() -> None:
    rng = np.random.default_rng(9)
    gold = rng.integers(0, 4, 500)
    quality = np.eye(4)[gold] * 1.5
    cheap = quality[:, :, None] + rng.normal(0, 2.0, (500, 4, 8))
    strong = quality[:, :, None] + rng.normal(0, 1.0, (500, 4, 8))
    cheap[0, :, 4:] = np.nan
    a, margin, right = replay_trust.measure_score_judge(cheap, gold)
    b, _, best = replay_trust.measure_score_judge(strong, gold)
    assert a["accuracy"] < b["accuracy"]
    assert a["auroc_margin"] > 0.7
    found = replay_trust.measure_cascade(margin, right, best)
    assert found["0.4"]["accuracy"] > found["cheap"]
    assert found["0.5"]["minus_strong_ci"][1] > -0.05
