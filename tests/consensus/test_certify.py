"""Certificates are rarely false, whatever the shape of the agreement; cascades, audits, ceilings,
stopping.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solon.config.sections import RoutingConfig
from solon.consensus.audit import (
    confidence_sequence,
    detectable,
    is_drawn,
    log_evidence_below,
    rate_with_bound,
    watch,
)
from solon.consensus.binomial import clopper_pearson, least_passing, tail_at_least, tail_at_most
from solon.consensus.cascade import Tier, certify_cascade, run_cascade
from solon.consensus.ceiling import best_agreement, majority_right, measure_ceiling
from solon.consensus.certify import (
    betting_p_value,
    certify,
    certify_weighted,
    decisions_needed,
    delta_of_look,
    least_sample,
)
from solon.consensus.stop import judge_stopping
from solon.errors import ConfigError

Shape = Callable[[np.ndarray], np.ndarray]
SHAPES: dict[str, Shape] = {
    "just under the promise": lambda u: np.full_like(u, 0.895),
    "steep": lambda u: 0.6 + 0.4 * u,
    "cliff": lambda u: np.where(u > 0.6, 0.93, 0.85),
    "worst on top": lambda u: np.where(u > 0.9, 0.85, np.where(u > 0.5, 0.97, 0.8)),
}


def false_rate(
    shape: Shape, reps: int, n: int = 300, alpha: float = 0.1, delta: float = 0.1, weighted: bool = False
) -> float:
    rng = np.random.default_rng(7)
    false = 0
    for rep in range(reps):
        u = rng.random(n)
        agreed = (rng.random(n) < shape(u)).astype(float)
        if weighted:
            inclusion = np.where(u < 0.5, 0.9, 0.3)
            drawn = rng.random(n) < inclusion
            found = certify_weighted(
                u[drawn], agreed[drawn], inclusion[drawn], alpha=alpha, delta=delta, seed=rep
            )
        else:
            found = certify(u, agreed, alpha=alpha, delta=delta)
        if found.threshold is not None:
            above = np.linspace(found.threshold, 1.0, 1001)
            false += bool(shape(above).mean() < 1.0 - alpha - 1e-12)
    return false / reps


@pytest.mark.parametrize("name", SHAPES)
def test_a_certificate_is_false_at_most_delta_of_the_time(name: str) -> None:
    """400 repetitions: a true rate of .10 gives more than .15 with probability under .001."""
    assert false_rate(SHAPES[name], 400) <= 0.15


def test_the_same_for_unequal_inclusion() -> None:
    assert false_rate(SHAPES["steep"], 150, weighted=True) <= 0.18
    assert false_rate(SHAPES["just under the promise"], 150, weighted=True) <= 0.18


def test_a_good_score_gets_coverage_and_a_bad_panel_is_refused_with_advice() -> None:
    rng = np.random.default_rng(1)
    u = rng.random(600)
    good = certify(u, (rng.random(600) < 0.85 + 0.15 * u).astype(float), alpha=0.1, delta=0.1)
    assert good.granted
    assert good.coverage > 0.4
    assert good.bound >= 0.9
    bad = certify(u, (rng.random(600) < 0.6).astype(float), alpha=0.1, delta=0.1)
    assert not bad.granted
    assert "better panel" in bad.why
    few = certify(u[:20], np.ones(20), alpha=0.1, delta=0.1)
    assert not few.granted
    assert "more random decisions" in few.why
    assert not certify(u[:0], u[:0], alpha=0.1, delta=0.1).granted
    assert good.to_json()["threshold"] == good.threshold


@settings(max_examples=60)
@given(st.integers(1, 120), st.integers(0, 10_000), st.sampled_from([0.05, 0.1, 0.2]))
def test_a_granted_set_passes_the_exact_test_and_ties_stay_together(n: int, seed: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 8, n) / 8.0
    agreed = (rng.random(n) < 0.95).astype(float)
    found = certify(score, agreed, alpha=alpha, delta=0.1)
    if found.threshold is not None:
        inside = score >= found.threshold
        assert found.n == int(inside.sum())
        assert tail_at_least(int(agreed[inside].sum()), found.n, 1 - alpha) <= 0.1
        order = np.random.default_rng(0).permutation(n)
        assert certify(score[order], agreed[order], alpha=alpha, delta=0.1) == found


def test_bad_arguments_are_refused() -> None:
    one = np.ones(30)
    with pytest.raises(ConfigError):
        certify(one, one * 0.5, alpha=0.1, delta=0.1)
    with pytest.raises(ConfigError):
        certify(one, one[:3], alpha=0.1, delta=0.1)
    with pytest.raises(ConfigError):
        certify(one, one, alpha=1.5, delta=0.1)
    with pytest.raises(ConfigError):
        certify_weighted(one, one, one * 0.0, alpha=0.1, delta=0.1)


def test_exact_tails_match_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    for _ in range(60):
        n = int(rng.integers(1, 400))
        k, p = int(rng.integers(0, n + 1)), float(rng.random())
        assert tail_at_least(k, n, p) == pytest.approx(stats.binom.sf(k - 1, n, p), abs=1e-10)
        assert tail_at_most(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), abs=1e-10)
        low, high = clopper_pearson(k, n)
        exact = stats.binomtest(k, n).proportion_ci(method="exact")
        assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-8)
    assert least_passing(25, 0.9, 0.1) == 25
    assert least_passing(10, 0.9, 0.1) is None


def test_fixed_sequence_matches_mapie() -> None:
    """mapie's fixed-sequence control over the same p-values stops at the same place."""
    risk_control = pytest.importorskip("mapie.risk_control.fwer_control")
    fst = getattr(risk_control, "FWERFixedSequenceTesting", None)
    if fst is None:
        pytest.skip("this mapie has no fixed-sequence testing under that name")
    rng = np.random.default_rng(4)
    score = np.sort(rng.random(200))[::-1]
    agreed = (rng.random(200) < 0.88 + 0.12 * score).astype(float)
    sizes = [int(np.ceil(s * 200 - 1e-9)) for s in np.linspace(0.25, 1.0, 31)]
    p = np.array([tail_at_least(int(agreed[:m].sum()), m, 0.9) for m in sizes])
    rejected = fst(n_starts=1).run(p, 0.1)
    found = certify(score, agreed, alpha=0.1, delta=0.1)
    assert found.n == (sizes[int(max(rejected))] if len(rejected) else found.n)
    assert found.granted == bool(len(rejected))


def test_betting_p_values_are_super_uniform() -> None:
    rng = np.random.default_rng(5)
    p = [betting_p_value((rng.random(150) < 0.1).astype(float) - 0.1, 0.9) for _ in range(600)]
    assert np.mean(np.array(p) <= 0.1) <= 0.14
    strong = betting_p_value((rng.random(400) < 0.02).astype(float) - 0.1, 0.9)
    assert strong < 0.01


def test_a_cascade_shares_delta_and_saves_cost() -> None:
    rng = np.random.default_rng(6)
    n = 1600
    u = rng.random(n)
    cheap = Tier("cheap", u, (rng.random(n) < 0.6 + 0.4 * u).astype(float), 1.0)
    strong = Tier("strong", rng.random(n), (rng.random(n) < 0.96).astype(float), 10.0)
    found = certify_cascade([cheap, strong], alpha=0.1, delta=0.1)
    assert [c.delta for c in found] == [0.05, 0.05]
    assert found[1].granted
    run = run_cascade([cheap, strong], [c.threshold for c in found])
    right = np.where(run.accepted_by == 0, cheap.agreed, strong.agreed)[run.accepted_by >= 0]
    assert right.mean() > 0.88
    assert run.cost.mean() < 11.0
    assert (run_cascade([cheap], [None]).accepted_by == -1).all()
    with pytest.raises(ConfigError):
        certify_cascade([], alpha=0.1, delta=0.1)


def test_decisions_needed_is_about_right() -> None:
    need = decisions_needed(0.97, 0.1, 0.1)
    assert need is not None
    assert 20 <= need <= 120
    assert decisions_needed(0.9, 0.1, 0.1) is None


# --- audits


def test_the_pilot_as_it_comes_leaves_enough_for_a_first_certificate() -> None:
    """Each question is held out with even odds; 27 that agree are the least for 90%."""
    routing = RoutingConfig()
    least = least_sample(routing.alpha, delta_of_look(routing.delta, 1))
    assert least == 27
    assert tail_at_least(least, routing.pilot, 0.5) > 0.95
    assert tail_at_least(least, routing.pilot - 10, 0.5) < 0.95  # and no smaller round number does


def test_all_looks_together_spend_no_more_than_delta() -> None:
    assert 0.099 < sum(delta_of_look(0.1, look) for look in range(1, 1000)) < 0.1


def test_the_alarm_is_rarely_false_however_often_one_looks() -> None:
    rng = np.random.default_rng(8)
    false = 0
    for _ in range(150):
        audits = rng.random(200) < 0.9
        k = np.cumsum(audits)
        e = [log_evidence_below(int(k[i]), i + 1, 0.9) for i in range(200)]
        false += max(e) >= np.log(20)
    assert false / 150 <= 0.1


def test_a_real_fall_is_found_and_little_data_cannot_tell() -> None:
    rng = np.random.default_rng(9)
    assert watch((rng.random(300) < 0.75).tolist(), 0.9).state == "alarm"
    assert watch([True] * 5, 0.9).state == "cannot tell"
    calm = watch([i % 20 != 0 for i in range(600)], 0.9)
    assert calm.state == "green"
    assert calm.detects is not None
    assert calm.detects >= 0.85
    assert watch([], 0.9).rate is None
    more, fewer = detectable(400, 0.9), detectable(60, 0.9)
    assert more is not None
    assert fewer is not None
    assert more > fewer


@settings(max_examples=40)
@given(st.integers(1, 200), st.integers(0, 200))
def test_intervals_hold_the_rate_and_the_sequence_is_wider(n: int, k: int) -> None:
    k = min(k, n)
    low, high = clopper_pearson(k, n)
    wide_low, wide_high = confidence_sequence(k, n)
    assert low <= k / n <= high
    assert wide_low <= low + 1e-6
    assert wide_high >= high - 1e-6


def test_audit_draws_are_fixed_by_their_key() -> None:
    drawn = [is_drawn(f"secret:{i}", 0.05) for i in range(4000)]
    assert drawn == [is_drawn(f"secret:{i}", 0.05) for i in range(4000)]
    assert 0.03 < sum(drawn) / 4000 < 0.07
    rate, bound = rate_with_bound([False] * 59)
    assert rate == 0.0
    assert bound == pytest.approx(0.05, abs=0.002)


# --- ceilings and stopping


def test_the_ceiling_follows_from_agreement() -> None:
    assert best_agreement(0.8) == pytest.approx(0.887, abs=0.001)
    assert best_agreement(1.0) == 1.0
    assert best_agreement(0.3) == 0.5
    assert majority_right(0.8, 3) == pytest.approx(0.896)
    found = measure_ceiling([["A", "A", "B"], ["B", "B", "B"], ["A"]], draws=100)
    assert found.pairs == 6
    assert found.items == 2
    assert found.agreement == pytest.approx(4 / 6)
    assert measure_ceiling([]).single is None


@given(st.floats(0.5, 1.0), st.integers(2, 5))
def test_ceiling_inverts_the_agreement_of_symmetric_experts(r: float, k: int) -> None:
    agreement = r * r + (1 - r) ** 2 / (k - 1)
    assert best_agreement(agreement, k) == pytest.approx(r, abs=1e-5)


def test_stopping_when_decisions_stop_paying() -> None:
    flat = [(n, 0.9) for n in (20, 40, 80, 160)]
    rising = [(20, 0.6), (40, 0.7), (80, 0.75), (160, 0.78)]
    sure, unsure = np.full(100, 0.995), np.full(100, 0.6)
    assert judge_stopping(sure, 0.95, curve=flat).stop
    assert not judge_stopping(unsure, 0.95, curve=flat).stop
    assert not judge_stopping(sure, 0.95, curve=rising, worth=0.01).stop
    assert not judge_stopping(sure, 0.95).stop
    assert judge_stopping(np.zeros(0), 0.95).stop
