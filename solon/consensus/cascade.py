"""Cascades of judges from cheap to strong, each certified. Imports numpy and the standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solon.consensus.ballots import Bools, Floats, Ints
from solon.consensus.certify import Certificate, certify_weighted
from solon.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Tier:
    """One judge or panel of a cascade, with what it said of the ``n`` items that the cascade is certified on.

    Attributes:
        name: what the tier is called.
        score: (n,) its confidence; NaN where it was never asked about the item.
        agreed: (n,) 1 where its answer agreed with the experts, else 0.
        cost: of asking it about one item, in any unit that is the same for all tiers.
        promised: (n,) the items that become a record where the tier is sure of them; nothing is promised of
            the others. None: all items.
        cuts: the thresholds that there may be; None: every score.
    """

    name: str
    score: Floats
    agreed: Floats
    cost: float = 1.0
    promised: Bools | None = None
    cuts: Floats | None = None


@dataclass(frozen=True, slots=True)
class CascadeResult:
    """Where each of ``n`` items ended in a cascade, and what that took.

    Attributes:
        accepted_by: (n,) index of the tier that accepts the item, -1 where it goes past all of them.
        cost: (n,) of the tiers that were asked about the item.
    """

    accepted_by: Ints
    cost: Floats


def certify_cascade(
    tiers: Sequence[Tier],
    *,
    alpha: float,
    delta: float,
    inclusion: Floats | None = None,
    seed: int = 0,
) -> list[Certificate]:
    """Return one certificate per tier, cheapest first; the probability that any of them is false is at most
    ``delta``.

    Each tier gets delta / tiers and a part of the sample of its own, because a later tier judges what earlier
    thresholds let through, and those depend on the decisions that they were chosen by. If every tier agrees
    at least 1 - alpha where it accepts, so do all accepted items together. A tier that was not asked about an
    item which the earlier cuts would send to it is refused, since what is missing there is not missing at
    random.

    Args:
        alpha: highest share of disagreement that a certificate allows.
        inclusion: (n,) probability with which each item was sampled, see ``certify_weighted``; None: all
            alike.

    Raises:
        ConfigError: there is no tier.
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
        certificate = certify_weighted(
            tier.score[mine],
            tier.agreed[mine],
            drawn[mine],
            alpha=alpha,
            delta=spent,
            cuts=tier.cuts,
            seed=seed,
        )
        out.append(certificate)
        if certificate.threshold is not None:
            escalated &= ~(tier.score >= certificate.threshold)
    return out


def run_cascade(tiers: Sequence[Tier], thresholds: Sequence[float | None]) -> CascadeResult:
    """Return which tier accepts each item when the items are sent through the tiers in order.

    A tier accepts what scores at or above its threshold; with the threshold None it accepts nothing.
    """
    n = len(tiers[0].score)
    accepted = np.full(n, -1, dtype=np.int64)
    cost = np.zeros(n)
    for i, (tier, threshold) in enumerate(zip(tiers, thresholds, strict=True)):
        waiting = accepted < 0
        cost[waiting] += tier.cost
        if threshold is not None:
            accepted[waiting & (tier.score >= threshold)] = i
    return CascadeResult(accepted, cost)
