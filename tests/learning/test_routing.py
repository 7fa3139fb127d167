"""Routing policies: which rule sends an item where, and with which reasons."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import solon.review
from solon.config.sections import RoutingConfig
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Consensus, Vote, judge_item
from solon.graphs.routing import Standing, choose_route, explain


def weigh(*votes: tuple[str, str, float]) -> Consensus:
    verdicts = [
        Vote(judge=judge, seat="1", order=order, outcome="A" if p > 0.5 else "B", p=p)
        for judge, order, p in votes
    ]
    return judge_item(ConsensusModel.prior(), verdicts)


SURE = weigh(("m1", "AB", 0.99), ("m1", "BA", 0.98), ("m2", "AB", 0.99), ("m2", "BA", 0.97))
SPLIT = weigh(("m1", "AB", 0.9), ("m1", "BA", 0.9), ("m2", "AB", 0.1), ("m2", "BA", 0.12))
WEAK = weigh(("m1", "AB", 0.55), ("m1", "BA", 0.53))
NONE = judge_item(ConsensusModel.prior(), [Vote(judge="m1")])


def route(
    consensus: Consensus, policy: str, standing: Standing | None = None, **options: bool
) -> tuple[str, str]:
    chosen = choose_route(
        consensus,
        RoutingConfig(policy=policy),
        standing or Standing(),
        can_resolve=options.get("can_resolve", False),
    )
    return chosen.where, chosen.rule


@pytest.mark.parametrize(
    ("consensus", "policy", "standing", "expected"),
    [
        (SURE, "always", Standing(), ("review", "always")),
        (WEAK, "never", Standing(), ("accept", "never")),
        (SURE, "disagreement", Standing(), ("accept", "disagreement")),
        (SPLIT, "disagreement", Standing(), ("review", "disagreement")),
        (SURE, "threshold", Standing(), ("accept", "threshold")),
        (WEAK, "threshold", Standing(), ("review", "threshold")),
        (SURE, "pilot", Standing(pilot=True), ("review", "pilot")),
        (SURE, "pilot", Standing(), ("accept", "threshold")),
        (SURE, "pilot", Standing(threshold=0.99), ("review", "certified")),
        (SURE, "pilot", Standing(threshold=0.6), ("accept", "certified")),
        (SURE, "certified", Standing(), ("review", "uncertified")),
        (SURE, "certified", Standing(threshold=0.6), ("accept", "certified")),
        (WEAK, "certified", Standing(threshold=0.9), ("review", "certified")),
    ],
)
def test_policies(consensus: Consensus, policy: str, standing: Standing, expected: tuple[str, str]) -> None:
    assert route(consensus, policy, standing) == expected


@pytest.mark.parametrize("policy", ["threshold", "disagreement", "pilot", "certified", "never"])
def test_without_any_verdict_nothing_is_accepted(policy: str) -> None:
    assert route(NONE, policy, Standing(threshold=0.1)) == ("review", "no_verdict")


def test_where_all_are_asked_an_item_without_a_verdict_is_asked_as_one_of_all() -> None:
    """Its rule says that it was not chosen by the panel's silence: it speaks for all items like the rest."""
    chosen = choose_route(NONE, RoutingConfig(policy="always"), can_resolve=False)
    assert (chosen.where, chosen.rule) == ("review", "always")
    assert [reason["code"] for reason in chosen.reasons] == ["always", "no_verdict"]


def test_a_split_goes_to_the_resolver_once_and_then_to_a_person() -> None:
    assert route(SPLIT, "threshold", can_resolve=True) == ("resolve", "split")
    assert route(SPLIT, "threshold", can_resolve=False) == ("review", "threshold")
    assert route(WEAK, "threshold", can_resolve=True) == ("review", "threshold")


def test_a_redraft_that_an_expert_asked_for_goes_back_to_them() -> None:
    chosen = choose_route(SURE, RoutingConfig(policy="never"), can_resolve=True, asked_back=True)
    assert (chosen.where, chosen.rule) == ("review", "asked_back")
    assert chosen.reasons[0]["text"] == "an expert asked for this redraft"


def test_reasons_say_it_in_words_and_numbers() -> None:
    reasons = choose_route(SPLIT, RoutingConfig(policy="threshold"), can_resolve=False).reasons
    told = [reason["text"] for reason in reasons]
    assert told[0] == "the two judges disagree (2 for A, 2 for B); each is steady under a swap"
    assert told[1].startswith("the first choice is ahead by 0.0")
    assert told[1].endswith(", needed 0.20")
    certified = choose_route(
        WEAK, RoutingConfig(policy="certified"), Standing(threshold=0.9), can_resolve=False
    ).reasons
    assert certified[0]["text"] == f"confidence {WEAK.confidence:.3f}; by the certificate needed 0.900"


@pytest.mark.parametrize(("margin", "told"), [(0.1999, "0.1999, needed 0.2000"), (0.2, "0.20, needed 0.20")])
def test_a_reason_that_falls_short_does_not_read_as_if_it_were_enough(margin: float, told: str) -> None:
    reasons = explain(replace(WEAK, margin=margin), 0.2)
    assert reasons[1]["text"] == f"the first choice is ahead by {told}"


@pytest.mark.parametrize(
    ("votes", "told"),
    [
        ([("m1", "AB", 0.9), ("m2", "AB", 0.9), ("m3", "AB", 0.8)], ["the three judges agree (3 for A)"]),
        ([("m1", "AB", 0.9), ("m1", "BA", 0.9)], ["the judge is of one mind (2 for A)"]),
        ([("m1", "AB", 0.9), ("m2", "AB", 0.1)], ["the two judges disagree (1 for A, 1 for B)"]),
        (
            [("m1", "AB", 0.9), ("m1", "BA", 0.1), ("m2", "AB", 0.9), ("m2", "BA", 0.9)],
            [
                "the two judges disagree (3 for A, 1 for B)",
                "one of the two judges changed sides when the answers were swapped",
            ],
        ),
        (
            [("m1", "AB", 0.9), ("m1", "BA", 0.1)],
            [
                "the judge does not keep to one side (1 for A, 1 for B)",
                "the judge changed sides when the answers were swapped",
            ],
        ),
    ],
)
def test_reasons_are_plain_words(votes: list[tuple[str, str, float]], told: list[str]) -> None:
    reasons = choose_route(weigh(*votes), RoutingConfig(policy="threshold"), can_resolve=False).reasons
    assert [reason["text"] for reason in reasons if reason["code"] != "margin"] == told


def test_the_reason_that_a_lead_is_shown_as_an_example_is_one_that_the_panel_gives() -> None:
    page = Path(solon.review.__file__).parent / "templates" / "lead_bulk.html"
    (code,) = re.findall(r'name="reason".*placeholder="{{ _\("e\.g\. (\w+)"\) }}"', page.read_text("utf-8"))
    assert code in {reason["code"] for reason in explain(SPLIT, 0.2)}


def test_seats_of_one_model_that_turn_against_each_other_are_not_steady() -> None:
    votes = [
        Vote(judge="m1", seat=seat, order=order, outcome=side, p=None)
        for seat, order, side in (("1", "AB", "A"), ("1", "BA", "B"), ("2", "AB", "B"), ("2", "BA", "A"))
    ]
    found = judge_item(ConsensusModel.prior(), votes)
    assert (found.judges, found.swapped, found.turned) == (2, 2, 2)
    told = choose_route(found, RoutingConfig(policy="threshold"), can_resolve=False).reasons
    assert "steady" not in told[0]["text"]
    assert told[-1]["text"] == "both judges changed sides when the answers were swapped"


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0, 1))
def test_a_lower_threshold_never_accepts_less(p: float, q: float, threshold: float) -> None:
    consensus = weigh(("m1", "AB", p), ("m2", "BA", q))

    def accepts(limit: float) -> bool:
        routing = RoutingConfig(policy="threshold", threshold=limit)
        return choose_route(consensus, routing, can_resolve=False).where == "accept"

    assert accepts(threshold / 2) or not accepts(threshold)
