"""A plan's figures follow from its configuration, and from what was measured once something was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from solon.config import parse_config
from solon.errors import UsageError
from solon.planning import WORDS_PER_MINUTE, make_plan, measure

PRICED = {"model": "scripted:default", "price": {"input": 2.0, "output": 10.0}}
BASE: dict[str, Any] = {"models": {"default": PRICED}, "routing": {"policy": "always"}}
TEAM = {"experts": 12, "minutes": 30, "days": 20}
SEEDS = [{"id": f"s{i}", "prompt": f"Say what {i} is"} for i in range(6)]


def test_assumed_figures_follow_the_configuration() -> None:
    made = make_plan(parse_config(BASE), items=1000, **TEAM)
    assert made.expert_hours == 120
    # drafts, critiques, verdicts of two seats in both orders, without revision, resolver and redraft
    assert made.calls.low == 1000 * (2 + 2 + 4)
    assert made.calls.low < made.calls.likely < made.calls.high
    assert made.wanted_reviews.low == made.wanted_reviews.high == 1000
    assert made.affordable_reviews.likely == pytest.approx(120 * 3600 / made.review_seconds.likely)
    assert made.seen.likely == pytest.approx(min(1.0, made.affordable_reviews.likely / 1000))
    assert made.cost is not None
    assert made.tokens.likely * 2 / 1e6 < made.cost.likely < made.tokens.likely * 10 / 1e6
    assert {r.source for r in (made.calls, made.tokens, made.cost, made.seen)} == {"assumed"}
    twice = make_plan(parse_config(BASE), items=2000, **TEAM)
    assert twice.calls.likely == pytest.approx(2 * made.calls.likely)
    assert twice.review_seconds == made.review_seconds


def test_more_words_take_longer_to_read() -> None:
    short = make_plan(parse_config(BASE), items=10, words=50, **TEAM)
    long = make_plan(parse_config(BASE), items=10, words=50 + WORDS_PER_MINUTE, **TEAM)
    assert long.review_seconds.likely - short.review_seconds.likely == pytest.approx(60)


@pytest.mark.parametrize(
    ("routing", "low", "high"),
    [
        ({"policy": "never", "audit_share": 0.1}, 100, 100),
        ({"policy": "budget", "budget": 70}, 70, 70),
        ({"policy": "threshold", "audit_share": 0.0}, 100, 600),
        ({"policy": "pilot", "pilot": 40, "audit_share": 0.0}, 50 + 96, 50 + 576),
    ],
)
def test_wanted_reviews_follow_the_policy(routing: dict[str, Any], low: float, high: float) -> None:
    made = make_plan(parse_config({**BASE, "routing": routing}), items=1000, **TEAM)
    assert made.wanted_reviews.low == pytest.approx(low)
    assert made.wanted_reviews.high == pytest.approx(high)


def test_an_unknown_price_makes_the_cost_unknown_and_functions_cost_nothing() -> None:
    unpriced = {"models": {"default": {"model": "scripted:default"}}}
    assert make_plan(parse_config(unpriced), items=10, **TEAM).cost is None
    own = parse_config({**BASE, "judges": [{"python": "a:b"}], "critic": {"python": "a:c"}})
    assert make_plan(own, items=1, **TEAM).calls.low == 2


def test_measured_once_there_is_a_run(open_project: Any) -> None:
    project = open_project(models={"default": PRICED})
    run = project.run("preference", SEEDS)
    made = make_plan(project.config, items=600, store=project.store, **TEAM)
    assert made.measured_items == 6
    assert made.calls.likely == pytest.approx(run.model_calls * 100)
    assert made.tokens.likely == pytest.approx(run.tokens * 100)
    assert made.cost is not None
    assert run.cost is not None
    assert made.cost.likely == pytest.approx(run.cost * 100)
    assert made.calls.low <= made.calls.likely <= made.calls.high
    assert made.calls.source == made.tokens.source == made.cost.source == "measured"
    rates = measure(project.store, "preference", project.config)
    assert rates is not None
    assert rates.unsure is not None
    assert rates.unsure.mean == pytest.approx(run.pending_review / 6)
    # another panel was not measured
    other = parse_config({**BASE, "judges": [{"persona": "someone"}]})
    assert make_plan(other, items=600, store=project.store, **TEAM).measured_items == 0


def test_enough_or_not(open_project: Any) -> None:
    config = parse_config(BASE)
    assert make_plan(config, items=100_000, experts=1, minutes=5, days=1).enough == "no"
    assert make_plan(config, items=10, experts=50, minutes=60, days=20).enough == "yes"
    nobody = make_plan(config, items=10, experts=0, minutes=0, days=0)
    assert nobody.seen.high == 0
    with pytest.raises(UsageError, match="no recipe 'preferences'"):
        make_plan(config, items=10, recipe="preferences", **TEAM)


def test_command_line(command: Any, folder: Any) -> None:
    asked = ("plan", "--items", 20000, "--experts", 12, "--minutes", 30, "--days", 20)
    code, out, err = command(*asked, "--json")
    assert code == 0, err
    told = json.loads(out.splitlines()[-1])
    assert told["cost"] is None
    assert 0 < told["seen"]["low"] < told["seen"]["high"] < 1
    code, out, err = command(*asked)
    assert "unknown: a model has no price" in out
    assert "assumed from word counts" in err
    assert not (folder / "solon.db").exists()
    assert command("plan", "--items", 0, "--experts", 1, "--minutes", 1, "--days", 1)[0] == 2
