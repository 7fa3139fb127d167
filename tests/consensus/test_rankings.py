"""Rankings of several answers: what pairs they are, and where they contradict each other."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.consensus.rankings import (
    Cycle,
    Flip,
    Ranking,
    find_cycles,
    find_flips,
    merge_pairs,
    pairs_of,
    read_ranking,
)
from solon.errors import UsageError


def rank(order: str, ranker: str = "ada") -> Ranking:
    """`a b=c d`: a before b and c, which are tied, before d."""
    return Ranking(ranker, tuple(tuple(tier.split("=")) for tier in order.split()))


def test_a_ranking_is_its_pairs_which_weigh_one_together() -> None:
    pairs = pairs_of(rank("c a b"))
    assert [(pair.better, pair.worse) for pair in pairs] == [("c", "a"), ("c", "b"), ("a", "b")]
    assert {pair.weight for pair in pairs} == {1 / 3}


def test_ties_are_no_pairs() -> None:
    assert [(p.better, p.worse, p.weight) for p in pairs_of(rank("a b=c"))] == [
        ("a", "b", 0.5),
        ("a", "c", 0.5),
    ]
    assert pairs_of(rank("a=b=c")) == []


@given(st.permutations("abcdef"), st.lists(st.booleans(), min_size=5, max_size=5))
def test_whatever_is_tied_the_weights_of_a_ranking_sum_to_one_or_none(
    order: list[str], tied: list[bool]
) -> None:
    text = order[0] + "".join(("=" if tie else " ") + name for name, tie in zip(order[1:], tied, strict=True))
    total = sum(pair.weight for pair in pairs_of(rank(text)))
    assert total == pytest.approx(0.0 if all(tied) else 1.0)


@given(st.lists(st.permutations("abcd"), min_size=1, max_size=5))
def test_the_order_of_rankings_and_the_names_of_rankers_change_nothing(orders: list[list[str]]) -> None:
    rankings = [rank(" ".join(order), f"person {n}") for n, order in enumerate(orders)]
    merged, cycles = merge_pairs(rankings), find_cycles(rankings)
    other = [Ranking("one", ranking.tiers) for ranking in reversed(rankings)]
    assert [(p.better, p.worse) for p in merge_pairs(other)] == [(p.better, p.worse) for p in merged]
    assert [p.weight for p in merge_pairs(other)] == pytest.approx([p.weight for p in merged])
    assert [cycle.answers for cycle in find_cycles(other)] == [cycle.answers for cycle in cycles]


def test_what_two_say_against_each_other_is_no_pair() -> None:
    rankings = [rank("a b c"), rank("b a c"), rank("b a c")]
    merged = {(pair.better, pair.worse): pair.weight for pair in merge_pairs(rankings)}
    assert merged == pytest.approx({("a", "c"): 1.0, ("b", "c"): 1.0, ("b", "a"): 1 / 3})
    assert ("a", "b") not in {(pair.better, pair.worse) for pair in merge_pairs(rankings[:2])}


def test_flips_are_of_one_person() -> None:
    rankings = [rank("a b c"), rank("b a c"), rank("a b c"), rank("c b a", "bo")]
    assert find_flips(rankings) == [Flip("ada", "a", "b", 2, 1)]
    assert find_flips([rank("a b c"), rank("c b a", "bo"), rank("a=b c")]) == []


def test_a_cycle_of_three_people_is_found_with_its_leads() -> None:
    rankings = [rank("a b c"), rank("b c a", "bo"), rank("c a b", "cy")]
    (cycle,) = find_cycles(rankings)
    assert cycle.answers == ("a", "b", "c")
    assert cycle.leads == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    (uneven,) = find_cycles([*rankings, rank("a b", "di"), rank("b c", "di")])
    assert uneven.weakest == ("c", "a")


def test_a_tangle_is_told_once_by_its_shortest_cycle() -> None:
    rankings = [
        rank("a b"),
        rank("b c"),
        rank("c d"),
        rank("d a"),
        rank("c a"),
        rank("x y"),
        rank("y z"),
        rank("z x"),
    ]
    assert [cycle.answers for cycle in find_cycles(rankings)] == [("a", "b", "c"), ("x", "y", "z")]


@pytest.mark.parametrize("orders", [["a b c d"], ["a b c", "a c b"], ["a=b=c"], []])
def test_rankings_that_one_order_fits_have_no_cycle(orders: list[str]) -> None:
    assert find_cycles(rank(order) for order in orders) == []


def test_no_single_ranking_has_a_cycle() -> None:
    assert all(find_cycles([rank(" ".join(order))]) == [] for order in permutations("abcde"))


def test_what_leads_to_a_cycle_is_no_part_of_it() -> None:
    rankings = [rank("a b"), rank("b c"), rank("c d"), rank("d b")]
    assert find_cycles(rankings) == [Cycle(("b", "c", "d"), (1.0, 1.0, 1.0))]


def test_a_ranking_is_read_with_its_ties() -> None:
    assert read_ranking("ada", ["c", ["a", "b"]], ["a", "b", "c"]) == rank("c a=b")


@pytest.mark.parametrize(
    ("tiers", "told"),
    [
        (["a", "b", "x"], "names 'x', which was not shown"),
        (["a", "b", ["c", "a"]], "names 'a' 2 times"),
        (["a", "c"], "leaves out 'b'"),
        ([], "leaves out 'a'"),
    ],
)
def test_a_ranking_that_cannot_be_is_refused(tiers: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=f"the ranking of ada {told}") as refused:
        read_ranking("ada", tiers, ["a", "b", "c"])
    assert refused.value.next_step
