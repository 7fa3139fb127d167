"""What an estimator hands in to the average of estimators, and the average. Imports numpy only.

A candidate says what every voter adds to the log odds of the outcomes, always as a linear map of what the voter said.
So an average of candidates is again one such map, and one model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from solon.consensus.ballots import Floats

FLEXIBILITY_COST = 1.0
"""Log prior paid per unit of flexibility: one nat, what Akaike's criterion charges for a free parameter."""
WEIGHTS, CONFUSIONS, SCORES, SILENCE = "weights", "confusions", "scores", "silence"
NEGLIGIBLE = 1e-3
"""Share in the average under which an estimator that has tables of its own is left out."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One estimator after it saw the decisions.

    Attributes:
        name: of the estimator.
        flat: (V + C + V + K,) weights of voters, channels, positions and outcomes.
        left_out: (n, K) logits of each decided item from a fit without it.
        score: their log likelihood, and the log prior of the estimator.
        confusion: (V + 1, K, K) or (1, K, K): what a voter's share of each outcome (rows) adds to the logit of each
            outcome; the last is for voters of whom nothing is known, and alone it is for all. None: nothing.
        ratings: (V + 1, L) what a mean score at each level of `ratings.LEVELS` adds to the log odds of the first
            outcome; the last is for other voters. None: nothing.
        criteria: (R,) what a point over the mean of a voter's scores adds, by criterion. None: nothing.
        silence: (V, K) what a voter's silence adds to the logit of each outcome. None: nothing.
        family: estimators of one family share one prior, however many they are; those of `WEIGHTS` weigh a voter by
            one number.
    """

    name: str
    flat: Floats
    left_out: Floats
    score: float
    confusion: Floats | None = None
    ratings: Floats | None = None
    criteria: Floats | None = None
    silence: Floats | None = None
    family: str = WEIGHTS

    def counted(self, way: str, unit: Floats, log_prior: float) -> Candidate:
        """Return the candidate that was fitted on features times ``unit``, as one for features as they are."""
        return replace(self, name=self.name + way, flat=self.flat * unit, score=self.score + log_prior)


def share_out(candidates: Sequence[Candidate]) -> tuple[Floats, list[Candidate]]:
    """Return the share of each candidate, by exp(score) and with equal priors of the families, and the candidates it
    belongs to.

    Those with tables of their own and next to no share are left out, so that a model carries no tables for nothing.
    """
    size = Counter(c.family for c in candidates)
    scores = np.array([c.score - math.log(size[c.family]) for c in candidates])
    share = np.exp(scores - scores.max())
    share /= share.sum()
    kept = [
        i
        for i, c in enumerate(candidates)
        if share[i] > NEGLIGIBLE or (c.confusion is None and c.ratings is None)
    ]
    share = share[kept]
    return share / share.sum(), [candidates[i] for i in kept]


def average(share: Floats, tables: Sequence[Floats | None]) -> Floats | None:
    """Return the mean of tables by share, where a missing one is all zeros; None where all are missing."""
    there = [(float(s), table) for s, table in zip(share, tables, strict=True) if table is not None]
    if not there:
        return None
    return np.asarray(sum((s * table for s, table in there), np.zeros_like(there[0][1])))
