"""Strata: parts of the items that each get a promise of their own beside the one over all. Imports no numpy itself.

Which strata they are follows from how many items they have, before anything is known of the answers, and each is tested
at an equal part of the probability of error (Bonferroni), so that all of their promises hold together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from solon.consensus.certify import ROOM, least_sample
from solon.consensus.looks import MAIN

MOST = 50
"""Strata that a run may have: with more of them none could be promised anything."""


@dataclass(frozen=True, slots=True)
class StrataPlan:
    """What is drawn for strata.

    Attributes:
        promised: names of those with enough items for a promise of their own.
        fewest: decisions that each of them is drawn at least; 0 where there is none.
    """

    promised: frozenset[str]
    fewest: int


def plan_strata(sizes: Mapping[str, int], alpha: float, delta: float) -> StrataPlan:
    """Return as many strata as can be promised something together, the largest first.

    The fewest decisions are those that certify without a slip at the first look, with room for some that are less sure
    than what is accepted.

    Args:
        sizes: name -> independent items of the stratum.
        delta: probability of error of all strata together.
    """
    ranked = sorted(sizes, key=lambda name: (-sizes[name], name))
    for many in range(len(ranked), 0, -1):
        fewest = fewest_of(many, alpha, delta)
        if sizes[ranked[many - 1]] >= fewest:
            return StrataPlan(frozenset(ranked[:many]), fewest)
    return StrataPlan(frozenset(), 0)


def drawn_beyond(sizes: Mapping[str, int], items: int, pilot: int, alpha: float, delta: float) -> float:
    """Return how many items strata are expected to draw beyond a pilot that is a random sample of so many items.

    Args:
        sizes: name -> items of the stratum.
        delta: probability of error of all strata together.
    """
    plan, share = plan_strata(sizes, alpha, delta), pilot / max(1, items)
    return sum(max(0.0, plan.fewest - share * sizes[name]) for name in plan.promised)


def fewest_of(many: int, alpha: float, delta: float) -> int:
    """Return how many decisions each of so many strata is drawn at least."""
    return math.ceil(least_sample(alpha, MAIN * delta / many) / ROOM)
