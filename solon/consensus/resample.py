"""Bootstrap intervals over items, paired where two figures share items. Imports numpy only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solon.consensus.ballots import Floats, Ints

DRAWS = 1000


def draw_items(n: int, draws: int = DRAWS, seed: int = 0) -> Ints:
    """Return ``draws`` rows of ``n`` item indices drawn with replacement, (draws, n)."""
    return np.random.default_rng(seed).integers(0, max(n, 1), size=(draws, n))


def mean_interval(values: Floats, draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """Return the 95% percentile interval of the mean; (0, 1) where there are no values."""
    if not len(values):
        return 0.0, 1.0
    return interval(values[draw_items(len(values), draws, seed)].mean(axis=1))


def ratio_interval(total: Floats, weight: Floats, draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """Return the 95% interval of ``sum(total) / sum(weight)``, resampling items that count unequally often."""
    if not len(total):
        return 0.0, 1.0
    rows = draw_items(len(total), draws, seed)
    return interval(total[rows].sum(axis=1) / np.maximum(weight[rows].sum(axis=1), 1e-12))


def interval(figures: Floats) -> tuple[float, float]:
    """Return the central 95% of bootstrap figures."""
    low, high = np.percentile(figures, [2.5, 97.5])
    return float(low), float(high)


def bootstrap(
    n: int, figure: Callable[[Ints], float], draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Return the 95% percentile interval of any figure of drawn rows; (0, 1) where there are no items."""
    if n == 0:
        return 0.0, 1.0
    return interval(np.array([figure(rows) for rows in draw_items(n, draws, seed)]))
