"""Cascades of judges from cheap to strong, each certified. Imports numpy and the standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solon.consensus.ballots import Bools, Floats, Ints
from solon.consensus.certify import START, Certificate, certify_weighted
from solon.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Tier:
    """One judge or panel of a cascade: ``score`` and ``agreed`` (n,) over the same items, ``cost`` per
    item. A score that is not a number: the tier was never asked about the item. ``promised`` (n,): items that
    become a record where the tier is sure of them, the others are not promised anything; None: all.
    """

    name: str
    score: Floats
    agreed: Floats
    cost: float = 1.0
    promised: Bools | None = None


@dataclass(frozen=True, slots=True)
class CascadeResult:
    """``accepted_by`` (n,): tier that accepts an item, -1 where it escalates past all. ``cost`` per item."""

    accepted_by: Ints
    cost: Floats


def certify_cascade(
    tiers: Sequence[Tier],
    *,
    alpha: float,
    delta: float,
    inclusion: Floats | None = None,
    seed: int = 0,
    start: float = START,
) -> list[Certificate]:
    """One certificate per tier, cheap first; together they are false with probability at most ``delta``.

    Each tier gets delta / tiers and a part of the sample of its own, because a later tier judges what earlier
    thresholds let through, and those depend on the decisions they were chosen by. If every tier agrees at
    least 1 - alpha where it accepts, so do all accepted items together. ``inclusion`` (n,): as of
    ``certify_weighted``; None: all alike. A tier that was not asked about an item which the cuts before would send
    to it is refused: what is missing there is not missing at random.
    """
    if not tiers:
        raise ConfigError("a cascade without tiers", next_step="name at least one judge")
    n = len(tiers[0].score)
    drawn = np.ones(n) if inclusion is None else inclusion
    part = np.random.default_rng(seed).permutation(n) % len(tiers)
    escalated = np.ones(n, dtype=bool)
    out: list[Certificate] = []
    for i, tier in enumerate(tiers):
        mine = escalated & (part == i)
        if tier.promised is not None:
            mine &= tier.promised | np.isnan(tier.score)
        unseen = int(np.isnan(tier.score[mine]).sum())
        spent = delta / len(tiers)
        if unseen:
            why = (
                f"the tier was never asked about {unseen} of {int(mine.sum())} sampled items that would reach it; "
                "a random pilot asks every tier"
            )
            out.append(Certificate(alpha, spent, None, 0.0, 0, 0.0, 0.0, int(mine.sum()), 0, why))
            continue
        found = certify_weighted(
            tier.score[mine], tier.agreed[mine], drawn[mine], alpha=alpha, delta=spent, start=start, seed=seed
        )
        out.append(found)
        if found.threshold is not None:
            escalated &= ~(tier.score >= found.threshold)
    return out


def run_cascade(tiers: Sequence[Tier], thresholds: Sequence[float | None]) -> CascadeResult:
    """Send items through the tiers; a tier with threshold None accepts nothing."""
    n = len(tiers[0].score)
    accepted = np.full(n, -1, dtype=np.int64)
    cost = np.zeros(n)
    for i, (tier, threshold) in enumerate(zip(tiers, thresholds, strict=True)):
        waiting = accepted < 0
        cost[waiting] += tier.cost
        if threshold is not None:
            accepted[waiting & (tier.score >= threshold)] = i
    return CascadeResult(accepted, cost)
