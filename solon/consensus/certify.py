"""Certificates: how low the confidence may be so that accepted items still agree with the experts.

Imports numpy and the standard library only. A part of delta tests all items together; the rest goes to a fixed sequence
of thresholds, from the most confident items down, each tested at that full rest, stopping at the first that fails
(Angelopoulos et al. 2021, "Learn then Test"; Jung et al. 2024, "Trust or Escalate", section 3). The family-wise error,
and so the chance that a certificate is false, is at most delta.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from solon.consensus.ballots import Floats
from solon.consensus.binomial import least_passing, lower_bound, mass, tail_at_least
from solon.errors import ConfigError

SLIPS = 2
"""The sequence starts at so many of the most confident decisions that two of them may disagree; one, or none, where the
sample is smaller, since a start that a single slip ends is a coin."""
MORE_SLIPS = 4
"""Up to so many may where the start stays within half of the sample: a larger start is surer, and leaves out panels
that are good on few items only. Where it starts follows from the size of the sample, alpha and delta alone."""
WHOLE_FROM = 10.0
"""From ``WHOLE_FROM / alpha`` decisions on the whole sample is tested first, with ``WHOLE`` of delta."""
WHOLE = 0.25
ROOM = 0.8
"""Where thresholds under a floor are of no use, the sequence starts within this part of the sample if it can."""
STEPS = 31
"""Cuts from the start to the whole sample in equal steps of coverage."""


@dataclass(frozen=True, slots=True)
class TestPlan:
    """How a sample is tested, which follows from its size alone.

    Attributes:
        n: decisions in the sample.
        rate: agreement that is to be shown.
        whole: probability of error that goes to the whole sample, which is tested first; 0 where it is not.
        sequence: probability of error of each test of the sequence.
        start: decisions at which the sequence starts; None where even all of them, agreeing, are too few.
    """

    n: int
    rate: float
    whole: float
    sequence: float
    start: int | None

    @property
    def passes_whole(self) -> int | None:
        """So many of all decisions must agree where the whole sample is tested first; None where it is not."""
        return least_passing(self.n, self.rate, self.whole) if self.whole else None

    @property
    def passes_start(self) -> int | None:
        """So many of those at the start must agree; None where there is no start."""
        return None if self.start is None else least_passing(self.start, self.rate, self.sequence)

    def chance(self, top: float, rest: float | None = None) -> float:
        """Return the probability that a certificate is granted, whatever it covers.

        Args:
            top: agreement on the decisions at the start.
            rest: on the others; None: the same.
        """
        if self.start is None or self.passes_start is None:
            return 0.0
        granted = tail_at_least(self.passes_start, self.start, top)
        if self.passes_whole is None:
            return granted
        others = self.n - self.start
        return granted + sum(
            mass(k, self.start, top)
            * tail_at_least(self.passes_whole - k, others, top if rest is None else rest)
            for k in range(self.passes_start)
        )


def plan_test(n: int, alpha: float, delta: float, *, within: float = 1.0) -> TestPlan:
    """Return how a sample of ``n`` decisions is tested.

    A part of delta goes to the whole sample, since a sequence that starts small has the same power however many
    decisions there are: what fails at its start is never looked at again.

    Args:
        within: the sequence starts within this part of the sample, unless even one without a slip takes more.
    """
    rate = 1.0 - alpha
    whole = WHOLE * delta if n >= WHOLE_FROM / alpha - 1e-9 else 0.0
    sequence = delta - whole
    starts = [least_with(slips, alpha, sequence) for slips in range(MORE_SLIPS + 1)]
    fit = [m for slips, m in enumerate(starts) if m <= (n * within if slips <= SLIPS else n / 2)]
    return TestPlan(n, rate, whole, sequence, max(fit, default=starts[0] if starts[0] <= n else None))


@dataclass(frozen=True, slots=True)
class Certificate:
    """The outcome of one certification.

    Attributes:
        alpha: highest share of disagreement that it promises.
        delta: highest probability that the promise is false.
        threshold: items whose confidence is at or above it may be accepted; None where the certificate was
            refused and nothing may be accepted as certified.
        coverage: share of the sample at or above the threshold; 0 where refused.
        n: decisions at or above the threshold or, where refused, above the cut that failed.
        agreed: how many of those agreed.
        bound: lower bound of the agreement at level 1 - delta; 0 where refused.
        sample: all decisions that were given.
        tests: how many cuts were tried.
        level: part of delta at which its set passed; 0 where refused.
        why: the result in words, with what would help where it was refused.
    """

    alpha: float
    delta: float
    threshold: float | None
    coverage: float
    n: int
    agreed: float
    bound: float
    sample: int
    tests: int
    why: str
    level: float = 0.0

    @property
    def granted(self) -> bool:
        """Whether there is a threshold above which items may be accepted as certified."""
        return self.threshold is not None

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as plain values."""
        return {
            name: getattr(self, name)
            for name in (
                "alpha", "delta", "threshold", "coverage", "n", "agreed", "bound", "sample", "tests", "why", "level"
            )
        }  # fmt: skip


def certify(
    score: Floats, agreed: Floats, *, alpha: float, delta: float, cuts: Floats | None = None,
    floor: float | None = None,
) -> Certificate:  # fmt: skip
    """Return the lowest threshold for which P(agreement at or above it >= 1 - alpha) >= 1 - delta, or a
    refusal.

    It assumes that the sample was drawn at random, before scoring, from the items that are to be accepted,
    and that it serves this one certificate only. Each further certificate needs a delta of its own.

    Args:
        score: (n,) confidence, fitted on other decisions.
        agreed: (n,) 1 where the expert agreed; a tie, both_bad, edit or reject of the expert is 0.
        cuts: the thresholds that there may be; None: every score of the sample.
        floor: no lower threshold is returned, since what lies under it is not accepted; it may follow from the same
            decisions, as the whole sequence from the top holds at once. None: any.

    Raises:
        ConfigError: lengths differ, a level lies outside (0, 1), or ``agreed`` holds a fraction.
    """
    _check(score, agreed, alpha, delta)
    hits = np.asarray(agreed, dtype=np.float64)
    if not np.isin(hits, (0.0, 1.0)).all():
        raise ConfigError(
            "exact certification counts decisions as agreed (1) or not (0), and got a fraction",
            next_step="count ties as 0, or use certify_weighted",
        )
    order = np.argsort(-score, kind="stable")
    right = np.cumsum(hits[order])

    def p_value(size: int, _: float) -> float:
        return tail_at_least(round(float(right[size - 1])), size, 1.0 - alpha)

    found = _search(score[order], np.ones(len(score)), alpha, delta, cuts, p_value, floor)
    if found.best is None:
        return _refuse(alpha, delta, len(score), found, right)
    size, cut, level = found.best
    k = round(float(right[size - 1]))
    bound = lower_bound(k, size, level)
    why = f"{k} of {size} decisions agreed: at least {bound:.3f} with confidence {1 - level:.3g}"
    n = len(score)
    return Certificate(alpha, delta, cut, size / n, size, float(k), bound, n, found.tests, why, level)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the tests of a sample found.

    Attributes:
        best: size, threshold and level of the largest set that passed; None where none did.
        stopped: size of the set that failed at the start; 0 where nothing was tested.
        tests: how many sets were tested.
        plan: how it was tested.
    """

    best: tuple[int, float, float] | None
    stopped: int
    tests: int
    plan: TestPlan


def _search(
    ranked: Floats,
    weight: Floats,
    alpha: float,
    delta: float,
    cuts: Floats | None,
    p_value: Callable[[int, float], float],
    floor: float | None = None,
) -> _Found:
    """Test the whole sample first where that is planned, then cut after cut from the start on.

    Args:
        ranked: (n,) scores, the highest first.
        weight: (n,) how many items each stands for, in the same order.
        p_value: of a set, from its size and its threshold.
        floor: as of `certify`.
    """
    plan = plan_test(len(ranked), alpha, delta, within=1.0 if floor is None else ROOM)
    floor = -math.inf if floor is None else floor
    sizes = _sizes(ranked, weight, plan.start, cuts)
    if not sizes:
        return _Found(None, 0, 0, plan)
    tests = 0
    if plan.whole:
        tests, (size, cut) = 1, sizes[-1]
        if cut >= floor and p_value(size, cut) <= plan.whole:
            return _Found((size, cut, plan.whole), 0, tests, plan)
    best: tuple[int, float, float] | None = None
    stopped = 0
    for size, cut in sizes:
        if cut < floor:
            break
        tests += 1
        if p_value(size, cut) > plan.sequence:
            stopped = size
            break
        best = (size, cut, plan.sequence)
    return _Found(best, stopped, tests, plan)


def least_with(slips: int, alpha: float, delta: float) -> int:
    """Return the least number of decisions that certify with so many disagreements among them."""
    low, high = slips, 2
    while tail_at_least(high - slips, high, 1.0 - alpha) > delta:
        low, high = high, 2 * high
    while low + 1 < high:
        mid = (low + high) // 2
        passes = mid > slips and tail_at_least(mid - slips, mid, 1.0 - alpha) <= delta
        low, high = (low, mid) if passes else (mid, high)
    return high


def least_sample(alpha: float, delta: float) -> int:
    """Return the number of decisions above a threshold without which not even perfect agreement certifies it."""
    return least_with(0, alpha, delta)


def _sizes(ranked: Floats, weight: Floats, start: int | None, cuts: Floats | None) -> list[tuple[int, float]]:
    """Size and threshold of each set to be tested, the smallest first. They depend on scores and weights alone; items
    with the same score are never parted."""
    n = len(ranked)
    if start is None or n < start:
        return []
    at = np.unique(ranked if cuts is None else cuts)[::-1]
    size = np.searchsorted(-ranked, -at, side="right")
    there = size >= start
    at, size = at[there], size[there]
    if not len(size):
        return []
    share = (np.cumsum(weight) / weight.sum())[size - 1]
    first = float((np.cumsum(weight) / weight.sum())[start - 1])
    chosen: dict[int, float] = {}
    for aim in np.linspace(first, 1.0, STEPS):
        place = min(int(np.searchsorted(share, aim - 1e-9)), len(size) - 1)
        chosen.setdefault(int(size[place]), float(at[place]))
    return sorted(chosen.items())


def _refuse(alpha: float, delta: float, n: int, found: _Found, right: Floats) -> Certificate:
    size, plan = found.stopped, found.plan
    if not size:
        least = least_sample(alpha, plan.sequence)
        why = (
            f"{n} decisions are too few: even without a single disagreement it takes {least}"
            if n < least
            else f"no cut of the scores has {plan.start} decisions above it"
        )
        return Certificate(alpha, delta, None, 0.0, 0, 0.0, 0.0, n, found.tests, why)
    k = round(float(right[size - 1]))
    passing = least_passing(size, plan.rate, plan.sequence)
    why = (
        f"of the {size} most confident decisions {k} agreed ({k / size:.3f}), {passing} are needed to promise"
        f" {plan.rate:g}"
    )
    if plan.whole:
        why += (
            f"; of all {n} {round(float(right[-1]))} agreed: {plan.passes_whole} would do by themselves, "
            f"{least_passing(n, plan.rate, plan.sequence)} where every smaller set that is tested passes, too"
        )
    return Certificate(alpha, delta, None, 0.0, size, float(k), 0.0, n, found.tests, why)


def certify_weighted(
    score: Floats, agreed: Floats, inclusion: Floats, *, alpha: float, delta: float, cuts: Floats | None = None,
    floor: float | None = None, seed: int = 0,
) -> Certificate:  # fmt: skip
    """Return the same as ``certify`` for decisions that were drawn with known, unequal probabilities.

    It tests E[(disagreement - alpha) / inclusion] >= 0 by betting (Waudby-Smith and Ramdas 2024, section 4),
    which is valid at any sample size without approximation, since the payoff is bounded by the smallest
    probability. Where all items above a cut have the same probability the exact binomial test takes its
    place, which is stronger there; which of the two it is depends on the probabilities alone. It assumes that
    items are independent draws, or drawn without replacement among those of the same probability, and that
    each one's probability depended on what was known before its decision. Items that were sent to an expert
    for certain by their low confidence calibrate nothing: leave them out unless ``inclusion`` is true for all
    items of the same score.

    Args:
        inclusion: (n,) probability with which each decision was drawn, in (0, 1].
        seed: of the order in which bets are placed.

    Raises:
        ConfigError: as for ``certify``, or a probability outside (0, 1].
    """
    _check(score, agreed, alpha, delta)
    if len(inclusion) and not (float(inclusion.min()) > 0.0 and float(inclusion.max()) <= 1.0):
        raise ConfigError(
            f"inclusion probabilities must lie in (0, 1], got {inclusion.min():g} to {inclusion.max():g}",
            next_step="leave out items that could not have been drawn",
        )
    n = len(score)
    whole = bool(np.isin(agreed, (0.0, 1.0)).all())
    if whole and (not n or float(np.ptp(inclusion)) == 0.0):
        return certify(score, agreed, alpha=alpha, delta=delta, cuts=cuts, floor=floor)
    gain = float(inclusion.min()) / inclusion * ((1.0 - agreed) - alpha)
    turn = np.random.default_rng(seed).permutation(n)
    order = np.argsort(-score, kind="stable")

    def p_value(_: int, cut: float) -> float:
        inside = turn[score[turn] >= cut]
        if whole and float(np.ptp(inclusion[inside])) == 0.0:
            return tail_at_least(round(float(agreed[inside].sum())), len(inside), 1.0 - alpha)
        return betting_p_value(gain[inside], 1.0 - alpha)

    heavy = 1.0 / inclusion
    found = _search(score[order], heavy[order], alpha, delta, cuts, p_value, floor)
    if found.best is None:
        return _refuse(alpha, delta, n, found, np.cumsum(agreed[order]))
    size, cut, level = found.best
    inside = score >= cut
    estimate = float((heavy * agreed)[inside].sum() / heavy[inside].sum())
    why = f"{size} decisions, reweighted agreement {estimate:.3f}: at least {1 - alpha:g} by a betting test"
    return Certificate(
        alpha, delta, cut, float(heavy[inside].sum() / heavy.sum()), size, float(agreed[inside].sum()),
        1.0 - alpha, n, found.tests, why, level,
    )  # fmt: skip


def betting_p_value(payoff: Floats, ceiling: float) -> float:
    """Return a p-value of "E[payoff] >= 0" for payoffs of at most ``ceiling`` (> 0), by betting that they are
    negative.

    Wealth is the product of ``1 - bet * payoff`` with bets set by earlier payoffs only: a supermartingale
    under the hypothesis, so 1 / (largest wealth) is a p-value at any stopping time by Ville's inequality.
    """
    log_wealth = best = 0.0
    mean, square, seen = 0.0, 0.25 * ceiling * ceiling, 1.0
    for z in payoff.tolist():
        bet = min(max(-mean, 0.0) / max(square, 1e-12), 0.75 / ceiling)
        if seen == 1.0:
            bet = 0.1 / ceiling
        log_wealth += math.log1p(-bet * z)
        best = max(best, log_wealth)
        mean += (z - mean) / (seen + 1.0)
        square += (z * z - square) / (seen + 1.0)
        seen += 1.0
    return math.exp(-best)


def _check(score: Floats, agreed: Floats, alpha: float, delta: float) -> None:
    if len(score) != len(agreed):
        raise ConfigError(
            f"{len(score)} scores for {len(agreed)} decisions", next_step="give one score per decision"
        )
    for name, value in (("alpha", alpha), ("delta", delta)):
        if not 0.0 < value < 1.0:
            raise ConfigError(
                f"{name} must lie between 0 and 1, got {value!r}", next_step=f"set {name} to .1, say"
            )
