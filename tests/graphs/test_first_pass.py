"""Items go through the nodes of their graph by plain awaits, or by LangGraph alone: the same comes of both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.tracers.context import register_configure_hook
from sqlalchemy import update

from solon.errors import InternalError
from solon.graphs import context
from solon.graphs.first_pass import FirstPass
from solon.recipes.preference import PREFERENCE
from solon.store.database.store import Store
from solon.store.tables.runs import Meta
from solon.store.upkeep.pruning import stored_threads
from tests.graphs.conftest import Desk

MakeDesk = Callable[..., Desk]
HEARD: ContextVar[Any] = ContextVar("listener of a test", default=None)
register_configure_hook(HEARD, inheritable=True)
SEEDS = [{"id": f"s{n}", "prompt": f"Why does heron number {n} stand still?"} for n in range(6)]


def by_langgraph_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FirstPass, "through", lambda graph: None)


def what_came_of(desk: Desk) -> dict[str, Any]:
    """All that a run leaves but ids, and times."""
    waits: list[Any] = [(r["kind"], r["reasons"], r["rule"], r["state"]) for r in desk.rows("Review")]
    calls = [(r["content_key"], r["outcome"], r["role"]) for r in desk.rows("Call")]
    verdicts = [(r["seat"], r["p"], r["outcome"]) for r in desk.rows("Verdict")]
    return {
        "states": desk.states(),
        "records": desk.record_texts(),
        "reviews": sorted(waits, key=repr),
        "calls": sorted(calls),
        "verdicts": sorted(verdicts, key=repr),
        "candidates": desk.count("Candidate"),
    }


def give_key(url: str) -> None:
    """Two stores with one key, which decides the marks around texts."""
    with Store(url, create=True) as store, store.transaction() as connection:
        connection.execute(update(Meta).where(Meta.name == "key").values(value="ab" * 32))  # type: ignore[arg-type]


def take_all_ways(desk: Desk) -> dict[str, Any]:
    """Some items are accepted; some are asked of a person, who has one drafted anew, prefers, ties, and leaves one."""
    desk.project.run("preference", SEEDS)
    reviews = sorted(desk.project.reviews(), key=lambda review: str(review.prompt))
    for review, choice in zip(reviews, ("redraft", "prefer", "tie"), strict=False):
        given = {"guidance": "shorter"} if choice == "redraft" else {}
        candidate = review.candidates[0] if choice == "prefer" else None
        desk.project.decide(review, choice, candidate, **given)
    desk.close()
    desk.project.resume()
    return what_came_of(desk)


@pytest.mark.parametrize("policy", ["always", "threshold", "never"])
def test_the_same_comes_of_both(make_desk: MakeDesk, tmp_path: Any, policy: str) -> None:
    told = {}
    for way in ("awaits", "langgraph"):
        with pytest.MonkeyPatch.context() as patch:
            if way == "langgraph":
                by_langgraph_alone(patch)
            url = f"sqlite:///{tmp_path / way}.db"
            give_key(url)
            told[way] = take_all_ways(make_desk(url, routing={"policy": policy}, split=policy == "threshold"))
    assert told["awaits"] == told["langgraph"]
    assert told["awaits"]["states"].get("accepted", 0) > (policy == "never") * 5
    assert bool(told["awaits"]["reviews"]) == (policy != "never")


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What LangGraph was asked to work on."""
    from langgraph.pregel import Pregel

    begun: list[Any] = []
    invoke = Pregel.ainvoke

    def counted(self: Any, *given: Any, **more: Any) -> Any:
        begun.append(given)
        return invoke(self, *given, **more)

    monkeypatch.setattr(Pregel, "ainvoke", counted)
    return begun


def test_an_accepted_item_costs_langgraph_nothing(make_desk: MakeDesk, begun: list[Any]) -> None:
    """What the figures of `docs/speed.md` rest on, by a count that does not hang on the clock."""
    never = make_desk(routing={"policy": "never"})
    never.project.run("preference", SEEDS)
    assert (never.states(), begun) == ({"accepted": 6}, [])


def test_a_decision_that_ends_its_item_costs_langgraph_nothing(
    make_desk: MakeDesk, begun: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is anything of it read one by one; one that is drafted anew goes on in its thread, and waits again."""
    desk = make_desk(routing={"policy": "always"})
    desk.project.run("preference", SEEDS)
    for n, review in enumerate(desk.project.reviews()):
        choice, given = ("prefer", review.candidates[:1]) if n else ("redraft", [])
        desk.project.decide(review, choice, *given, **({} if n else {"guidance": "shorter"}))
    begun.clear()
    alone: list[str] = []
    for name in ("load_text", "load_candidate"):
        read = getattr(context, name)
        monkeypatch.setattr(context, name, lambda store, of, read=read: alone.append(of) or read(store, of))
    desk.project.resume()
    assert (desk.states(), len(begun)) == ({"accepted": 5, "waiting": 1}, 1)
    assert alone == [row["guidance_id"] for row in desk.rows("Decision") if row["guidance_id"]]
    (waits,) = [row["item_id"] for row in desk.rows("Review") if row["state"] == "waiting"]
    assert stored_threads(desk.project.store) == {f"{waits}:0"}


def test_whoever_listens_to_langchain_hears_of_every_node(make_desk: MakeDesk) -> None:
    """Callbacks that are set around a run are told of nodes as LangGraph tells of them."""
    heard: list[str] = []

    class Listener(AsyncCallbackHandler):
        async def on_chain_start(self, serialized: Any, inputs: Any, **about: Any) -> None:
            heard.append(str(about.get("name")))

    HEARD.set(Listener())
    try:
        desk = make_desk(routing={"policy": "never"})
        desk.project.run("preference", SEEDS[:1])
    finally:
        HEARD.set(None)
    assert [name for name in heard if name in PREFERENCE.step_names] == ["draft", "critique", "judge"]


def test_a_pass_without_an_end_is_told() -> None:
    async def back(state: Any, runtime: Any) -> Any:
        return type("Command", (), {"update": {}, "goto": "draft"})

    item: Any = type("Context", (), {"item": type("Item", (), {"id": "i"})})
    with pytest.raises(InternalError, match="took 100 steps"):
        asyncio.run(FirstPass("draft", {"draft": back}).take({"item": "i"}, item))
