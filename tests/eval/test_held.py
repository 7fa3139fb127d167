"""What suites hold does not grow with what they read: figures of peaks and parts, none of time."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from solon.consensus import resample
from solon.consensus.panel import Vote
from solon.eval.suites.diversity import measure_distinct, measure_variety
from solon.eval.suites.duplicates import find_twins
from solon.eval.suites.judges import _read_seats
from solon.questions import PAIR
from solon.store.records.evaluation import PaidVote
from solon.words import find_words


def peak(work: Callable[[], object]) -> int:
    """Bytes that were held at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_bootstraps_are_drawn_in_parts_and_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).random(301)
    whole = resample.interval(values[resample.draw_items(301, 50, 7)].mean(axis=1))
    monkeypatch.setattr(resample, "HELD", 1000)
    assert resample.mean_interval(values, 50, 7) == whole
    assert resample.bootstrap(301, lambda rows: float(values[rows].mean()), 50, 7) == whole
    few, many = (peak(lambda n=n: resample.mean_interval(np.zeros(n), 50)) for n in (1000, 4000))
    assert many < 5 * few, "as one row of draws grows, not as all of them"


def test_word_pairs_are_counted_as_they_were() -> None:
    texts = ["a b a b", "a b", "", "b a c", "c"]
    found = measure_variety(texts)
    words = [find_words(text) for text in texts]
    assert found.distinct_1.value == measure_distinct(words, 1) == 3 / 10
    assert found.distinct_2.value == measure_distinct(words, 2) == 3 / 6


def test_texts_without_a_twin_take_arrays_only() -> None:
    draw = np.random.default_rng(0)
    texts = [(str(i), " ".join(map(str, draw.integers(0, 10**6, 30)))) for i in range(400)]
    find_twins(texts[:5])  # what is built once
    assert peak(lambda: find_twins(texts)) < 400 * 3000
    assert [(t.name, t.other) for t in find_twins([*texts, ("again", texts[7][1])])] == [("7", "again")]


def test_votes_on_what_nobody_decided_are_counted_and_not_kept() -> None:
    def vote(item: str, order: str) -> PaidVote:
        cast = Vote("j", seat="s", outcome=PAIR.outcomes[0], p=0.5, order=order)
        return PaidVote((item, 1, ("x", "y")), cast, "c", None, 7, recorded=False)

    votes = [vote(item, order) for item in ("one", "two", "three") for order in ("AB", "BA")]
    [seat] = _read_seats(votes, {("two", 1, ("x", "y"))}).values()
    assert (seat.verdicts, seat.sided, seat.first, len(seat.decided)) == (6, 6, 3, 2)
    assert set(seat.sides) == {(item, 1, ("x", "y")) for item in ("one", "two", "three")}
