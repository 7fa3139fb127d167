"""Coefficients of agreement beyond chance for nominal answers, with bootstrap intervals over items. numpy only."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from solon.consensus.ballots import Floats, Ints
from solon.consensus.resample import drawn_rows, interval
from solon.eval.result import Figure, nothing

DRAWS = 500


class Rated:
    """What raters answered about the same things, in numbers: twelve bytes an answer, eight a thing.

    Things are told in the order of their time, in whatever order they were noted: bootstraps draw them by position.

    Attributes:
        raters: name -> number.
        answers: what was answered -> number.
        things: on which there are two answers or more: others say nothing of agreement, and are not kept.
    """

    def __init__(self) -> None:
        self.raters: dict[str, int] = {}
        self.answers: dict[str, int] = {}
        self.things = 0
        self._thing, self._rater, self._answer = array("I"), array("I"), array("I")
        self._at = array("d")

    def add(self, said: Mapping[str, str], at: float = 0.0) -> None:
        """Note what each rater answered about one thing; `at`: when they began, in epoch seconds."""
        if len(said) < 2:
            return
        for rater, answer in said.items():
            self._thing.append(self.things)
            self._rater.append(self.raters.setdefault(rater, len(self.raters)))
            self._answer.append(self.answers.setdefault(answer, len(self.answers)))
        self.things += 1
        self._at.append(at)

    def _places(self) -> npt.NDArray[np.uint32]:
        """Of each answer, the place of its thing in the order of time."""
        place = order_of(order_of(self._at)).astype(np.uint32)
        return np.take(place, np.array(self._thing))

    def counts(self) -> Ints:
        """How often each answer was given, (things, answers), the answers in alphabetical order."""
        counts = np.zeros((self.things, max(len(self.answers), 1)), dtype=np.int64)
        column = np.argsort(np.argsort(list(self.answers)))
        np.add.at(counts, (self._places(), column[np.array(self._answer)]), 1)
        return counts

    def pairs(self) -> Iterator[tuple[str, str, Ints, Ints]]:
        """Of each two raters who met on a thing, in alphabetical order, the numbers that both answered about the same
        things."""
        thing, rater, answer = self._places(), np.array(self._rater), np.array(self._answer)
        own = {name: np.flatnonzero(rater == number) for name, number in self.raters.items()}
        names = list(self.raters)
        for a in sorted(own):
            mine = np.zeros(self.things, dtype=bool)
            mine[thing[own[a]]] = True
            for b in sorted(names[met] for met in np.unique(rater[mine[thing]])):
                if b > a:
                    both = np.intersect1d(
                        thing[own[a]], thing[own[b]], assume_unique=True, return_indices=True
                    )
                    first, second = own[a][both[1]], own[b][both[2]]
                    yield a, b, answer[first].astype(np.int64), answer[second].astype(np.int64)

    def each(self) -> Iterator[list[int]]:
        """Yield the numbers that were answered about each thing."""
        thing = self._places()
        order = order_of(thing)
        pairs = zip(thing[order].tolist(), np.array(self._answer)[order].tolist(), strict=True)
        for _, given in groupby(pairs, key=itemgetter(0)):
            yield [answer for _, answer in given]


def order_of(at: npt.ArrayLike) -> Ints:
    """Return the places of times, the earliest first, equal ones as they stand."""
    return np.argsort(at, kind="stable")


def measure_alpha(counts: Ints, times: Ints | None = None) -> float | None:
    """Return Krippendorff's alpha for nominal answers (Krippendorff 2011, "Computing Krippendorff's
    Alpha-Reliability").

    Items with fewer than two answers say nothing. None without any pair, or where everyone always answered
    the same, since then nothing tells agreement from a constant.

    Args:
        counts: how often each category was answered, (items, categories).
        times: how many items are like each of these; default: one.
    """
    counts, times = _paired(counts, times)
    if not times.any():
        return None
    raters, totals = counts.sum(axis=1), times @ counts
    n = float(totals.sum())
    observed = 1.0 - float(times @ ((counts * (counts - 1.0)).sum(axis=1) / (raters - 1.0))) / n
    expected = 1.0 - float((totals * (totals - 1.0)).sum() / (n * (n - 1.0)))
    return None if expected <= 0.0 else 1.0 - observed / expected


def measure_fleiss(counts: Ints, times: Ints | None = None) -> float | None:
    """Return Fleiss' kappa (Fleiss 1971). Items with fewer than two answers say nothing; None where it is not
    defined.

    Where items have unequal numbers of answers, each item's share of agreeing pairs counts alike.
    """
    counts, times = _paired(counts, times)
    if not times.any():
        return None
    raters, totals = counts.sum(axis=1), times @ counts
    agreeing = (counts * (counts - 1.0)).sum(axis=1) / (raters * (raters - 1.0))
    observed = float(times @ agreeing) / float(times.sum())
    expected = float(((totals / totals.sum()) ** 2).sum())
    return None if expected >= 1.0 else (observed - expected) / (1.0 - expected)


def _paired(counts: Ints, times: Ints | None) -> tuple[Ints, Ints]:
    """Items with two answers or more."""
    told = counts.sum(axis=1) >= 2
    return counts[told], np.ones(int(told.sum()), dtype=np.int64) if times is None else times[told]


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


def alpha_figure(counts: Ints, seed: int = 0, why: str = UNPAIRED) -> Figure:
    """Return Krippendorff's alpha of counts (items, categories) with its bootstrap interval over items; `why`: said
    where no item has two answers."""
    return _resampled(counts, measure_alpha, seed, why)


def fleiss_figure(counts: Ints, seed: int = 0, why: str = UNPAIRED) -> Figure:
    """Return Fleiss' kappa, as `alpha_figure`."""
    return _resampled(counts, measure_fleiss, seed, why)


def cohen_figure(first: Ints, second: Ints, seed: int = 0) -> Figure:
    """Return Cohen's kappa of two raters' answers to the same items, as numbers from 0, with its bootstrap interval
    over items."""
    k = int(max(first.max(), second.max())) + 1 if len(first) else 1

    def kappa(rows: Ints) -> float | None:
        table = np.bincount(first[rows] * k + second[rows], minlength=k * k).reshape(k, k)
        return measure_cohen(table.astype(np.float64))

    return _bootstrapped(len(first), kappa, seed, "no item was answered by both")


def _resampled(counts: Ints, measure: Callable[[Ints, Ints], float | None], seed: int, why: str) -> Figure:
    """Items with the same counts are drawn as one kind: there are few of these, however many the items are."""
    paired, _ = _paired(counts, None)
    if not len(paired):
        return nothing(why, low=-1.0)
    kinds, place = np.unique(paired, axis=0, return_inverse=True)
    place = place.reshape(-1)

    def drawn(rows: Ints) -> float | None:
        return measure(kinds, np.bincount(place[rows], minlength=len(kinds)))

    return _bootstrapped(len(paired), drawn, seed, why)


def _bootstrapped(n: int, measure: Callable[[Ints], float | None], seed: int, why: str) -> Figure:
    if n == 0:
        return nothing(why, low=-1.0)
    value = measure(np.arange(n))
    if value is None:
        return nothing("every answer is the same: chance cannot be told from agreement", n, low=-1.0)
    drawn = [resampled for rows in drawn_rows(n, DRAWS, seed) if (resampled := measure(rows)) is not None]
    if n < 2 or len(drawn) < DRAWS // 2:
        return Figure(value=value, low=-1.0, high=1.0, n=n, why="too few items for an interval")
    low, high = interval(np.array(drawn))
    return Figure(value=value, low=low, high=high, n=n)
