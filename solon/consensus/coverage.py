"""What rules cover, and where they speak together or against each other. Imports numpy only.

The figures of weak supervision (Ratner et al. 2017, section 2.2): coverage, overlap and conflict of each rule, and with
right answers how often it is right where it speaks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solon.consensus.ballots import Ints

QUIET = -1
"""In place of an outcome: the rule is silent, or the right one is not known."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts of V rules on n texts.

    Attributes:
        spoke: (V,) texts on which each rule names an outcome.
        beside: (V,) those of them on which another one does, too.
        against: (V, V) texts on which two rules name different outcomes.
        disputed: (V,) texts on which a rule speaks and any other one names another outcome.
        checked: (V,) texts with a known answer on which it speaks.
        right: (V,) those on which it names that answer.
        covered: texts on which any rule speaks.
        several: texts on which two or more speak.
        split: texts on which they name different outcomes.
    """

    spoke: Ints
    beside: Ints
    against: Ints
    disputed: Ints
    checked: Ints
    right: Ints
    covered: int
    several: int
    split: int


def count_coverage(said: Ints, known: Ints) -> Coverage:
    """Return the counts.

    Args:
        said: (n, V) index of the outcome that a rule names, or `QUIET`.
        known: (n,) index of the right outcome, or `QUIET`.
    """
    speaks = said != QUIET
    many = speaks.sum(axis=1) > 1
    n_rules = said.shape[1]
    against = np.zeros((n_rules, n_rules), dtype=np.int64)
    disputed = np.zeros(said.shape, dtype=bool)
    for rule in range(n_rules):
        other = speaks & speaks[:, [rule]] & (said != said[:, [rule]])
        against[rule] = other.sum(axis=0)
        disputed[:, rule] = other.any(axis=1)
    checked = speaks & (known != QUIET)[:, None]
    return Coverage(
        spoke=speaks.sum(axis=0),
        beside=(speaks & many[:, None]).sum(axis=0),
        against=against,
        disputed=disputed.sum(axis=0),
        checked=checked.sum(axis=0),
        right=(checked & (said == known[:, None])).sum(axis=0),
        covered=int(speaks.any(axis=1).sum()),
        several=int(many.sum()),
        split=int(disputed.any(axis=1).sum()),
    )
