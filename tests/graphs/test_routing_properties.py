"""Routing is monotone: a surer panel never goes to a person where a less sure one did not."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from solon.config.sections import RoutingConfig
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.graphs.routing import choose_route, explain

MODEL = ConsensusModel.prior()
probability = st.floats(0.0, 1.0, allow_nan=False)


def panel(ps: list[float]) -> list[Vote]:
    sides = ["tie" if p == 0.5 else "A" if p > 0.5 else "B" for p in ps]
    return [
        Vote(f"judge{i}", seat=f"{i}", order="AB", outcome=side, p=p)
        for i, (p, side) in enumerate(zip(ps, sides, strict=True))
    ]


@given(st.lists(probability, min_size=1, max_size=4), probability, st.floats(0.0, 0.9))
def test_a_judge_who_grows_surer_never_sends_an_accepted_item_to_a_person(
    ps: list[float], step: float, threshold: float
) -> None:
    routing = RoutingConfig(policy="threshold", threshold=threshold)
    before = judge_item(MODEL, panel(ps))
    best = 1.0 if before.best == "A" else 0.0
    after = judge_item(MODEL, panel([ps[0] + (best - ps[0]) * step, *ps[1:]]))
    if choose_route(before, routing, can_resolve=False).where == "accept":
        assert choose_route(after, routing, can_resolve=False).where == "accept"


@given(st.lists(probability, max_size=4), st.floats(0.0, 0.9), st.floats(0.0, 0.9))
def test_a_higher_threshold_never_accepts_more(ps: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = judge_item(MODEL, panel(ps))
    strict = choose_route(found, RoutingConfig(policy="threshold", threshold=high), can_resolve=False)
    mild = choose_route(found, RoutingConfig(policy="threshold", threshold=low), can_resolve=False)
    assert strict.where != "accept" or mild.where == "accept"


@given(st.integers(0, 4), st.sampled_from(["always", "never", "disagreement", "threshold"]))
def test_a_panel_that_abstains_is_never_accepted(n: int, policy: str) -> None:
    found = judge_item(MODEL, [Vote(f"j{i}", seat=f"{i}") for i in range(n)])
    route = choose_route(found, RoutingConfig(policy=policy), can_resolve=True)
    assert route.where == "review"


@given(st.lists(probability, max_size=4), st.floats(0.0, 0.9))
@example([5e-324, 0.0, 0.0], 0.5)  # the smallest number there is, shared by three
def test_reasons_are_always_given(ps: list[float], threshold: float) -> None:
    reasons = explain(judge_item(MODEL, panel(ps)), threshold)
    assert reasons
    assert all(reason["code"] and reason["text"] for reason in reasons)
