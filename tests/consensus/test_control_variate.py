"""Audits with a control variate: never worse than plain ones by more than noise, and their intervals cover."""

from __future__ import annotations

import random

import pytest

from solon.consensus.binomial import clopper_pearson
from solon.consensus.control_variate import SharpRate, sharpen_rate


def draw(rng: random.Random, n: int, spread: float) -> tuple[SharpRate, tuple[float, float], float]:
    """A set of 1,000 records whose confidence lies so far around .85 and is honest, and its audits: what is said of it
    sharpened and plain, and the truth."""
    sure = [min(0.999, max(0.3, 0.85 + spread * (2 * rng.random() - 1))) for _ in range(1000)]
    agrees = [rng.random() < one for one in sure]
    chosen = rng.sample(range(1000), n)
    agreed = [agrees[i] for i in chosen]
    found = sharpen_rate(agreed, [sure[i] for i in chosen], sure)
    return found, clopper_pearson(sum(agreed), n), sum(agrees) / 1000


@pytest.mark.parametrize(("n", "spread"), [(60, 0.15), (120, 0.15), (240, 0.02), (120, 0.5)])
def test_the_intervals_cover_and_are_never_wider_by_more_than_noise(n: int, spread: float) -> None:
    rng, covered, saved, wider = random.Random(n), 0, 0.0, 0
    for _ in range(150):
        found, (low, high), truth = draw(rng, n, spread)
        covered += found.low <= truth <= found.high
        saved += found.saved / 150
        wider += found.high - found.low > 1.1 * (high - low)
    assert covered >= 134, "150 at 95%: 134 is three standard errors below"
    assert wider <= 3
    if spread == 0.5:
        assert saved > 0.15
    if spread == 0.02:
        assert saved < 0.03


def test_where_too_little_is_known_the_plain_rate_stands() -> None:
    plain = sharpen_rate([True] * 48 + [False] * 12, [0.9] * 60, [0.9] * 500)
    assert (plain.value, plain.saved) == (0.8, 0.0), "a confidence that says nothing"
    few = sharpen_rate([True] * 30 + [False] * 10, [0.9] * 30 + [0.5] * 10, [0.8] * 500)
    assert (few.low, few.high) == clopper_pearson(30, 40)
    sure = sharpen_rate([True] * 58 + [False] * 2, [0.9] * 58 + [0.5] * 2, [0.8] * 500)
    assert (sure.saved, sure.value) == (0.0, pytest.approx(58 / 60))
    assert sharpen_rate([], [], []) == SharpRate(None, 0.0, 1.0, 0, 0.0)


def test_audits_of_surer_records_than_the_others_are_put_right() -> None:
    agreed, predicted = [True] * 50 + [False] * 10, [0.95] * 50 + [0.55] * 10
    found = sharpen_rate(agreed, predicted, [0.95] * 350 + [0.55] * 150)
    assert found.value is not None
    assert found.value < 50 / 60
    assert found.saved > 0.5
