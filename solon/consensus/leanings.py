"""What decisions show of each voter, in words: whom it favours wrongly, and whether its scores rank. Imports numpy, no
I/O.

A voter leans to an outcome where it names it wrongly more often than it names the others wrongly, by exact bounds of
both rates; who is wrong in all directions alike leans nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from solon.consensus.admission import DELTA, ONE_SIDED
from solon.consensus.binomial import lower_bound
from solon.consensus.calibrate import measure_auroc

RANKS = 0.6
"""Ranking from which scores are called good, by its lower bound; 0.5 is chance."""
FEWEST = 5
"""Items on each side from which a ranking is told."""


@dataclass(frozen=True, slots=True)
class Leaning:
    """An outcome that a voter names too often.

    Attributes:
        outcome: the outcome.
        named: items on which it named it and experts said otherwise.
        n: items of which experts said otherwise.
    """

    outcome: str
    named: int
    n: int

    @property
    def rate(self) -> float:
        """How often it named the outcome where it was wrong to."""
        return self.named / self.n


def find_leaning(
    sides: Mapping[str, str | None], truth: Mapping[str, str], outcomes: Sequence[str]
) -> Leaning | None:
    """The outcome that a voter leans to most; None where it leans to none beyond noise.

    Args:
        sides: item -> what it voted for; None where it was undecided.
        truth: item -> what an expert said.
    """
    known = [(said, truth[item]) for item, said in sides.items() if item in truth]
    wrongly = {o: sum(said == o != right for said, right in known) for o in outcomes}
    otherwise = {o: sum(right != o for _, right in known) for o in outcomes}
    found = []
    for outcome in outcomes:
        named, n = wrongly[outcome], otherwise[outcome]
        others = sum(wrongly.values()) - named, sum(otherwise.values()) - n
        at_most = 1.0 - lower_bound(others[1] - others[0], others[1], DELTA)
        if n and lower_bound(named, n, DELTA) > at_most:
            found.append(Leaning(outcome, named, n))
    return max(found, key=lambda one: one.rate, default=None)


def measure_ranking(
    scores: Mapping[str, float], truth: Mapping[str, str], first: str
) -> tuple[float, float] | None:
    """How often an item of the first outcome is scored over one of another, ties counting half, and its standard error
    (Hanley and McNeil 1982); None where there are too few of either.

    Args:
        first: the outcome that high scores speak for.
    """
    known = [(score, truth[item] == first) for item, score in scores.items() if item in truth]
    high, low = (sum(right is side for _, right in known) for side in (True, False))
    if min(high, low) < FEWEST:
        return None
    over = measure_auroc(*(np.array(column, dtype=np.float64) for column in zip(*known, strict=True))) or 0.0
    q1, q2 = over / (2.0 - over), 2.0 * over**2 / (1.0 + over)
    variance = over * (1.0 - over) + (high - 1) * (q1 - over**2) + (low - 1) * (q2 - over**2)
    return over, math.sqrt(max(variance, 0.0) / (high * low))


def spell_ranking(found: tuple[float, float] | None) -> str:
    """A ranking in words; empty where it is neither good nor shown to be bad."""
    if found is None:
        return ""
    over, error = found
    if over - ONE_SIDED * error > RANKS:
        return f"a good ranker by its scores ({over:.2f})"
    return f"no ranker by its scores ({over:.2f})" if over + ONE_SIDED * error < RANKS else ""


def spell_leaning(leaning: Leaning, outcomes: Sequence[str]) -> str:
    """A leaning in words, with its rate and n."""
    share = f"{leaning.rate:.0%} of the {leaning.n}"
    if tuple(outcomes) == ("accept", "reject"):
        if leaning.outcome == outcomes[0]:
            return f"lenient (accepts {share} that experts reject)"
        return f"strict (rejects {share} that experts accept)"
    return f"one-sided (says {leaning.outcome} of {share} that experts call otherwise)"
