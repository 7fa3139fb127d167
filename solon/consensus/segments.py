"""Reliability by segment: how much the panel's verdicts say in each part of the data. Imports numpy only.

A panel that is right on plain questions may be wrong together on tricky ones, and one weight a voter describes neither.
So the voters' weights get a further slope in each segment, alike for all voters, shrunk to none; it stands in the
average with the weight that its left-out predictions earn, and where segments do not differ it says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from solon.consensus.ballots import Ballots, Floats, Ints
from solon.consensus.logit import fit_logit, log_softmax

SPREADS = ((0.5, 1.0), (1.0, 2.0))
"""Prior standard deviation of a slope, where 1 is what an unchecked voter weighs, and the log prior that it pays: of a
panel that is right alike everywhere the wider one fits noise."""
MOST = 50
"""Segments that are told apart, those with the most decisions."""
FIXED = 1e8
"""Precision of a weight that is not learned."""


@dataclass(frozen=True, slots=True)
class BySegment:
    """What segments add to the logits.

    Attributes:
        added: segment -> (V,) what is added to the weight of each voter.
        left_out: (n, K) logits of each decided item from fits without it.
        share: of the estimators with slopes in the average.
    """

    added: Mapping[str, Floats]
    left_out: Floats
    share: float


def learn_segments(
    ballots: Ballots, rows: Ints, target: Floats, left_out: Floats, names: Sequence[str], start: float
) -> BySegment:
    """Return what the segments of the decided items add to logits that were learned without them.

    The slopes are fitted on top of left-out logits, by a conditional logit whose prior says that they are 0, and are
    averaged with having none by exp(leave-one-out log likelihood + log prior), as in ``weights``.

    Args:
        rows, target, left_out: the decided items, what was decided, and what the weights say of each without it.
        names: (len(rows),) segment of each decided item; empty for none.
        start: weight of a voter of whom nothing is known.
    """
    there = [name for name, n in Counter(filter(None, names)).most_common(MOST) if n > 1]
    unit = start * ballots.asked / ballots.asked.mean() if len(ballots.asked) else ballots.asked
    if not there or not len(unit):
        return BySegment({}, left_out, 0.0)
    plain = np.einsum("nvk,v->nk", ballots.shares[rows], unit)
    inside = np.array([[name == one for one in there] for name in names], dtype=np.float64)
    x = np.concatenate([left_out[:, :, None], plain[:, :, None] * inside[:, None, :]], axis=2)
    mean = np.array([1.0, *(0.0 for _ in there)])
    fits = [
        fit_logit(x, target, mean, np.array([FIXED, *(spread**-2.0 for _ in there)])) for spread, _ in SPREADS
    ]
    without = float((target * log_softmax(left_out)).sum())
    scores = np.array(
        [0.0, *(fit.score - without - cost for fit, (_, cost) in zip(fits, SPREADS, strict=True))]
    )
    share = np.exp(scores - scores.max())
    share /= share.sum()
    slopes = sum((s * fit.weights[1:] for s, fit in zip(share[1:], fits, strict=True)), np.zeros(len(there)))
    averaged = share[0] * left_out + sum(s * fit.left_out for s, fit in zip(share[1:], fits, strict=True))
    added = {name: slope * unit for name, slope in zip(there, slopes.tolist(), strict=True)}
    return BySegment(added, np.asarray(averaged), float(1.0 - share[0]))
