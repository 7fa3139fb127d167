"""Whose decision is final, and how far anyone else's answer is believed. Imports no numpy, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PROVEN_AFTER = 30
"""Blind golden or overlapped answers after which a measurement says who is proven, or weak."""
PROVEN_AT = 0.9
"""Reliability that someone must show who was not proven from the start."""
WEAK_UNDER = 0.8
"""Whoever is shown, by the whole 95% interval, to be right less often is proven no longer."""
PRIOR_RIGHT, PRIOR_STRENGTH = 0.75, 4.0
"""What is believed of a reviewer before the first comparison: right on three of four, as if on four answers."""


@dataclass(frozen=True, slots=True)
class Belief:
    """What an answer counts for.

    Attributes:
        final: whether it decides by itself; otherwise it is a vote.
        reliability: probability that it is right.
    """

    final: bool
    reliability: float


def believe(*, proven_at_first: bool, trust: str = "", measured: Mapping[str, Any] | None = None) -> Belief:
    """Return what a reviewer's answer counts for.

    A lead's "proven" stands whatever is measured; anyone else can earn it and lose it, after ``PROVEN_AFTER``
    comparisons.

    Args:
        proven_at_first: whether the reviewer counts as proven before anything is measured.
        trust: "proven" or "unproven" where a lead said so, else empty.
        measured: reliability, n, low and high from blind comparisons with golden answers or people, never
            with the panel.
    """
    known = measured or {}
    n, reliability = int(known.get("n", 0)), float(known.get("reliability", PRIOR_RIGHT))
    if trust == "proven":
        return Belief(True, reliability)
    if trust != "unproven" and proven_at_first:
        weak = n >= PROVEN_AFTER and float(known.get("high", 1.0)) < WEAK_UNDER
        return Belief(not weak, reliability)
    return Belief(n >= PROVEN_AFTER and reliability >= PROVEN_AT, reliability)
