"""Certificates are rarely false, whatever the shape of the agreement; cascades, audits, ceilings,
stopping.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solon.cli.learn import spell_more
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
    least_sample,
    least_with,
    plan_test,
)
from solon.consensus.looks import look_needed, part_of, plan_look
from solon.consensus.power import chance_of, simulate, strictest
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
    assert "are needed to promise 0.9" in bad.why
    assert "of all 600" in bad.why
    few = certify(u[:20], np.ones(20), alpha=0.1, delta=0.1)
    assert not few.granted
    assert "20 decisions are too few: even without a single disagreement it takes 22" in few.why
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
        assert tail_at_least(int(agreed[inside].sum()), found.n, 1 - alpha) <= found.level <= 0.1
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
    score = np.sort(rng.random(90))[::-1]
    agreed = (rng.random(90) < 0.88 + 0.12 * score).astype(float)
    plan = plan_test(90, 0.1, 0.1)
    assert (plan.whole, plan.start) == (0.0, 52)
    sizes = sorted({int(np.ceil(s * 90 - 1e-9)) for s in np.linspace(52 / 90, 1.0, 31)})
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


def test_a_sample_is_tested_as_its_size_says() -> None:
    """The least samples for 0 to 4 slips at .10 / .10 are 22, 38, 52, 65, 78; up to four are left where that is within
    half of the sample, and all together are tested from 100 on."""
    assert [plan_test(n, 0.1, 0.1).start for n in (21, 22, 38, 52, 99)] == [None, 22, 38, 52, 52]
    large = plan_test(400, 0.1, 0.1)
    assert (large.whole, large.sequence) == (pytest.approx(0.025), pytest.approx(0.075))
    assert large.start == 83
    assert large.passes_start == large.start - 4
    least = least_sample(0.1, 0.1)
    assert 0.9**least <= 0.1 < 0.9 ** (least - 1)


@pytest.mark.parametrize(("n", "rate"), [(60, 0.95), (120, 0.95), (200, 0.93)])
def test_the_chance_of_a_certificate_is_as_simulated(n: int, rate: float) -> None:
    """Among 400 projects whose confidence says nothing: exact within four standard errors."""
    exact = plan_test(n, 0.1, 0.09).chance(rate)
    rng = np.random.default_rng(11)
    granted = sum(
        certify(rng.random(n), (rng.random(n) < rate).astype(float), alpha=0.1, delta=0.09).granted
        for _ in range(400)
    )
    assert abs(granted / 400 - exact) <= 4 * (exact * (1 - exact) / 400) ** 0.5


# --- looks


def test_all_looks_together_spend_no_more_than_delta() -> None:
    assert 0.99 < sum(part_of(number) for number in range(30)) <= 1.0
    assert [plan_look(120, number, 0.1).size for number in range(3)] == [120, 240, 480]
    assert plan_look(6, 1, 0.1, idle=1).delta == plan_look(6, 0, 0.1).delta


def test_who_always_agrees_gets_a_certificate_in_runs_of_any_size() -> None:
    """With the defaults; `pilot_share` caps the pilot at a quarter of the run."""
    routing = RoutingConfig()
    assert [routing.pilot_of(items) for items in (100, 240, 480, 2000)] == [25, 60, 120, 120]
    assert RoutingConfig(alpha=0.2).pilot_size == 60
    for items in (100, 240, 480, 2000):
        assert chance_of(routing.pilot_of(items), routing.alpha, routing.delta).perfect == 1.0
    assert chance_of(120, 0.1, 0.1).likely >= 0.5
    assert chance_of(200, 0.1, 0.1).likely >= 0.7


@pytest.mark.parametrize("rate", [0.94, 0.95, 0.97])
def test_the_number_that_a_refusal_names_would_do(rate: float) -> None:
    needed = look_needed(120, plan_look(120, 0, 0.1), 0.1, 0.1, rate, rate, 100_000)
    assert needed is not None
    rng = np.random.default_rng(12)
    n = needed.size
    granted = sum(
        certify(rng.random(n), (rng.random(n) < rate).astype(float), alpha=0.1, delta=needed.delta).granted
        for _ in range(100)
    )
    assert granted >= 75
    assert look_needed(120, plan_look(120, 0, 0.1), 0.1, 0.1, 0.9, 0.9, 100_000) is None
    assert look_needed(120, plan_look(120, 0, 0.1), 0.1, 0.1, rate, rate, 200) is None


def test_the_number_that_a_refusal_names_knows_of_decisions_that_no_cut_parts() -> None:
    planned = (60, plan_look(60, 0, 0.1), 0.2, 0.1, 0.9, 0.5, 100_000)
    parted, needed = look_needed(*planned), look_needed(*planned, together=0.7)
    assert needed is not None
    assert parted is None or parted.size > needed.size
    rng, granted = np.random.default_rng(12), 0
    for _ in range(100):
        sure = rng.random(needed.size) < 0.7
        agreed = rng.random(needed.size) < np.where(sure, 0.9, 0.5)
        found = certify(
            np.where(sure, 0.6, 0.1), agreed.astype(float), alpha=0.2, delta=needed.delta,
            cuts=np.array([0.0, 0.5]),
        )  # fmt: skip
        granted += found.granted
    assert granted >= 75


def test_what_can_be_expected_of_so_many_answers() -> None:
    assert strictest(5, 0.1) is None
    sixty = strictest(60, 0.1)
    assert sixty is not None
    assert (sixty.alpha, sixty.pilot) == (0.1, 60)
    many = strictest(600, 0.1)
    assert many is not None
    assert many.alpha < 0.1
    found = simulate(60, 0.1, 0.1, agreement=0.85, projects=60)
    assert found["false"] <= 0.15
    assert found["granted"] < 0.5
    with pytest.raises(ConfigError, match="auroc must lie between"):
        simulate(60, 0.1, 0.1, agreement=0.9, auroc=0.3)


# --- audits


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
    fewer = watch(([True] * 8 + [False]) * 100, 0.9)  # .889
    assert fewer.detects is not None
    assert (fewer.state, fewer.detects > 0.85) == ("cannot tell", True), (
        "that is no sign of a promise that holds"
    )
    assert fewer.why.startswith("fewer agreed than the promised 90%")
    assert fewer.always[1] > 0.9, "the interval for all looks still holds the promise here"
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


def test_the_page_says_where_a_certificate_starts_and_what_a_refusal_speaks_of() -> None:
    page = (Path(__file__).parents[2] / "docs" / "consensus.md").read_text()
    plan = plan_test(120, 0.1, 0.09)
    for level in (0.09, plan.sequence):
        for alpha in (0.1, 0.2):
            starts = " | ".join(str(least_with(slips, alpha, level)) for slips in range(5))
            assert f"| alpha {alpha:.2f}, at {level:.4g} | {starts} |".replace("0.", ".") in page
    assert f"begin with the {plan.start} most confident" in page
    least = least_passing(108, 0.9, plan.sequence), least_passing(120, 0.9, plan.sequence), plan.passes_whole
    assert least == (103, 114, 115), "the page's worked refusal"


def test_audit_draws_are_fixed_by_their_key() -> None:
    drawn = [is_drawn(f"secret:{i}", 0.05) for i in range(4000)]
    assert drawn == [is_drawn(f"secret:{i}", 0.05) for i in range(4000)]
    assert 0.03 < sum(drawn) / 4000 < 0.07
    rate, bound = rate_with_bound([False] * 59)
    assert rate == 0.0
    assert bound == pytest.approx(0.05, abs=0.002)
    assert rate_with_bound([False] * 48)[1] == 0.061, "0.0605 shown as 6.0% would promise too much"


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


def test_few_experts_of_one_mind_are_not_sure_of_it() -> None:
    for answers in (["A", "A"], ["A", "A", "A"]):
        found = measure_ceiling([answers] * 5)
        assert found.agreement == 1.0
        assert found.interval == (pytest.approx(0.478, abs=0.001), 1.0)
    assert measure_ceiling([["A", "B"]] * 5).interval == (0.0, pytest.approx(0.522, abs=0.001))
    mixed = measure_ceiling([["A", "A"]] * 9 + [["A", "B"]])
    assert mixed.interval == (pytest.approx(0.555, abs=0.001), pytest.approx(0.9975, abs=0.001))


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
    assert judge_stopping(sure, 0.95, chosen=30).stop, "rounds have no curve: what the next put right counts"
    assert not judge_stopping(sure, 0.95, chosen=29).stop
    assert not judge_stopping(unsure, 0.95, chosen=300).stop


def test_where_it_cannot_be_told_whether_decisions_pay_the_heading_says_so() -> None:
    sure, unsure = np.full(100, 0.995), np.full(100, 0.6)
    rising = [(20, 0.6), (40, 0.7), (80, 0.75), (160, 0.78)]
    few = judge_stopping(sure, 0.95, short="the 13 learned from so far give 7 and 6")
    assert (few.pays, few.stop) == (None, False)
    told = spell_more({"stop": few.stop, "pays": few.pays, "why": few.why})
    assert told == "whether more decisions pay cannot be told yet: the 13 learned from so far give 7 and 6"
    assert judge_stopping(sure, 0.95, curve=rising, worth=0.01).pays is None, "they may still teach"
    assert "and there are 29" in judge_stopping(sure, 0.95, chosen=29).why
    assert judge_stopping(unsure, 0.95).pays
    assert "7.0 right" in judge_stopping(unsure, 0.95).why
    assert "put 0.05 right" in (why := judge_stopping(np.full(2, 0.925), 0.95).why)
    assert why.endswith("it pays from 0.04 on")
    assert spell_more({"stop": True, "why": "w"}) == "more decisions stop paying: w", "an earlier version's"
