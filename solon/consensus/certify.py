"""Certificates: how low the confidence may be so that accepted items still agree with the experts.

Imports numpy and the standard library only. Fixed-sequence testing of thresholds, from the most confident
quarter down, each at the full level delta, stopping at the first that fails (Angelopoulos et al. 2021, "Learn
then Test"; Jung et al. 2024, "Trust or Escalate", section 3). The family-wise error, and so the chance that a
certificate is false, is at most delta.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from solon.consensus.ballots import Floats
from solon.consensus.binomial import least_passing, lower_bound, tail_at_least
from solon.errors import ConfigError

START = 0.25
"""The sequence starts at the most confident quarter: fixed before looking, never moved to a luckier place.

Where a quarter is so small that not even perfect agreement could pass, it starts at the least number that could;
that number follows from the size of the sample, alpha and delta alone, never from a decision."""
STEPS = 31
"""Cuts from START to 1 in equal steps of coverage."""


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

    @property
    def granted(self) -> bool:
        """Whether there is a threshold above which items may be accepted as certified."""
        return self.threshold is not None

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as plain values."""
        return {
            name: getattr(self, name)
            for name in (
                "alpha", "delta", "threshold", "coverage", "n", "agreed", "bound", "sample", "tests", "why"
            )
        }  # fmt: skip


def certify(
    score: Floats, agreed: Floats, *, alpha: float, delta: float, start: float = START, steps: int = STEPS
) -> Certificate:
    """Return the lowest threshold for which P(agreement at or above it >= 1 - alpha) >= 1 - delta, or a
    refusal.

    It assumes that the sample was drawn at random, before scoring, from the items that are to be accepted,
    and that it serves this one certificate only. Each further certificate needs a delta of its own.

    Args:
        score: (n,) confidence, fitted on other decisions.
        agreed: (n,) 1 where the expert agreed; a tie, both_bad, edit or reject of the expert is 0.
        start: share of the most confident items at which the search begins.
        steps: number of cuts from there down to all items.

    Raises:
        ConfigError: lengths differ, a level lies outside (0, 1), or ``agreed`` holds a fraction.
    """
    _check(score, agreed, alpha, delta, start)
    hits = np.asarray(agreed, dtype=np.float64)
    if not np.isin(hits, (0.0, 1.0)).all():
        raise ConfigError(
            "exact certification counts decisions as agreed (1) or not (0), and got a fraction",
            next_step="count ties as 0, or use certify_weighted",
        )
    n, rate = len(score), 1.0 - alpha
    order = np.argsort(-score, kind="stable")
    ranked, right = score[order], np.cumsum(hits[order])
    best: tuple[int, int] | None = None
    tests = 0
    stopped = (0, 0)
    for size in _sizes(ranked, start, steps, least_sample(alpha, delta)):
        k = round(float(right[size - 1]))
        tests += 1
        if tail_at_least(k, size, rate) > delta:
            stopped = (k, size)
            break
        best = (k, size)
    if best is None:
        return _refuse(alpha, delta, n, tests, *stopped)
    k, size = best
    bound = lower_bound(k, size, delta)
    why = f"{k} of {size} decisions agreed: at least {bound:.3f} with confidence {1 - delta:g}"
    return Certificate(alpha, delta, float(ranked[size - 1]), size / n, size, float(k), bound, n, tests, why)


def least_sample(alpha: float, delta: float) -> int:
    """Return the number of decisions above a threshold without which not even perfect agreement certifies it."""
    return math.ceil(math.log(delta) / math.log(1.0 - alpha) - 1e-12)


def delta_of_look(delta: float, look: int) -> float:
    """Return the probability of error that the first, second, ... look at a sample may spend: 6/(pi^2 look^2) of delta,
    so that all looks together never spend more than delta."""
    return delta * 6 / (math.pi**2 * look**2)


def _sizes(ranked: Floats, start: float, steps: int, least: int = 1) -> list[int]:
    """Numbers of items at or above each cut; equal scores are never separated. Depends on scores alone."""
    n = len(ranked)
    sizes: list[int] = []
    if n < least:
        return sizes
    for share in np.linspace(max(start, least / n), 1.0, steps):
        cut = ranked[min(n, max(1, math.ceil(share * n - 1e-9))) - 1]
        size = int(np.searchsorted(-ranked, -cut, side="right"))
        if not sizes or size > sizes[-1]:
            sizes.append(size)
    return sizes


def _refuse(alpha: float, delta: float, n: int, tests: int, k: int, size: int) -> Certificate:
    rate = 1.0 - alpha
    needed = least_sample(alpha, delta)
    if n < needed or size == 0:
        why = (
            f"{n} decisions are too few: even without a single disagreement it takes {needed}; collect at"
            f" least {max(needed - n, 1)} more random decisions, and about {4 * needed} in all"
        )
    elif size < needed:
        why = (
            f"{size} decisions among the most confident are too few: even without a disagreement it takes"
            f" {needed}; collect about {math.ceil(needed / size * n) - n} more random decisions"
        )
    else:
        passing = least_passing(size, rate, delta)
        observed = k / size
        more = decisions_needed(observed, alpha, delta)
        hint = (
            f"if that rate is true, about {math.ceil(more * n / size)} random decisions in all would do"
            if more is not None
            else f"at that rate no number of decisions will do: a better panel, or alpha above {1 - observed:.2f}"
        )
        why = (
            f"of the {size} most confident decisions {k} agreed ({observed:.3f}), {passing} are needed to"
            f" promise {rate:g}; {hint}"
        )
    return Certificate(alpha, delta, None, 0.0, size, float(k), 0.0, n, tests, why)


def decisions_needed(rate: float, alpha: float, delta: float, most: int = 100_000) -> int | None:
    """Return how many decisions above a threshold certify it with even odds, if their true agreement is
    ``rate``.

    None where no number up to ``most`` would do.
    """
    target = 1.0 - alpha
    if rate <= target:
        return None
    low, high = 1, most
    if tail_at_least(math.floor(rate * most), most, target) > delta:
        return None
    while low < high:
        mid = (low + high) // 2
        if tail_at_least(math.floor(rate * mid), mid, target) <= delta:
            high = mid
        else:
            low = mid + 1
    return low


def certify_weighted(
    score: Floats, agreed: Floats, inclusion: Floats, *, alpha: float, delta: float, start: float = START,
    steps: int = STEPS, seed: int = 0,
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
    _check(score, agreed, alpha, delta, start)
    if len(inclusion) and not (float(inclusion.min()) > 0.0 and float(inclusion.max()) <= 1.0):
        raise ConfigError(
            f"inclusion probabilities must lie in (0, 1], got {inclusion.min():g} to {inclusion.max():g}",
            next_step="leave out items that could not have been drawn",
        )
    n = len(score)
    whole = bool(np.isin(agreed, (0.0, 1.0)).all())
    if whole and (not n or float(np.ptp(inclusion)) == 0.0):
        return certify(score, agreed, alpha=alpha, delta=delta, start=start, steps=steps)
    weight = float(inclusion.min()) / inclusion if n else inclusion
    gain = weight * ((1.0 - agreed) - alpha)
    turn = np.random.default_rng(seed).permutation(n)
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    total = float((1.0 / inclusion).sum()) if n else 0.0
    best: tuple[int, float] | None = None
    tests = size = 0
    least = least_sample(alpha, delta)
    for size in _weighted_sizes(ranked, (1.0 / inclusion)[order] if n else ranked, start, steps, least):
        cut = ranked[size - 1]
        inside = turn[score[turn] >= cut]
        tests += 1
        if whole and float(np.ptp(inclusion[inside])) == 0.0:
            p_value = tail_at_least(round(float(agreed[inside].sum())), len(inside), 1.0 - alpha)
        else:
            p_value = betting_p_value(gain[inside], 1.0 - alpha)
        if p_value > delta:
            break
        best = (size, float(cut))
    if best is None:
        return _refuse(alpha, delta, n, tests, int(agreed[order][:size].sum()), size)
    size, cut = best
    inside = score >= cut
    heavy = 1.0 / inclusion[inside]
    estimate = float((heavy * agreed[inside]).sum() / heavy.sum())
    why = f"{size} decisions, reweighted agreement {estimate:.3f}: at least {1 - alpha:g} by a betting test"
    return Certificate(
        alpha, delta, cut, float(heavy.sum()) / total, size, float(agreed[inside].sum()), 1.0 - alpha, n,
        tests, why,
    )  # fmt: skip


def _weighted_sizes(ranked: Floats, weight: Floats, start: float, steps: int, least: int) -> list[int]:
    sizes: list[int] = []
    if len(ranked) < least:
        return sizes
    share = np.cumsum(weight) / weight.sum()
    for aim in np.linspace(max(start, float(share[least - 1])), 1.0, steps):
        at = min(int(np.searchsorted(share, aim - 1e-9)), len(ranked) - 1)
        size = int(np.searchsorted(-ranked, -ranked[at], side="right"))
        if not sizes or size > sizes[-1]:
            sizes.append(size)
    return sizes


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


def _check(score: Floats, agreed: Floats, alpha: float, delta: float, start: float) -> None:
    if len(score) != len(agreed):
        raise ConfigError(
            f"{len(score)} scores for {len(agreed)} decisions", next_step="give one score per decision"
        )
    for name, value in (("alpha", alpha), ("delta", delta), ("start", start)):
        if not 0.0 < value < 1.0 and not (name == "start" and value == 1.0):
            raise ConfigError(
                f"{name} must lie between 0 and 1, got {value!r}", next_step=f"set {name} to .1, say"
            )
