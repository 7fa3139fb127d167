"""Bootstrap intervals over items, paired where two figures share items. Imports numpy only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from solon.consensus.ballots import Floats, Ints

DRAWS = 1000
HELD = 250_000
"""Indices that are held at a time, so that memory does not grow with the items."""


def draw_items(n: int, draws: int = DRAWS, seed: int = 0) -> Ints:
    """Return ``draws`` rows of ``n`` item indices drawn with replacement, (draws, n)."""
    return np.random.default_rng(seed).integers(0, max(n, 1), size=(draws, n))


def _draw_parts(n: int, draws: int, seed: int) -> Iterator[Ints]:
    """The rows of `draw_items`, the same ones, some at a time."""
    draw = np.random.default_rng(seed)
    step = max(1, HELD // max(n, 1))
    for start in range(0, draws, step):
        yield draw.integers(0, max(n, 1), size=(min(step, draws - start), n))


def drawn_rows(n: int, draws: int = DRAWS, seed: int = 0) -> Iterator[Ints]:
    """Yield each row of `draw_items`."""
    for part in _draw_parts(n, draws, seed):
        yield from part


def mean_interval(values: Floats, draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """Return the 95% percentile interval of the mean; (0, 1) where there are no values."""
    if not len(values):
        return 0.0, 1.0
    parts = (values[rows].mean(axis=1) for rows in _draw_parts(len(values), draws, seed))
    return interval(np.concatenate(list(parts)))


def ratio_interval(total: Floats, weight: Floats, draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """Return the 95% interval of ``sum(total) / sum(weight)``, resampling items that count unequally often."""
    if not len(total):
        return 0.0, 1.0
    parts = (
        total[rows].sum(axis=1) / np.maximum(weight[rows].sum(axis=1), 1e-12)
        for rows in _draw_parts(len(total), draws, seed)
    )
    return interval(np.concatenate(list(parts)))


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
    return interval(np.array([figure(rows) for rows in drawn_rows(n, draws, seed)]))
