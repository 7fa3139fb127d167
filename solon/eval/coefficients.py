"""Coefficients of agreement beyond chance for nominal answers, with bootstrap intervals over items. numpy only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from solon.consensus.ballots import Floats, Ints
from solon.consensus.resample import draw_items, interval
from solon.eval.result import Figure, nothing

DRAWS = 500


def count_answers(units: Sequence[Sequence[str]]) -> Floats:
    """Return how often each category was answered, (items, categories); the order of categories is
    alphabetical.
    """
    names = sorted({answer for unit in units for answer in unit})
    index = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(units), max(len(names), 1)))
    for row, unit in enumerate(units):
        for answer in unit:
            counts[row, index[answer]] += 1
    return counts


def measure_alpha(counts: Floats) -> float | None:
    """Return Krippendorff's alpha for nominal answers (Krippendorff 2011, "Computing Krippendorff's
    Alpha-Reliability").

    Items with fewer than two answers say nothing. None without any pair, or where everyone always answered
    the same, since then nothing tells agreement from a constant.

    Args:
        counts: (items, categories) as `count_answers` gives them.
    """
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        return None
    raters = counts.sum(axis=1, keepdims=True)
    totals = counts.sum(axis=0)
    n = totals.sum()
    observed = 1.0 - float((counts * (counts - 1.0) / (raters - 1.0)).sum() / n)
    expected = 1.0 - float((totals * (totals - 1.0)).sum() / (n * (n - 1.0)))
    return None if expected <= 0.0 else 1.0 - observed / expected


def measure_fleiss(counts: Floats) -> float | None:
    """Return Fleiss' kappa (Fleiss 1971). Items with fewer than two answers say nothing; None where it is not
    defined.

    Where items have unequal numbers of answers, each item's share of agreeing pairs counts alike.
    """
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        return None
    raters = counts.sum(axis=1, keepdims=True)
    observed = float(
        ((counts * (counts - 1.0)).sum(axis=1, keepdims=True) / (raters * (raters - 1.0))).mean()
    )
    expected = float(((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    return None if expected >= 1.0 else (observed - expected) / (1.0 - expected)


def measure_cohen(table: Floats) -> float | None:
    """Return Cohen's kappa (Cohen 1960) from a (categories, categories) table of two raters' answers; None
    where undefined.
    """
    n = table.sum()
    if n <= 0:
        return None
    observed = float(np.trace(table)) / n
    expected = float((table.sum(axis=0) * table.sum(axis=1)).sum()) / n**2
    return None if expected >= 1.0 else float((observed - expected) / (1.0 - expected))


UNPAIRED = "no item has two independent answers"


def alpha_figure(units: Sequence[Sequence[str]], seed: int = 0, why: str = UNPAIRED) -> Figure:
    """Return Krippendorff's alpha with its bootstrap interval over items; `why`: said where no item has two answers."""
    return _resampled(count_answers(units), measure_alpha, seed, why)


def fleiss_figure(units: Sequence[Sequence[str]], seed: int = 0, why: str = UNPAIRED) -> Figure:
    """Return Fleiss' kappa with its bootstrap interval over items; `why`: said where no item has two answers."""
    return _resampled(count_answers(units), measure_fleiss, seed, why)


def cohen_figure(pairs: Sequence[tuple[str, str]], seed: int = 0) -> Figure:
    """Return Cohen's kappa of two raters' (first, second) answers with its bootstrap interval over items."""
    names = sorted({answer for pair in pairs for answer in pair})
    index = {name: i for i, name in enumerate(names)}
    first = np.array([index[a] for a, _ in pairs], dtype=np.int64)
    second = np.array([index[b] for _, b in pairs], dtype=np.int64)
    k = max(len(names), 1)

    def kappa(rows: Ints) -> float | None:
        table = np.bincount(first[rows] * k + second[rows], minlength=k * k).reshape(k, k)
        return measure_cohen(table.astype(np.float64))

    return _bootstrapped(len(pairs), kappa, seed, "no item was answered by both")


def _resampled(counts: Floats, measure: Callable[[Floats], float | None], seed: int, why: str) -> Figure:
    paired = counts[counts.sum(axis=1) >= 2]
    return _bootstrapped(len(paired), lambda rows: measure(paired[rows]), seed, why)


def _bootstrapped(n: int, measure: Callable[[Ints], float | None], seed: int, why: str) -> Figure:
    if n == 0:
        return nothing(why, low=-1.0)
    value = measure(np.arange(n))
    if value is None:
        return nothing("every answer is the same: chance cannot be told from agreement", n, low=-1.0)
    drawn = [resampled for rows in draw_items(n, DRAWS, seed) if (resampled := measure(rows)) is not None]
    if n < 2 or len(drawn) < DRAWS // 2:
        return Figure(value=value, low=-1.0, high=1.0, n=n, why="too few items for an interval")
    low, high = interval(np.array(drawn))
    return Figure(value=value, low=low, high=high, n=n)
