"""Exact tests of people against a wanted level, and signs that somebody does not read: errors and power."""

from __future__ import annotations

import random
from math import comb

import pytest

from solon.consensus.alarms import count_followed, count_hurried, count_same_key, count_same_place, signs
from solon.consensus.balance import draw_balanced
from solon.consensus.levels import LEVEL, POWER, check_levels, holm
from solon.errors import ConfigError


def one(right: int, n: int, wanted: float = 0.8) -> tuple[str, int | None]:
    found = check_levels({"ada": (right, n)}, wanted)["ada"]
    return found.verdict, found.more


def test_verdicts_follow_the_exact_tails() -> None:
    assert one(20, 20)[0] == "meets"  # 2 * .8 ** 20 = .023
    assert one(16, 16)[0] == "unknown"  # 2 * .8 ** 16 = .056
    assert one(2, 6)[0] == "misses"
    assert one(0, 0) == ("unknown", one(0, 0)[1])
    found = check_levels({"ada": (20, 20)}, 0.8)["ada"]
    assert found.p == pytest.approx(2 * 0.8**20)
    assert found.interval[0] > 0.8
    assert found.more is None


def test_power_is_what_the_binomial_says_and_more_reaches_it() -> None:
    found = check_levels({"ada": (80, 100)}, 0.8)["ada"]
    least = next(
        k for k in range(101) if sum(comb(100, i) * 0.8**i * 0.2 ** (100 - i) for i in range(k, 101)) <= 0.025
    )
    assert found.power[0] == pytest.approx(
        sum(comb(100, i) * 0.9**i * 0.1 ** (100 - i) for i in range(least, 101))
    )
    assert found.more is not None
    n = 100 + found.more
    assert min(check_levels({"ada": (round(0.8 * n), n)}, 0.8)["ada"].power) >= POWER
    assert min(check_levels({"ada": (round(0.8 * n) - 1, n - 1)}, 0.8)["ada"].power) < POWER
    assert one(round(0.8 * n), n) == ("unknown", None), "near the wanted level: more would not help"


def test_several_people_are_several_tests() -> None:
    alone = check_levels({"ada": (20, 20)}, 0.8)["ada"]
    among = check_levels({"ada": (20, 20), "bo": (40, 50), "cy": (41, 50), "new": (0, 0)}, 0.8)
    assert (alone.verdict, among["ada"].verdict) == ("meets", "unknown")
    assert among["ada"].p == pytest.approx(3 * alone.p), "who answered nothing is no test"
    assert among["ada"].power[0] < alone.power[0]
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_of_people_at_the_wanted_level_one_team_in_twenty_is_told_anything() -> None:
    drawn = random.Random(5)
    told = 0
    for _ in range(400):
        team = {str(who): (sum(drawn.random() < 0.8 for _ in range(40)), 40) for who in range(6)}
        told += any(found.verdict != "unknown" for found in check_levels(team, 0.8).values())
    assert told / 400 <= LEVEL + 0.02


@pytest.mark.parametrize("wanted", [0.0, 0.4, 1.0])
def test_a_level_that_is_none_is_refused(wanted: float) -> None:
    with pytest.raises(ConfigError, match="no level"):
        check_levels({}, wanted)


def test_who_answers_before_reading_shows() -> None:
    assert count_hurried([0.1] * 9 + [2.0]) == (9, 10, pytest.approx(11 / 1024))
    assert signs({"ada": count_hurried([0.1] * 9 + [2.0])})["ada"].alarm
    assert not signs({"ada": count_hurried([0.5] * 40)})["ada"].alarm, (
        "half of the reading time is fast, and possible"
    )
    assert not signs({"ada": count_hurried([0.1] * 4)})["ada"].alarm, "four answers show nothing"
    assert not signs({"ada": count_hurried([])})["ada"].alarm


def test_who_takes_one_place_shows_and_who_reads_does_not() -> None:
    drawn = random.Random(1)
    assert signs({"ada": count_same_place([0] * 12)})["ada"].alarm
    wrong = sum(
        any(one.alarm for one in signs({
            str(who): count_same_place([drawn.randrange(2) for _ in range(30)]) for who in range(5)
        }).values())
        for _ in range(300)
    )  # fmt: skip
    assert wrong / 300 <= LEVEL + 0.02


def test_one_key_is_measured_against_others_on_the_same_questions() -> None:
    """Most texts are fine: who accepts all of them, as everybody does, is no alarm."""
    assert not signs({"ada": count_same_key([("accept", "accept")] * 40, 2)})["ada"].alarm
    blind = [("accept", "accept")] * 20 + [("accept", "reject")] * 12
    assert count_same_key(blind, 2)[:2] == (12, 12)
    assert signs({"ada": count_same_key(blind, 2)})["ada"].alarm
    assert not signs({"ada": count_same_key([("accept", "reject"), ("reject", "accept")] * 10, 2)})[
        "ada"
    ].alarm
    beside = [("reject", "accept")] * 15 + [("accept", "accept")] * 15
    assert not signs({"ada": count_same_key(beside, 2)})["ada"].alarm, "the other one does not read"
    assert count_same_key([], 2) == (0, 0, 1.0)


def test_who_only_follows_shows_against_what_is_said_unseen() -> None:
    unseen = [True] * 21 + [False] * 9
    assert signs({"ada": count_followed([True] * 30, unseen)})["ada"].alarm
    assert not signs({"ada": count_followed([True] * 22 + [False] * 8, unseen)})["ada"].alarm
    assert count_followed([True] * 30, []) == (0, 0, 1.0), "without a control nothing can be told"
    followed, n, p = count_followed([True, True, False], [True, False, False, False])
    assert (followed, n) == (2, 3)
    assert p == pytest.approx((3 * 4 + 1) / 35)


def test_a_balanced_draw_gives_each_group_its_share() -> None:
    groups = ["a"] * 50 + ["b"] * 4 + ["c"] * 50
    drawn = draw_balanced(groups, 20, seed=3)
    counts = {name: sum(groups[place] == name for place in drawn) for name in "abc"}
    assert counts == {"a": 8, "b": 4, "c": 8}
    assert drawn == draw_balanced(groups, 20, seed=3) != draw_balanced(groups, 20, seed=4)
    assert draw_balanced(groups, 1000) == list(range(104))
    assert draw_balanced([], 5) == []
