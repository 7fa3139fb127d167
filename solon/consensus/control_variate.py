"""Audits made sharper by what the panel said of every accepted record: its confidence as a control variate.

Imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from solon.consensus.binomial import beta_quantile, clopper_pearson

LEAST = 50
"""Under so many audits the slope is noise, and the plain interval stands."""
BOTH = 5
"""So many must agree, and so many disagree: of fewer nothing is known of what goes with disagreement."""


@dataclass(frozen=True, slots=True)
class SharpRate:
    """A rate among records of which few were checked, and something was predicted of all.

    Attributes:
        value: the rate; None without a check.
        low: lower end of its 95% interval.
        high: upper end of it.
        n: records that were checked.
        saved: share of the checks that the prediction saves: a plain sample as sure would have n / (1 - saved).
    """

    value: float | None
    low: float
    high: float
    n: int
    saved: float


def sharpen_rate(
    agreed: Sequence[bool], predicted: Sequence[float], everywhere: Sequence[float]
) -> SharpRate:
    """Return how often checked records agree, with the prediction as control variate; the plain rate where that gains
    nothing, or too little is known of it.

    The estimate is mean(Y) + lambda (mean of X, all - mean of X, checked); lambda = Cov(Y, X) / ((1 + n / N)
    Var(X)) is the one of least variance (Angelopoulos, Duchi and Zrnic 2023, "PPI++: Efficient Prediction-Powered
    Inference", arXiv:2311.01453). It is right whatever X is worth. Agreement lies near 1, where its normal interval
    covers too little; so the exact interval is taken at the size that a plain sample of the same variance would have.
    That is never under n: the interval is never wider than the plain one but for the shift of the estimate.

    Args:
        agreed: for each checked record, whether the expert agreed with it.
        predicted: what was predicted of the same records.
        everywhere: of all records that the checked ones were drawn from at random.
    """
    n, hits = len(agreed), sum(agreed)
    plain = SharpRate(hits / n if n else None, *clopper_pearson(hits, n), n, 0.0)
    if n < LEAST or min(hits, n - hits) < BOTH or len(everywhere) < n:
        return plain
    outcomes = [float(one) for one in agreed]
    mean_y, mean_x, var_y, var_x = fmean(outcomes), fmean(predicted), variance(outcomes), variance(predicted)
    if var_x <= 0.0:
        return plain
    both = sum((y - mean_y) * (x - mean_x) for y, x in zip(outcomes, predicted, strict=True)) / (n - 1)
    slope = both / ((1.0 + n / len(everywhere)) * var_x)
    left = (var_y - 2.0 * slope * both + slope**2 * var_x) * (n - 1) / (n - 2)
    saved = 1.0 - (left + slope**2 * var_x * n / len(everywhere)) / var_y
    if saved <= 0.0:
        return plain
    value = min(1.0, max(0.0, mean_y + slope * (fmean(everywhere) - mean_x)))
    size = n / (1.0 - saved)
    low = beta_quantile(0.025, value * size, (1.0 - value) * size + 1.0) if value > 0.0 else 0.0
    high = beta_quantile(0.975, value * size + 1.0, (1.0 - value) * size) if value < 1.0 else 1.0
    return SharpRate(value, low, high, n, saved)
