"""Looks at a sample: at which sizes it may be tested, and how much of delta each may spend. Imports no numpy.

The sizes are fixed when the sample is drawn: all that is drawn at first, then twice as many, and so on. So nobody can
choose the moment by what the answers say so far, and all looks together never spend more than delta (Bonferroni over
the planned sizes, taken or not).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from solon.consensus.certify import TestPlan, plan_test

MAIN = 0.9
"""Part of delta that the first look spends, when the sample is complete as it was drawn."""
POWER = 0.8
"""A number of decisions will do if it leads to a certificate with at least this probability."""
MOST = 20
"""Looks that are ever planned: at a million times the first size nobody asks."""


@dataclass(frozen=True, slots=True)
class Look:
    """One planned look.

    Attributes:
        number: 0 for the first.
        size: questions of the sample, in the order in which they were drawn.
        delta: probability of error that it may spend.
    """

    number: int
    size: int
    delta: float

    def test(self, alpha: float, share: float = 1.0, together: float = 0.0) -> TestPlan:
        """How its sample is tested.

        Args:
            share: of the questions that a promise is about.
            together: share of those that have the same, highest score: they are tested together or not at all.
        """
        plan = plan_test(round(self.size * share), alpha, self.delta)
        return plan if plan.start is None else replace(plan, start=max(plan.start, round(plan.n * together)))


def plan_look(first: int, number: int, delta: float, *, idle: int = 0) -> Look:
    """Return a planned look: the first at ``first`` questions with ``MAIN`` of delta, each further one at twice as many
    with half of what is left.

    Args:
        idle: earlier looks that found too few decisions to test anything, and so spent nothing.
    """
    return Look(number, first * 2**number, part_of(number - idle) * delta)


def part_of(number: int) -> float:
    """Return the part of delta that the first, second, ... look which tests something may spend."""
    return MAIN if number == 0 else (1.0 - MAIN) * 0.5**number


def size_reaching(first: int, size: int) -> int:
    """Return the first planned size of ``size`` questions or more."""
    planned = first
    while planned < size:
        planned *= 2
    return planned


def look_needed(
    first: int, after: Look, alpha: float, delta: float, top: float, rest: float, most: int, *, share: float = 1.0,
    together: float = 0.0, idle: int = 0,
) -> Look | None:  # fmt: skip
    """Return the first planned look after another that certifies with probability ``POWER``; None where none of up to
    ``most`` questions does.

    Args:
        share, together: as of `Look.test`.
        top: agreement on the most confident decisions.
        rest: on the others.
    """
    for number in range(after.number + 1, MOST):
        look = plan_look(first, number, delta, idle=idle)
        if look.size > most:
            return None
        if look.test(alpha, share, together).chance(top, rest) >= POWER:
            return look
    return None
