"""Coefficients of agreement against an independent implementation, hand-worked tables and known extremes."""

from __future__ import annotations

import numpy as np
import pytest

from solon.eval.coefficients import (
    alpha_figure,
    cohen_figure,
    count_answers,
    fleiss_figure,
    measure_alpha,
    measure_cohen,
    measure_fleiss,
)


@pytest.mark.parametrize("seed", range(8))
def test_alpha_is_the_oracles(seed: int) -> None:
    krippendorff = pytest.importorskip("krippendorff", reason="the oracle is not installed")
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, size=(30, 3)).astype(float)
    counts[0] = [1, 0, 0]  # one answer only: it says nothing
    expected = krippendorff.alpha(value_counts=counts.astype(int), level_of_measurement="nominal")
    assert measure_alpha(counts) == pytest.approx(expected, abs=1e-12)


def test_cohen_on_the_table_of_a_textbook() -> None:
    # 50 applications, two readers: both yes 20, both no 15, only A yes 5, only B yes 10.
    assert measure_cohen(np.array([[20.0, 5.0], [10.0, 15.0]])) == pytest.approx(0.4)


def test_fleiss_on_the_table_of_the_original() -> None:
    # Fleiss 1971's worked example as printed in textbooks: 10 subjects, 14 raters, 5 categories.
    counts = np.array(
        [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
         [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]], dtype=float
    )  # fmt: skip
    assert measure_fleiss(counts) == pytest.approx(0.2099, abs=1e-4)


def test_extremes_and_what_cannot_be_told() -> None:
    perfect = [["A", "A"], ["B", "B"]] * 10
    assert alpha_figure(perfect).value == pytest.approx(1.0)
    assert cohen_figure([(a, b) for a, b in perfect]).value == pytest.approx(1.0)
    opposite = [["A", "B"], ["B", "A"]] * 10
    assert (cohen_figure([(a, b) for a, b in opposite]).value or 0) == pytest.approx(-1.0)
    constant = [["A", "A"]] * 10
    for figure in (alpha_figure(constant), fleiss_figure(constant)):
        assert figure.value is None
        assert "every answer is the same" in figure.why
    assert alpha_figure([["A"], ["B"]]).value is None
    assert alpha_figure([]).n == 0


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Two raters who agree by chance on a third: the interval of kappa holds its true value in most samples."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(40):
        truth = rng.integers(0, 2, size=80)
        copies = rng.random(80) < 0.5
        other = np.where(copies, truth, rng.integers(0, 2, size=80))
        figure = cohen_figure([("AB"[a], "AB"[b]) for a, b in zip(truth, other, strict=True)])
        held += figure.low <= 0.5 <= figure.high
    assert held >= 33


def test_unequal_numbers_of_answers_are_counted() -> None:
    counts = count_answers([["A", "B", "A"], ["A"], ["B", "B"]])
    assert counts.tolist() == [[2, 1], [1, 0], [0, 2]]
