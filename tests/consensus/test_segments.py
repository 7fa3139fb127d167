"""Reliability by segment: found where it differs, nothing where it does not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from panels import make_parted_panel

from solon.consensus.learn import Decision, fit, fit_cascade
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.consensus.traits import UNKNOWN, Traits

CASES = {"normal": 0.9, "base-9": 0.85, "base-10": 0.8, "negation": 0.25, "constraint": 0.3}
Panel = tuple[dict[str, list[Vote]], list[str], dict[str, Traits]]


def right_on(panel: Panel, n: int, seed: int, *, parted: bool) -> float:
    items, truth, traits = panel
    turn = np.random.default_rng(seed).permutation(len(truth))
    decisions = [Decision(str(i), truth[i]) for i in turn[:n]]
    known = traits if parted else {}
    model = fit(items, decisions, traits=known)
    return float(
        np.mean(
            [
                judge_item(model, items[str(i)], traits=known.get(str(i), UNKNOWN)).best == truth[i]
                for i in turn[n:]
            ]
        )
    )


def mean_gain(panel: Panel, n: int, draws: int = 6) -> float:
    gains = [right_on(panel, n, s, parted=True) - right_on(panel, n, s, parted=False) for s in range(draws)]
    return float(np.mean(gains))


def test_a_panel_that_is_wrong_together_in_some_segments_is_turned_there() -> None:
    panel = make_parted_panel(315, CASES, seed=1)
    assert mean_gain(panel, 20) > 0.05
    assert mean_gain(panel, 50) > 0.15


@pytest.mark.parametrize("seed", [2, 3])
def test_segments_that_do_not_differ_cost_nothing(seed: int) -> None:
    panel = make_parted_panel(400, dict.fromkeys(CASES, 0.75), seed=seed)
    for n in (10, 20, 50, 100):
        assert mean_gain(panel, n, draws=4) > -0.01, n


def test_an_unknown_segment_is_judged_as_without_any() -> None:
    items, truth, traits = make_parted_panel(200, CASES, seed=4)
    decisions = [Decision(str(i), truth[i]) for i in range(80)]
    parted, plain = fit(items, decisions, traits=traits), fit(items, decisions)
    for name in ("", "elsewhere"):
        assert (
            judge_item(parted, items["100"], traits=Traits(name)).posterior
            == judge_item(plain, items["100"]).posterior
        )
    assert 0.99 < parted.notes["estimator:by-segment"] <= 1.0


def test_confidence_is_calibrated_on_what_the_segment_says() -> None:
    items, truth, traits = make_parted_panel(1500, CASES, seed=5)
    model = fit(items, [Decision(str(i), truth[i]) for i in range(150)], traits=traits)
    found = [judge_item(model, items[str(i)], traits=traits[str(i)]) for i in range(150, 1500)]
    right = [c.best == truth[i] for i, c in enumerate(found, 150)]
    assert np.mean([c.confidence for c in found]) == pytest.approx(np.mean(right), abs=0.05)


def test_segments_travel_as_json_and_older_versions_have_none() -> None:
    items, truth, traits = make_parted_panel(120, CASES, seed=6)
    model = fit(items, [Decision(str(i), truth[i]) for i in range(60)], traits=traits)
    again = ConsensusModel.from_json(json.loads(json.dumps(model.to_json())))
    assert again == model
    assert again.segments
    assert "segments" not in fit(items, [Decision("1", truth[1])]).to_json()


def test_odd_input_breaks_nothing() -> None:
    items, truth, traits = make_parted_panel(60, CASES, seed=7)
    assert not fit(items, [], traits=traits).segments
    odd = [Decision("1", "tie"), Decision("2", "both_bad"), Decision("3", truth[3], 0.6)]
    fit(items, odd, traits=traits)
    alone = {name: Traits(f"segment of {name}") for name in items}
    assert not fit(items, [Decision(str(i), truth[i]) for i in range(30)], traits=alone).segments
    silent = {name: [Vote("judge-0", outcome="abstain")] for name in items}
    fit(silent, [Decision(str(i), truth[i]) for i in range(20)], traits=traits)
    tiers = fit_cascade(items, [Decision(str(i), truth[i]) for i in range(40)], (0, 1), items, traits=traits)
    assert judge_item(tiers, items["50"], traits=traits["50"]).best in ("A", "B")
