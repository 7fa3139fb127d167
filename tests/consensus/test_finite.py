"""Exact statements about a finite set of records: against counting, against simulation, and at the edges."""

from __future__ import annotations

import itertools
import math

import pytest

from benchmarks.release_promise import simulate
from solon.consensus.finite import (
    at_most,
    chances,
    least_asked,
    most_allowed,
    most_wrong,
    plan_sample,
)
from solon.errors import ConfigError


@pytest.mark.parametrize(("rest", "wrong", "asked"), [(10, 3, 4), (12, 0, 5), (9, 9, 3), (11, 5, 11)])
def test_the_tail_is_what_counting_gives(rest: int, wrong: int, asked: int) -> None:
    samples = [sum(one < wrong for one in drawn) for drawn in itertools.combinations(range(rest), asked)]
    for slips in range(asked + 1):
        counted = sum(found <= slips for found in samples) / len(samples)
        assert at_most(rest, wrong, asked, slips) == pytest.approx(counted, abs=1e-12)


def test_the_bound_covers_whatever_is_true() -> None:
    for wrong in range(31):
        missed = sum(
            at_most(30, wrong, 12, slips) - (at_most(30, wrong, 12, slips - 1) if slips else 0.0)
            for slips in range(13)
            if at_most(30, wrong, 12, slips) > 0 and most_wrong(30, 12, slips, 0.1) < wrong
        )
        assert missed <= 0.1 + 1e-9


def test_a_census_knows_it_all() -> None:
    assert most_wrong(40, 40, 3, 0.1) == 3
    assert most_wrong(40, 0, 0, 0.1) == 40


def test_few_answers_do_where_experts_decided_much() -> None:
    """22 of infinitely many show 90 %; the fewer records are left to test, the fewer answers it takes."""
    assert math.ceil(math.log(0.1) / math.log(0.9)) == 22
    assert [least_asked(rest, 50, 0, 0.1) for rest in (500, 300, 100)] == [21, 13, 4]
    assert least_asked(100, 3, 4, 0.1) is None


@pytest.mark.parametrize("records", [60, 480, 3214])
@pytest.mark.parametrize("promise", [0.9, 0.95])
def test_both_looks_together_keep_the_error(records: int, promise: float) -> None:
    for decided in (0, records // 4):
        plan = plan_sample(records, decided, promise=promise, confidence=0.9)
        assert chances(plan.rest, plan.allowed + 1, plan.looks)[-1] <= 0.1
        assert [look.asked for look in plan.looks] == sorted({look.asked for look in plan.looks})
        assert plan.smallest <= plan.looks[0].asked
        assert plan.chances(0.99)[-1] > 0.9
        again = plan_sample(records, decided, promise=promise, confidence=0.9, attempt=2)
        assert again.looks[0].asked >= plan.looks[0].asked
        assert again.looks[0].error == pytest.approx(plan.looks[0].error / 10)


def test_attempts_without_end_spend_no_more_than_there_is() -> None:
    spent = sum(
        look.error
        for attempt in range(1, 30)
        for look in plan_sample(10_000, 0, promise=0.95, confidence=0.9, attempt=attempt).looks
    )
    assert 0.0999 < spent <= 0.1 + 1e-12


def test_nothing_is_asked_where_experts_decided_enough() -> None:
    for decided in (100, 95):
        plan = plan_sample(100, decided, promise=0.95, confidence=0.9)
        assert (plan.looks, plan.smallest) == ((), 0)
    assert most_allowed(480, 0.95) == 24
    assert most_allowed(3214, 0.95) == 160


def test_too_few_records_are_all_asked() -> None:
    plan = plan_sample(20, 0, promise=0.95, confidence=0.9)
    assert plan.looks[-1].asked == 20
    assert plan.looks[-1].slips == plan.allowed == 1


@pytest.mark.parametrize(
    ("promise", "confidence", "slips", "said"),
    [
        (1.0, 0.9, 2, "--promise"),
        (0.95, 0.0, 2, "--confidence"),
        (0.95, 1.5, 2, "1.5"),
        (0.9, 0.9, -1, "slips"),
    ],
)
def test_bad_input_is_named(promise: float, confidence: float, slips: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plan_sample(100, 0, promise=promise, confidence=confidence, slips=slips)


@pytest.mark.parametrize(("records", "promise"), [(60, 0.9), (480, 0.95)])
def test_simulated_sets_just_under_the_promise_are_seldom_promised(records: int, promise: float) -> None:
    """The set has one wrong record more than is allowed; what the sample finds is left out of it."""
    found = simulate(records, records // 8, promise, sets=400, seed=3, beyond=(1, 4))
    noise = 3 * math.sqrt(0.1 * 0.9 / 400)
    assert 0 < found.false_of_frozen <= 0.1 + noise
    assert found.false_of_released <= 0.1 + noise
    assert found.granted_at_99 > 0.9
    assert found.asked_at_99 <= found.infinite
