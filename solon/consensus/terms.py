"""What may be added to the logits of the averaged weights, and is as far as left-out decisions bear it out. Imports
numpy only.

By segment: a panel that is right on plain questions may be wrong together on tricky ones, and one weight a voter
describes neither, so the weights get a further slope in each segment, alike for all voters. By texts: what experts
prefer besides what judges say, such as the shorter of two answers. By scores: what judges gave each text of a pair
alone, when the pair was chosen among more.

Each is fitted on top of left-out logits, by a conditional logit whose prior says that it is 0, and averaged with having
none by exp(leave-one-out log likelihood + log prior), as in ``weights``: where it predicts nothing it says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from solon.consensus.ballots import Ballots, Floats, Ints
from solon.consensus.candidates import NEGLIGIBLE
from solon.consensus.logit import fit_logit, log_softmax
from solon.consensus.traits import FEATURES, SCORES, Traits

BY_SEGMENT = ((0.5, 1.0), (1.0, 2.0))
"""Prior standard deviation of a slope, where 1 is what an unchecked voter weighs, and the log prior that it pays: of a
panel that is right alike everywhere the wider one fits noise."""
BY_TEXTS = ((0.5, 1.0),)
"""The same of a feature of texts, in units of its root mean square."""
LEAST = 20
"""Fewer decisions than this say nothing of texts."""
MOST = 50
"""Segments that are told apart, those with the most decisions."""
FIXED = 1e8
"""Precision of a weight that is not learned."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is added to the logits.

    Attributes:
        segments: segment -> (V,) what is added to the weight of each voter.
        texts: feature of texts -> what a unit of it adds to the log odds of the first outcome.
        left_out: (n, K) logits of each decided item from fits without it, with what is added.
        shares: of each kind in the average.
    """

    segments: Mapping[str, Floats]
    texts: Mapping[str, float]
    left_out: Floats
    shares: Mapping[str, float]


def learn_terms(
    ballots: Ballots, rows: Ints, target: Floats, left_out: Floats, traits: Sequence[Traits], start: float
) -> Terms:
    """Return what segments and texts of the decided items add to logits that were learned without them.

    Args:
        rows, target, left_out: the decided items, what was decided, and what the weights say of each without it.
        traits: (len(rows),) of the decided items.
        start: weight of a voter of whom nothing is known.
    """
    unit = start * ballots.asked / ballots.asked.mean() if len(ballots.asked) else ballots.asked
    names = _told_apart(traits) if len(unit) else []
    plain = np.einsum("nvk,v->nk", ballots.shares[rows], unit)
    inside = np.array([[t.segment == name for name in names] for t in traits], dtype=np.float64)
    slopes, left_out, by_segment = _gate(
        left_out, plain[:, :, None] * inside.reshape(len(rows), 1, len(names)), target, BY_SEGMENT
    )
    found, texts = {"by-segment": by_segment}, dict[str, float]()
    for kind, of in (("by-texts", FEATURES), ("by-scores", (SCORES,))):
        features, scale = _differences(traits, len(ballots.outcomes), of)
        weights, left_out, found[kind] = _gate(left_out, features, target, BY_TEXTS)
        if found[kind] > NEGLIGIBLE:
            texts |= dict(zip(of, (weights / scale).tolist(), strict=True))
    return Terms(
        {name: slope * unit for name, slope in zip(names, slopes.tolist(), strict=True)},
        texts,
        left_out,
        {name: share for name, share in found.items() if share > 0.0},
    )


def _told_apart(traits: Sequence[Traits]) -> list[str]:
    count = Counter(t.segment for t in traits if t.segment)
    return [name for name, n in count.most_common(MOST) if n > 1]


def _differences(traits: Sequence[Traits], k: int, of: Sequence[str]) -> tuple[Floats, Floats]:
    """(n, K, F) what the two outcomes differ in, scaled, and the scale (F,); F is 0 where that is hardly known."""
    known = sum(any(name in t.texts for name in of) for t in traits)
    if k != 2 or known < LEAST:
        return np.zeros((len(traits), k, 0)), np.zeros(0)
    raw = np.array([[t.texts.get(name, 0.0) for name in of] for t in traits])
    spread = np.sqrt((raw**2).sum(axis=0) / known)
    scale = np.where(spread > 1e-9, spread, np.inf)
    half = raw / scale / 2.0
    return np.stack([half, -half], axis=1), scale


def _gate(
    left_out: Floats, x: Floats, target: Floats, priors: Sequence[tuple[float, float]]
) -> tuple[Floats, Floats, float]:
    """Averaged weights (F,) of further features, left-out logits with them, and their share in the average."""
    f = x.shape[2]
    if not f or not len(x):
        return np.zeros(f), left_out, 0.0
    whole = np.concatenate([left_out[:, :, None], x], axis=2)
    mean = np.concatenate([[1.0], np.zeros(f)])
    fits = [
        fit_logit(whole, target, mean, np.concatenate([[FIXED], np.full(f, sd**-2.0)])) for sd, _ in priors
    ]
    without = float((target * log_softmax(left_out)).sum())
    gains = [fit.score - without - cost for fit, (_, cost) in zip(fits, priors, strict=True)]
    scores = np.array([0.0, *gains])
    share = np.exp(scores - scores.max())
    share /= share.sum()
    weights = np.einsum("m,mf->f", share[1:], np.stack([fit.weights[1:] for fit in fits]))
    averaged = np.einsum("m,mnk->nk", share, np.stack([left_out, *(fit.left_out for fit in fits)]))
    return weights, averaged, float(1.0 - share[0])
