"""Learning the weights of criteria from decisions, by a regularised logistic regression on score differences.

Imports numpy only. The weights in use, on the scale that fits best, are the centre that the fit is pulled to
(a Gaussian prior); how hard is chosen by cross-validation over groups. What the fit is worth is measured on
groups that it did not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solon.consensus.ballots import Floats
from solon.consensus.logit import fit_logit, log_softmax
from solon.consensus.resample import mean_interval

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Precisions of the prior that are tried."""
FOLDS = 5
LEAST = 20
"""Fewer comparisons say nothing about weights."""
SMALLEST = 0.05
"""No criterion is weighed away: what a fit finds negative or nothing keeps this much of the mean weight."""


@dataclass(frozen=True, slots=True)
class WeightFit:
    """Weights of criteria that were learned from decisions, and whether they are worth adopting.

    Attributes:
        weights: one per criterion; they sum to what the weights before summed to.
        n: comparisons that they were fitted on.
        strength: precision of the prior around the weights before, chosen by cross-validation.
        gain: mean log likelihood per comparison minus that of the weights before, on groups that were left
            out.
        interval: 95% bootstrap interval of the gain over comparisons.
        before: agreement of the weights before with the decisions on groups that were left out.
        after: agreement of the fitted weights there.
    """

    weights: tuple[float, ...]
    n: int
    strength: float
    gain: float
    interval: tuple[float, float]
    before: float
    after: float

    @property
    def better(self) -> bool:
        """Whether the interval of the gain lies above zero."""
        return self.interval[0] > 0.0


def fit_weights(
    better: Floats, worse: Floats, groups: Sequence[str], weights: Sequence[float], *, seed: int = 0
) -> WeightFit | None:
    """Return weights by which what experts preferred scores above what they did not, and what such weights
    are worth.

    Args:
        better, worse: (n, C) scores; NaN where a criterion was not scored, which then says nothing there.
        groups: (n,) comparisons of one group are never on both sides of a split.
        weights: (C,) in use.

    Returns:
        None where there are fewer than ``LEAST`` comparisons or fewer than two groups.
    """
    x = np.nan_to_num(np.asarray(better, dtype=float) - np.asarray(worse, dtype=float), nan=0.0)
    names = sorted(set(groups))
    if len(x) < LEAST or len(names) < 2:
        return None
    old = np.asarray(weights, dtype=float)
    folds = _folds(groups, names, seed)
    scored = {strength: _left_out(x, old, folds, strength) for strength in STRENGTHS}
    base = _left_out(x, old, folds, None)
    nested = _nested(x, old, folds)
    strength = max(STRENGTHS, key=lambda s: float(scored[s][0].mean()))
    gains = nested[0] - base[0]
    fitted = _fit(x, old, strength)
    return WeightFit(
        weights=_positive(fitted, old),
        n=len(x),
        strength=strength,
        gain=float(gains.mean()),
        interval=mean_interval(gains, seed=seed),
        before=float(base[1].mean()),
        after=float(nested[1].mean()),
    )


def _folds(groups: Sequence[str], names: Sequence[str], seed: int) -> Floats:
    order = np.random.default_rng(seed).permutation(len(names))
    fold = {names[place]: rank % FOLDS for rank, place in enumerate(order)}
    return np.array([fold[group] for group in groups], dtype=float)


def _fit(x: Floats, old: Floats, strength: float) -> Floats:
    """Weights around the old ones on their best scale; the Gaussian prior counts on that scale."""
    centre = old * _scale(x, old)
    return _solve(x, centre, np.full(len(old), strength / max(float((centre**2).mean()), 1e-6)))


def _scale(x: Floats, old: Floats) -> float:
    scale = _solve((x @ old)[:, None], np.zeros(1), np.full(1, 1e-3))
    return float(max(scale[0], 1e-3))


def _solve(x: Floats, mean: Floats, precision: Floats) -> Floats:
    both = np.zeros((len(x), 2, x.shape[1]))
    both[:, 0, :] = x
    target = np.zeros((len(x), 2))
    target[:, 0] = 1.0
    return np.asarray(fit_logit(both, target, mean, precision).weights)


def _left_out(x: Floats, old: Floats, folds: Floats, strength: float | None) -> tuple[Floats, Floats]:
    """Log likelihood and agreement (a tie is one half) of each comparison by a fit without its fold; with None for
    the strength by the old weights, scaled without its fold."""
    likely, agreed = np.zeros(len(x)), np.zeros(len(x))
    for fold in set(folds.tolist()):
        held = folds == fold
        rest = x[~held]
        w = old * _scale(rest, old) if strength is None else _fit(rest, old, strength)
        likely[held], agreed[held] = _judge(x[held], w)
    return likely, agreed


def _nested(x: Floats, old: Floats, folds: Floats) -> tuple[Floats, Floats]:
    """As `_left_out`, with the strength chosen without the fold too: what choosing it gains is not counted twice."""
    likely, agreed = np.zeros(len(x)), np.zeros(len(x))
    for fold in set(folds.tolist()):
        held = folds == fold
        inner = {s: _left_out(x[~held], old, folds[~held], s)[0].mean() for s in STRENGTHS}
        best = max(STRENGTHS, key=lambda s: float(inner[s]))
        likely[held], agreed[held] = _judge(x[held], _fit(x[~held], old, best))
    return likely, agreed


def _judge(x: Floats, w: Floats) -> tuple[Floats, Floats]:
    score = x @ w
    logits = np.stack([score, np.zeros(len(score))], axis=1)
    return log_softmax(logits)[:, 0], np.where(score > 0, 1.0, np.where(score < 0, 0.0, 0.5))


def _positive(fitted: Floats, old: Floats) -> tuple[float, ...]:
    least = SMALLEST * float(np.maximum(fitted, 0.0).mean() or 1.0)
    kept = np.maximum(fitted, least)
    scaled = kept * float(old.sum()) / float(kept.sum())
    return tuple(round(float(w), 3) for w in scaled)
