"""The panel's answer is the same wherever its verdicts are weighed: what critics found counts in every place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from solon.agents.calls import Meter, ModelPool
from solon.agents.judge import Verdict
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Consensus, Vote, judge_item
from solon.graphs import rejudging
from solon.graphs.bench import Bench
from solon.graphs.nodes import consensus as consensus_node
from solon.graphs.nodes import judge as judge_node
from solon.questions import PAIR
from solon.recipes.preference import PREFERENCE
from solon.store.lawmaking.rejudging import Target, begin_again
from solon.store.learning.evidence import judged_items
from solon.store.runs.runs import find_run

from .conftest import Desk
from .test_critics_signal import LISTENS, critic

SETTINGS: dict[str, Any] = {
    "judges": [{"persona": "one judge"}, {"persona": "another"}, {"persona": "the last", "tier": 1}],
    "generator": {"revise": False},
    "routing": {"policy": "threshold", "threshold": 0.0, "audit_share": 0.0},
}
"""The first tier decides every item, so that what the cascade stopped at is what routed the item."""


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> ConsensusModel:
    """Every run begins with a version whose calibration listens to critics."""
    model = ConsensusModel(calibration=LISTENS)
    monkeypatch.setattr(ConsensusModel, "prior", classmethod(lambda _cls, outcomes=("A", "B"): model))
    return model


def test_a_verdict_is_read_from_a_checkpoint_as_it_was_written() -> None:
    kept = ["judge-x", "1: strict", "BA", 2, "A", 0.75, 0.5]  # as checkpoints have it since the first version
    verdict = Verdict.from_state(kept)
    assert verdict == Verdict(
        judge="judge-x", seat="1: strict", order="BA", sample=2, outcome="A", p=0.75, confidence=0.5
    )
    assert verdict.to_state() == [*kept, None, None], "what is kept since then stands behind it"
    assert verdict.vote() == Vote(
        "judge-x", seat="1: strict", order="BA", sample=2, outcome="A", p=0.75, confidence=0.5
    )
    with pytest.raises(TypeError):
        Verdict(*kept)  # a field added in the middle must not move the others


def listen(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[Consensus]:
    """The consensus that a module hands to one of its functions, call by call."""
    heard: list[Consensus] = []
    function = getattr(module, name)

    def note(consensus: Consensus, *args: Any, **options: Any) -> Any:
        heard.append(consensus)
        return function(consensus, *args, **options)

    monkeypatch.setattr(module, name, note)
    return heard


def open_desk(make_desk: Callable[..., Desk], critic: Callable[[Any], Any]) -> Desk:
    desk = make_desk(answer=critic, **SETTINGS)
    desk.project.store.key = "5a" * 32  # the scripted answers depend on it: the same ones whenever this runs
    desk.project.run("preference", [f"Explain case {i}." for i in range(8)])
    return desk


def targets(desk: Desk) -> dict[str, Target]:
    items = {row["id"]: row for row in desk.rows("Item")}
    return {
        record["item_id"]: Target(
            item_id=record["item_id"],
            run_id=record["run_id"],
            recipe="preference",
            attempt=record["attempt"],
            pilot=False,
            shown=tuple(record["shown"]),
            margin=record["margin"],
            constitution_id=items[record["item_id"]]["constitution_id"],
            rubric_id=items[record["item_id"]]["rubric_id"],
            domains=frozenset(),
            record_id=record["id"],
        )
        for record in desk.rows("Record")
        if record["superseded_at"] is None
    }


async def judge_again(desk: Desk) -> dict[str, Consensus]:
    """What `solon rejudge` finds of each item, under the law that it is under already."""
    store, config = desk.project.store, desk.project.config
    with store.connect() as connection:
        run = find_run(connection)
    pool = ModelPool(config, given={"default": desk.chat})
    pool.prepare()
    look = rejudging.SecondLook(store, run, PREFERENCE, config, pool, Meter())
    try:
        return {
            target.item_id: (
                await look.judge(target, (target.constitution_id, target.rubric_id), time.time())
            )[0]
            for target in targets(desk).values()
        }
    finally:
        await pool.aclose()


async def try_on_the_bench(desk: Desk) -> dict[str, Consensus]:
    """What a trial of a draft of the law finds of each item, under the law that it was judged by."""
    bench = Bench(desk.project.store, desk.project.config, {"default": desk.chat})
    try:
        found = {}
        for target in targets(desk).values():
            context = bench.context(target)
            found[target.item_id] = await bench.judge(context, target.shown, context.case.constitution, 0, 0)
            await bench.flush(context)
        return found
    finally:
        await bench.aclose()


def test_judging_routing_rejudging_and_the_bench_give_one_answer(
    make_desk: Callable[..., Desk], listening: ConsensusModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging = listen(monkeypatch, judge_node, "stops_here")
    routing = listen(monkeypatch, consensus_node, "choose_route")
    desk = open_desk(make_desk, critic)
    with desk.project.store.connect() as connection:
        stored = {
            j.item_id: judge_item(listening, j.votes, against=j.against)
            for j in judged_items(connection, find_run(connection).id, PAIR)
        }
    assert len(judging) == len(routing) == len(stored) == 8
    rejudged = asyncio.run(judge_again(desk))
    tried = asyncio.run(try_on_the_bench(desk))
    assert set(stored) == set(rejudged) == set(tried)
    for found in stored.values():
        assert found in judging
        assert found in routing
    assert rejudged == stored
    assert tried == stored
    assert {found.signals["critic_against"] > 0 for found in stored.values()} == {True, False}


def test_an_item_judged_again_keeps_what_critics_held_against_its_candidates(
    make_desk: Callable[..., Desk], listening: ConsensusModel
) -> None:
    desk = open_desk(make_desk, critic)
    before = {row["item_id"]: row["confidence"] for row in desk.rows("Record")}
    for _ in range(2):  # its candidates have other ids each time
        for target in targets(desk).values():
            law = target.constitution_id, target.rubric_id
            with desk.project.store.transaction() as connection:
                assert begin_again(connection, target, law, until=time.time(), by="local:test", why="test")
        desk.project.resume()
    records = {row["item_id"]: row for row in desk.rows("Record") if row["superseded_at"] is None}
    assert {item_id: row["confidence"] for item_id, row in records.items()} == before
    assert {row["attempt"] for row in records.values()} == {2}
    assert len(desk.rows("Critique")) * 3 == len(desk.rows("Candidate"))  # nothing was criticised anew
