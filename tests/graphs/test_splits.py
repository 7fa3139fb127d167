"""Whoever differs, seats, orders or samples, the panel is split, the reason says so, and nothing is accepted unseen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.config.sections import RoutingConfig
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.graphs.routing import Standing, choose_route

Said = tuple[str, str, str, int, str]  # model, seat, order, sample, answer

PERSONAS = [
    ("m", "1", "AB", 0, "A"),
    ("m", "1", "BA", 0, "A"),
    ("m", "2", "AB", 0, "B"),
    ("m", "2", "BA", 0, "B"),
]
ALIKE = [(model, seat, order, sample, "A") for model, seat, order, sample, _ in PERSONAS]


def weigh(said: list[Said], outcomes: tuple[str, ...] = ("A", "B")) -> Any:
    votes = [Vote(m, seat=s, order=o, sample=n, outcome=answer) for m, s, o, n, answer in said]
    return judge_item(ConsensusModel.prior(outcomes), votes)


@pytest.mark.parametrize(
    ("said", "split", "told"),
    [
        (PERSONAS, True, ["the two judges disagree (2 for A, 2 for B); each is steady under a swap"]),
        (ALIKE, False, ["the two judges agree (4 for A)"]),
        (
            [("m", "1", "AB", 0, "A"), ("m", "2", "BA", 0, "B")],
            True,
            ["the two judges disagree (1 for A, 1 for B)"],
        ),
        (
            [*ALIKE[:2], ("n", "2", "AB", 0, "tie")],
            True,
            ["the two judges disagree (2 for A, 1 for tie)"],
        ),
        (
            [*ALIKE, ("m", "3", "AB", 0, "abstain")],
            False,
            ["the two judges agree (4 for A)", "1 verdicts are missing"],
        ),
        (
            [("m", "1", "", 0, "A"), ("m", "1", "", 1, "A"), ("m", "1", "", 2, "B")],
            True,
            [
                "the judge does not keep to one side (2 for A, 1 for B)",
                "the judge answered differently when asked again",
            ],
        ),
        (
            [
                ("m", "1", "AB", 0, "A"),
                ("m", "1", "BA", 0, "B"),
                ("m", "2", "AB", 0, "A"),
                ("m", "2", "BA", 0, "A"),
            ],
            True,
            [
                "the two judges disagree (3 for A, 1 for B)",
                "one of the two judges changed sides when the answers were swapped",
            ],
        ),
        (
            [*PERSONAS, ("r", "resolver", "", 0, "A")],
            True,
            ["the two judges and the resolver disagree (3 for A, 2 for B)"],
        ),
        ([(f"python:{i}", f"{i}", "", 0, "AB"[i % 2]) for i in range(4)], True, None),
    ],
)
def test_a_panel_its_split_and_its_words(said: list[Said], split: bool, told: list[str] | None) -> None:
    found = weigh(said)
    assert found.split is split
    spoke = any(seat == "resolver" for _, seat, *_ in said)
    asked = choose_route(found, RoutingConfig(policy="disagreement"), can_resolve=True, resolved=spoke)
    alone = choose_route(found, RoutingConfig(policy="disagreement"), can_resolve=False)
    assert (asked.where, alone.where) == (("resolve", "review") if split else ("accept", "accept"))
    if told is not None:
        assert [reason["text"] for reason in asked.reasons if reason["code"] != "margin"] == told


@pytest.mark.parametrize("labels", [("accept", "reject"), ("spam", "ham", "other")])
def test_singles_and_labels_split_as_pairs_do(labels: tuple[str, ...]) -> None:
    found = weigh([("m", str(i), "", 0, label) for i, label in enumerate(labels)], labels)
    assert found.split
    assert choose_route(found, RoutingConfig(policy="disagreement"), can_resolve=False).where == "review"


def test_a_panel_of_ties_is_of_one_mind_and_accepted_by_nobody() -> None:
    found = weigh([("m", "1", "AB", 0, "tie"), ("n", "2", "AB", 0, "tie")])
    assert not found.split
    assert choose_route(found, RoutingConfig(policy="disagreement"), can_resolve=True).where == "review"


@pytest.mark.parametrize(
    ("policy", "standing", "where"),
    [
        ("always", Standing(), "review"),
        ("never", Standing(), "accept"),
        ("disagreement", Standing(), "resolve"),
        ("threshold", Standing(), "resolve"),
        ("pilot", Standing(pilot=True), "review"),
        ("pilot", Standing(), "resolve"),
        ("pilot", Standing(threshold=0.4), "accept"),
        ("pilot", Standing(threshold=0.9), "review"),
        ("budget", Standing(), "review"),
        ("certified", Standing(), "review"),
        ("certified", Standing(threshold=0.4), "accept"),
        ("certified", Standing(threshold=0.9), "review"),
    ],
)
def test_where_each_policy_sends_two_personas_that_differ(
    policy: str, standing: Standing, where: str
) -> None:
    route = choose_route(weigh(PERSONAS), RoutingConfig(policy=policy), standing, can_resolve=True)
    assert route.where == where
    assert "agree (" not in " ".join(r["text"] for r in route.reasons).replace("disagree (", "")


def test_one_model_in_two_seats_stays_one_voter() -> None:
    found = weigh(PERSONAS)
    assert found.signals["n_voters"] == 1
    assert found.posterior == {"A": 0.5, "B": 0.5}


@given(
    st.lists(
        st.tuples(
            st.sampled_from("mno"), st.sampled_from(["A", "B", "tie"]), st.booleans(), st.integers(1, 3)
        ),
        min_size=2,
        max_size=6,
    )
)
def test_steady_seats_that_differ_are_a_split_and_never_accepted(
    seats: list[tuple[str, str, bool, int]],
) -> None:
    said = [
        (model, str(place), order, sample, answer)
        for place, (model, answer, both, samples) in enumerate(seats)
        for order in (("AB", "BA") if both else ("AB",))
        for sample in range(samples)
    ]
    found = weigh(said)
    differ = len({answer for _, answer, _, _ in seats}) > 1
    assert found.split is differ
    route = choose_route(found, RoutingConfig(policy="disagreement"), can_resolve=False)
    assert route.where == "review" or not differ
    assert ("agree" in {reason["code"] for reason in route.reasons}) is not differ
