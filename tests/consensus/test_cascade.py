"""Cascades under a known truth: false certificates, what each tier learns from, and what is missing on purpose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from panels import make_panel

from solon.consensus.cascade import Tier, certify_cascade
from solon.consensus.learn import Decision, fit_cascade
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.consensus.tiers import tier_of, tier_reached, up_to

Shape = Callable[[np.ndarray], np.ndarray]
Shape2 = Callable[[np.ndarray, np.ndarray], np.ndarray]
GRID = (np.arange(100) + 0.5) / 100
ALPHA = DELTA = 0.1
SEATS = (0, 1)


def falls_short(agreement: np.ndarray) -> bool:
    return bool(agreement.mean() < 1 - ALPHA - 1e-12)


def false_rate(cheap: Shape, strong: Shape2, reps: int, *, n: int = 240) -> tuple[float, float]:
    """Share of repetitions with a false certificate of any tier, and with any certificate.

    Scores are uniform, and agreement given them follows the shapes: `cheap` of its own score, `strong` of both, since
    what the cheap judge finds hard may be hard for the strong one. Beyond that they err on the same items as far as
    their rates allow.
    """
    rng = np.random.default_rng(11)
    false = granted = 0
    for rep in range(reps):
        u, v, hard = rng.random((3, n))
        tiers = [
            Tier("cheap", u, (hard < cheap(u)).astype(float)),
            Tier("strong", v, (hard < strong(u, v)).astype(float), 10.0),
        ]
        found = certify_cascade(tiers, alpha=ALPHA, delta=DELTA, seed=rep)
        first, second = (each.threshold for each in found)
        wrong = first is not None and falls_short(cheap(first + GRID * (1 - first)))
        if second is not None:
            sent_on = (GRID * (1.0 if first is None else first))[:, None]
            wrong |= falls_short(strong(sent_on, (second + GRID * (1 - second))[None, :]))
        false += wrong
        granted += first is not None or second is not None
    return false / reps, granted / reps


def just_under(score: np.ndarray) -> np.ndarray:
    return np.full_like(score, 0.895)


def cliff(score: np.ndarray) -> np.ndarray:
    return np.where(score > 0.6, 0.93, 0.85)


def steep(score: np.ndarray) -> np.ndarray:
    return 0.6 + 0.4 * score


def alike(_: np.ndarray, score: np.ndarray) -> np.ndarray:
    return np.broadcast_to(just_under(score), np.broadcast_shapes(_.shape, score.shape))


def weak_where_asked(cheap_score: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Right on .92 of all items, but on .87 of those that the cheap judge is least sure of."""
    return np.where(cheap_score > 0.5, 0.97, 0.87) + 0 * score


def shared_cliff(cheap_score: np.ndarray, score: np.ndarray) -> np.ndarray:
    return cliff(score) - 0.03 * (cheap_score < 0.4)


@pytest.mark.parametrize(
    ("cheap", "strong"), [(just_under, alike), (cliff, shared_cliff), (steep, weak_where_asked)]
)
def test_a_cascade_is_falsely_certified_at_most_delta_of_the_time(cheap: Shape, strong: Shape2) -> None:
    """2,000 repetitions: delta is .10 for both tiers together."""
    false, granted = false_rate(cheap, strong, 2000)
    assert false <= DELTA
    assert granted > 0


def test_a_good_cascade_is_certified_and_each_tier_spends_half() -> None:
    assert false_rate(lambda u: 0.9 + 0.1 * u, lambda u, v: 0.93 + 0.07 * v + 0 * u, 200, n=400)[1] > 0.5
    rng = np.random.default_rng(2)
    tiers = [Tier("a", rng.random(300), np.ones(300)), Tier("b", rng.random(300), np.ones(300))]
    assert [each.delta for each in certify_cascade(tiers, alpha=0.1, delta=0.1)] == [0.05, 0.05]


def test_a_tier_that_was_not_asked_is_refused_and_says_so() -> None:
    """The cheap tier is wrong under .5, so its cut sends those on; the strong one never saw a part of them."""
    rng = np.random.default_rng(3)
    u = rng.random(400)
    agreed = (u > 0.5).astype(float)
    seen = np.where(u < 0.3, rng.random(400), np.nan)
    found = certify_cascade(
        [Tier("cheap", u, agreed), Tier("strong", seen, np.ones(400))], alpha=0.1, delta=0.1
    )
    assert found[0].granted
    assert not found[1].granted
    assert "never asked" in found[1].why
    everywhere = certify_cascade(
        [Tier("cheap", u, agreed), Tier("strong", rng.random(400), np.ones(400))], alpha=0.1, delta=0.1
    )
    assert everywhere[1].granted


def seat(items: dict[str, list[Vote]]) -> dict[str, list[Vote]]:
    return {
        name: [
            Vote(
                v.judge,
                seat="1" if v.judge == "judge-0" else "2: the strong one",
                order=v.order,
                outcome=v.outcome,
            )
            for v in said
        ]
        for name, said in items.items()
    }


def test_every_tier_learns_from_what_reached_it_and_the_random_part_calibrates() -> None:
    items, truth = make_panel(200, [0.75, 0.95], copies=2, seed=4)
    full = seat(items)
    drawn = {str(i) for i in range(80)}
    # Beyond the random part the strong judge spoke only where the cheap one contradicted itself.
    kept = {
        name: said if name in drawn or said[0].outcome != said[1].outcome else said[:2]
        for name, said in full.items()
    }
    decisions = [Decision(name, right) for name, right in zip(kept, truth, strict=True)]
    model = fit_cascade(kept, decisions, SEATS, drawn)
    reached = sum(len(said) == 4 for said in kept.values())
    assert (model.n_decisions, model.tiers[0].n_decisions) == (200, 200)
    assert 80 < reached < 200
    assert model.calibration.n == model.tiers[0].calibration.n == 80
    assert set(model.tiers[0].weights) == {"judge-0"}
    assert set(model.weights) == {"judge-0", "judge-1"}
    assert ConsensusModel.from_json(model.to_json()) == model
    early, late = judge_item(model, full["0"][:2]), judge_item(model, full["0"])
    assert early == judge_item(model.tiers[0], full["0"][:2])
    assert late.votes["A"] + late.votes["B"] == 4
    # The weight of the cheap judge stays near what it is on all items: .75, not what it is on the doubtful ones.
    alone = fit_cascade(full, decisions, SEATS, drawn)
    assert model.tiers[0].weights["judge-0"] == pytest.approx(alone.tiers[0].weights["judge-0"])


def test_no_decision_on_a_tier_leaves_what_is_believed_of_it() -> None:
    items, truth = make_panel(30, [0.8], copies=2, seed=5)
    there = seat(items)
    decisions = [Decision(name, right) for name, right in zip(there, truth, strict=True)]
    model = fit_cascade(there, decisions, SEATS, set())
    assert model.calibration.kind == model.tiers[0].calibration.kind == "none"
    assert model.weights == {}
    both = [*there["0"], Vote("judge-1", seat="2", order="AB", outcome="A")]
    assert judge_item(model, both).posterior == pytest.approx(
        judge_item(ConsensusModel.prior(), both).posterior
    )


def test_seats_tell_the_tier_and_the_resolver_speaks_last() -> None:
    seats = (0, 0, 1)
    assert [tier_of(name, seats) for name in ("1", "2: a sceptic", "3: an expert", "resolver", "9")] == [
        0,
        0,
        1,
        1,
        1,
    ]
    said = [Vote("a", seat="1"), Vote("b", seat="3", outcome="abstain")]
    assert tier_reached(said, seats) == 1
    assert up_to(said, 0, seats) == (said[0],)
    assert tier_reached([], seats) == 0
