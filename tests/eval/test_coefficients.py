"""Coefficients of agreement against an independent implementation, hand-worked tables and known extremes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.eval.coefficients import (
    Rated,
    alpha_figure,
    cohen_figure,
    fleiss_figure,
    measure_alpha,
    measure_cohen,
    measure_fleiss,
)


@pytest.mark.parametrize("seed", range(8))
def test_alpha_is_the_oracles(seed: int) -> None:
    krippendorff = pytest.importorskip("krippendorff", reason="the oracle is not installed")
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, size=(30, 3))
    counts[0] = [1, 0, 0]  # one answer only: it says nothing
    expected = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    assert measure_alpha(counts) == pytest.approx(expected, abs=1e-12)


def test_cohen_on_the_table_of_a_textbook() -> None:
    # 50 applications, two readers: both yes 20, both no 15, only A yes 5, only B yes 10.
    assert measure_cohen(np.array([[20.0, 5.0], [10.0, 15.0]])) == pytest.approx(0.4)


def test_fleiss_on_the_table_of_the_original() -> None:
    # Fleiss 1971's worked example as printed in textbooks: 10 subjects, 14 raters, 5 categories.
    counts = np.array(
        [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
         [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]]
    )  # fmt: skip
    assert measure_fleiss(counts) == pytest.approx(0.2099, abs=1e-4)


def test_extremes_and_what_cannot_be_told() -> None:
    perfect, opposite, constant = (Rated() for _ in range(3))
    for _ in range(10):
        for a, b in ("AA", "BB"):
            perfect.add({"x": a, "y": b})
            opposite.add({"x": a, "y": "AB"[a == "A"]})
            constant.add({"x": "A", "y": "A"})
    assert alpha_figure(perfect.counts()).value == pytest.approx(1.0)
    [(_, _, *same)], [(_, _, *turned)] = perfect.pairs(), opposite.pairs()
    assert cohen_figure(*same).value == pytest.approx(1.0)
    assert (cohen_figure(*turned).value or 0) == pytest.approx(-1.0)
    for figure in (alpha_figure(constant.counts()), fleiss_figure(constant.counts())):
        assert figure.value is None
        assert "every answer is the same" in figure.why
    assert alpha_figure(np.array([[1, 0], [0, 1]])).value is None
    assert alpha_figure(Rated().counts()).n == 0


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Two raters who agree by chance on a third: the interval of kappa holds its true value in most samples."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(40):
        truth = rng.integers(0, 2, size=80)
        copies = rng.random(80) < 0.5
        other = np.where(copies, truth, rng.integers(0, 2, size=80))
        figure = cohen_figure(truth, other)
        held += figure.low <= 0.5 <= figure.high
    assert held >= 33


def test_answers_are_held_as_numbers_and_told_by_pairs_of_raters() -> None:
    rated = Rated()
    for said in ({"x": "A", "y": "B", "z": "A"}, {"x": "A"}, {"z": "B", "y": "B"}):
        rated.add(said)
    assert rated.counts().tolist() == [[2, 1], [0, 2]]
    assert list(rated.each()) == [[0, 1, 0], [1, 1]]
    told = {(a, b): (first.tolist(), second.tolist()) for a, b, first, second in rated.pairs()}
    assert told == {("x", "y"): ([0], [1]), ("x", "z"): ([0], [0]), ("y", "z"): ([1, 1], [0, 1])}


def test_raters_who_never_met_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    rated, compare, compared = Rated(), np.intersect1d, []
    for couple in ("ab", "dc", "ef", "ab"):
        rated.add(dict.fromkeys(couple, "A"))
    monkeypatch.setattr(np, "intersect1d", lambda *a, **more: compared.append(1) or compare(*a, **more))
    found = [(a, b, len(first)) for a, b, first, _ in rated.pairs()]
    assert found == [("a", "b", 2), ("c", "d", 1), ("e", "f", 1)]
    assert len(compared) == len(found)


@given(st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=1, max_size=12))
def test_items_that_are_alike_weigh_as_one_with_their_number(rows: list[list[int]]) -> None:
    counts = np.array(rows)
    kinds, times = np.unique(counts, axis=0, return_counts=True)
    for measure in (measure_alpha, measure_fleiss):
        assert measure(kinds, times) == pytest.approx(measure(counts), abs=1e-12)
