"""A recipe as a LangGraph: by itself, as a node of another graph, answered in either place, exactly once."""

from __future__ import annotations

import asyncio
import operator
import random
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send

from solon.agents.models.scripted import ScriptedChat
from solon.errors import AlreadyDecided, ConfigError, SeedError, SolonError, UsageError
from solon.store.reviewing.manners import order_shown
from solon.store.runs.pilot import queued_pilot
from tests.graphs.conftest import Desk

MakeDesk = Callable[..., Desk]
ALWAYS = {"policy": "always"}
LABELS = {"label": {"labels": ["yes", "no"]}, "routing": ALWAYS}


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, in an event loop of its own."""

    @wraps(test)
    def run(*given: Any, **named: Any) -> None:
        asyncio.run(test(*given, **named))

    return run


def thread(name: str) -> Any:
    return {"configurable": {"thread_id": name}}


def asked(state: dict[str, Any]) -> dict[str, Any]:
    (interrupt,) = state["__interrupt__"]
    value: dict[str, Any] = interrupt.value
    return value


def prefer(told: dict[str, Any], place: int = 0) -> Any:
    candidate = told["candidates"][place]["id"]
    return Command(resume={"choice": "prefer", "candidate": candidate, "rationale": "It says more."})


class Outer(TypedDict, total=False):
    """The state of a foreign graph that knows the keys that it wants."""

    prompt: str
    item: str
    outcome: str
    record: dict[str, Any]
    reached: Annotated[list[str], operator.add]


def nest(desk: Desk, recipe: str = "preference", *, saver: Any = None, times: int = 1) -> Any:
    """A foreign graph with Solon as a node, which it passes so many times."""

    def note(state: Outer) -> dict[str, Any]:
        return {"reached": [state["item"]]}

    graph = StateGraph(Outer)
    graph.add_node("solon", desk.project.graph(recipe))
    graph.add_node("note", note)
    graph.add_edge(START, "solon")
    graph.add_edge("solon", "note")
    graph.add_conditional_edges(
        "note", lambda state: END if len(state["reached"]) == times else "solon", ["solon", END]
    )
    return graph.compile(checkpointer=saver)


@in_a_loop
async def test_a_seed_becomes_a_record(make_desk: MakeDesk) -> None:
    desk = make_desk(routing={"policy": "never"})
    seed = {"prompt": "Why is the sky blue?", "metadata": {"ward": "3b"}}
    state = await desk.project.graph("preference").ainvoke(seed, thread("a"))
    assert state["outcome"] == "accepted"
    (record,) = desk.project.records()
    assert state["record"]["id"] == record.id
    assert state["record"]["chosen"] == record.chosen
    assert record.metadata == {"ward": "3b"}
    (run,) = desk.project.runs()
    assert (run.items, run.accepted) == (1, 1)


@in_a_loop
async def test_a_split_becomes_an_interrupt_that_an_answer_resumes(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    graph = desk.project.graph("preference")
    told = asked(await graph.ainvoke({"prompt": "Why is the sky blue?"}, thread("a")))
    (review,) = desk.project.reviews()
    assert told["review"] == review.id
    assert told["page"].endswith(f"/?review={review.id}")
    assert {one["id"]: one["text"] for one in told["candidates"]} == {
        one.id: one.text for one in review.candidates
    }
    ids = [one.id for one in review.candidates]
    drawn = order_shown(desk.project.store.key, review.id, "graph", ids)
    assert [one["id"] for one in told["candidates"]] == drawn, "the store's order tells who wrote which"
    assert "reasons" not in told, "what the panel found is nobody's to see before the answer"
    calls = desk.chat.calls
    state = await graph.ainvoke(prefer(told, 1), thread("a"))
    assert (state["outcome"], state["reason"], state["note"]) == ("accepted", "prefer", None)
    assert state["record"]["chosen"] == review.candidates[1].text
    assert desk.chat.calls == calls
    assert (await graph.aget_state(thread("a"))).values["outcome"] == "accepted"


@in_a_loop
async def test_what_is_no_answer_is_asked_again_with_the_reason(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    graph = desk.project.graph("preference")
    told = asked(await graph.ainvoke({"prompt": "Why?"}, thread("a")))
    for answer, reason in (
        ({"choice": "maybe"}, "choice: Input should be"),
        ({"choice": "prefer", "candidate": "nobody"}, "is not part of this review"),
        ("prefer", "an answer is a mapping"),
        ({"choice": "prefer", "candidate": told["candidates"][0]["id"], "colour": "red"}, "colour"),
        ({"choice": "tie", "expert": "a token"}, "expert: no part of an answer"),
    ):
        again = asked(await graph.ainvoke(Command(resume=answer), thread("a")))
        assert again["review"] == told["review"]
        assert reason in again["problem"]
    assert desk.count("Decision") == 0
    assert (await graph.ainvoke(prefer(told), thread("a")))["outcome"] == "accepted"


@pytest.mark.parametrize("poll", [None, Command(resume={})])
@in_a_loop
async def test_an_answer_on_the_page_is_met_by_the_next_call(make_desk: MakeDesk, poll: Any) -> None:
    desk = make_desk(routing=ALWAYS)
    graph = desk.project.graph("preference")
    told = asked(await graph.ainvoke({"prompt": "Why?"}, thread("a")))
    assert asked(await graph.ainvoke(poll, thread("a")))["review"] == told["review"]
    desk.project.decide(told["review"], "prefer", told["candidates"][0]["id"], rationale="It says more.")
    state = await graph.ainvoke(poll, thread("a"))
    assert state["outcome"] == "accepted"
    assert desk.count("Decision") == 1


@in_a_loop
async def test_a_late_answer_is_told_so_and_kept_apart(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    graph = desk.project.graph("preference")
    told = asked(await graph.ainvoke({"prompt": "Why?"}, thread("a")))
    desk.project.decide(told["review"], "tie", rationale="Equal.")
    state = await graph.ainvoke(prefer(told), thread("a"))
    assert "decided by you before" in state["note"]
    assert state["note"].endswith("your answer is kept as a late one")
    assert state["record"]["label"] == "tie"
    assert [row["state"] for row in desk.rows("Assignment")] == ["late"]
    assert desk.count("Decision") == 1


@in_a_loop
async def test_the_same_answer_of_the_same_person_is_one(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    graph = desk.project.graph("preference")
    told = asked(await graph.ainvoke({"prompt": "Why?"}, thread("a")))
    candidate = told["candidates"][0]["id"]
    desk.project.decide(told["review"], "prefer", candidate, rationale="It says more.")
    state = await graph.ainvoke(prefer(told), thread("a"))
    assert (state["outcome"], state["note"]) == ("accepted", None)
    assert desk.count("Assignment") == 0


@in_a_loop
async def test_another_edit_of_the_same_text_is_another_answer(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    graph = desk.project.graph("preference")
    told = asked(await graph.ainvoke({"prompt": "Why?"}, thread("a")))
    candidate = told["candidates"][0]["id"]
    desk.project.decide(told["review"], "edit", candidate, text="As it was decided.", rationale="Better.")
    edit = {"choice": "edit", "candidate": candidate, "text": "As it came late.", "rationale": "Better."}
    state = await graph.ainvoke(Command(resume=edit), thread("a"))
    assert state["record"]["chosen"] == "As it was decided."
    assert state["note"].endswith("your answer is kept as a late one")
    (late,) = desk.rows("Assignment")
    assert desk.text(late["answer"]["text"]) == "As it came late."


@in_a_loop
async def test_as_a_node_of_a_foreign_graph(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    outer = nest(desk, saver=InMemorySaver())
    told = asked(await outer.ainvoke({"prompt": "Why?"}, thread("a")))
    assert asked(await outer.ainvoke(None, thread("a")))["review"] == told["review"]
    state = await outer.ainvoke(prefer(told), thread("a"))
    assert state["outcome"] == "accepted"
    assert state["reached"] == [told["item"]]
    assert (await outer.ainvoke(None, thread("a")))["outcome"] == "accepted", "what stands is given again"
    assert desk.count("Item") == 1


def test_a_synchronous_graph(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    outer = nest(desk, saver=InMemorySaver())
    told = asked(outer.invoke({"prompt": "Why?"}, thread("a")))
    steps = list(outer.stream(prefer(told), thread("a"), stream_mode="updates"))
    assert "note" in steps[-1]
    alone = desk.project.graph("preference")
    told = asked(alone.invoke({"prompt": "Why not?"}, thread("b")))
    assert alone.invoke(prefer(told), thread("b"))["outcome"] == "accepted"
    assert alone.get_state(thread("b")).values["outcome"] == "accepted"
    assert len(list(alone.get_state_history(thread("b")))) > 3


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@in_a_loop
async def test_two_passes_of_a_cycle_are_two_items(make_desk: MakeDesk, durability: Any) -> None:
    desk = make_desk(routing={"policy": "never"})
    outer = nest(desk, saver=InMemorySaver(), times=2)
    state = await outer.ainvoke({"prompt": "Why?"}, thread("a"), durability=durability)
    assert len(set(state["reached"])) == 2
    assert desk.states() == {"accepted": 2}


@in_a_loop
async def test_a_seed_with_an_id_is_one_item(make_desk: MakeDesk) -> None:
    desk = make_desk(routing={"policy": "never"})
    graph = desk.project.graph("preference")
    seed = {"id": "case-1", "prompt": "Why?"}
    first = await graph.ainvoke(seed, thread("a"))
    again = await graph.ainvoke(seed, thread("a"))
    assert first["item"] == again["item"]
    assert desk.count("Item") == 1
    other = await graph.ainvoke({"prompt": "Why?"}, thread("a"))
    once_more = await graph.ainvoke({"prompt": "Why?"}, thread("a"))
    assert len({first["item"], other["item"], once_more["item"]}) == 3


@in_a_loop
async def test_four_in_parallel(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    graph = StateGraph(Outer)
    graph.add_node("solon", desk.project.graph("preference"))
    graph.add_node("note", lambda state: {})
    graph.add_conditional_edges(
        START, lambda state: [Send("solon", {"prompt": f"Why {n}?"}) for n in range(4)], ["solon"]
    )
    graph.add_edge("solon", "note")
    outer = graph.compile(checkpointer=InMemorySaver())

    state = await outer.ainvoke({}, thread("a"))
    interrupts = state["__interrupt__"]
    assert len({one.value["item"] for one in interrupts}) == 4
    answers = {one.id: prefer(one.value).resume for one in interrupts}
    with pytest.raises(
        Exception, match="Can receive only one value"
    ):  # four nodes write one key: the graph's own mistake
        await outer.ainvoke(Command(resume=answers), thread("a"))
    assert desk.states() == {"accepted": 4}


@in_a_loop
async def test_steps_are_told_and_no_message_of_an_agent(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    outer = nest(desk, saver=InMemorySaver())
    modes = ["custom", "messages"]
    told = [
        event
        async for event in outer.astream({"prompt": "Why?"}, thread("a"), stream_mode=modes, subgraphs=True)
    ]
    steps = [event["step"] for _, mode, event in told if mode == "custom"]
    assert steps == ["draft", "critique", "revise", "judge", "review"]
    assert [event for _, mode, event in told if mode == "messages"] == []


@in_a_loop
async def test_a_graph_that_cannot_wait_says_what_stands(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    for graph in (desk.project.graph("preference", checkpointer=False), nest(desk)):
        with pytest.raises(
            UsageError, match=r"waits for review .* without a checkpointer cannot wait"
        ) as refused:
            await graph.ainvoke({"prompt": "Why?"})
        assert "checkpointer" in refused.value.next_step
    assert desk.states() == {"waiting": 2}


@in_a_loop
async def test_a_graph_that_need_not_wait_needs_no_checkpointer(make_desk: MakeDesk) -> None:
    desk = make_desk(routing={"policy": "never"})
    graph = desk.project.graph("preference", checkpointer=False)
    assert (await graph.ainvoke({"prompt": "Why?"}))["outcome"] == "accepted"


@in_a_loop
async def test_two_resumes_at_once(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    outer = nest(desk, saver=InMemorySaver())
    for number in range(10):
        of = thread(str(number))
        told = asked(await outer.ainvoke({"prompt": f"Why {number}?"}, of))
        states = await asyncio.gather(*(outer.ainvoke(prefer(told, n), of) for n in (0, 1)))
        chosen = {state["record"]["chosen"] for state in states}
        assert len(chosen) == 1, "both were given what stands"
    assert (desk.count("Decision"), len(desk.project.records())) == (10, 10)


@in_a_loop
async def test_page_and_graph_at_the_same_moment(make_desk: MakeDesk) -> None:
    """Eighty times: one answer decides, both are told the same, and the other is kept apart."""
    desk = make_desk(**LABELS)
    graph = desk.project.graph("label")
    first: dict[str, int] = {"page": 0, "graph": 0}

    async def page(told: dict[str, Any]) -> bool:
        try:
            await asyncio.to_thread(desk.project.decide, told["review"], "yes")
        except AlreadyDecided:
            return False
        return True

    async def race(number: int) -> None:
        told = asked(await graph.ainvoke({"prompt": f"Text {number}"}, thread(str(number))))
        answers = [page(told), graph.ainvoke(Command(resume={"choice": "no"}), thread(str(number)))]
        if number % 2:  # whoever is called first has a small start
            answers.reverse()
        found = await asyncio.gather(*answers)
        by_page, state = found if number % 2 == 0 else reversed(found)
        assert state["outcome"] == "accepted"
        assert state["record"]["label"] == ("yes" if by_page else "no")
        assert bool(state["note"]) == by_page
        first["page" if by_page else "graph"] += 1

    for number in range(80):
        await race(number)
    assert desk.count("Decision") == desk.count("Record") == 80
    late = [row for row in desk.rows("Assignment") if row["state"] == "late"]
    assert len(late) == first["page"]


@in_a_loop
async def test_without_texts_a_foreign_checkpointer_holds_ids(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    graph = desk.project.graph("preference", checkpointer=InMemorySaver(), texts=False)
    told = asked(await graph.ainvoke({"prompt": "Why?"}, thread("a")))
    (review,) = desk.project.reviews()
    assert sorted(told["candidates"]) == sorted(one.id for one in review.candidates)
    answer = {"choice": "prefer", "candidate": told["candidates"][0], "rationale": "It says more."}
    state = await graph.ainvoke(Command(resume=answer), thread("a"))
    assert review.candidates[0].text not in str([*map(str, state.values()), told])


@in_a_loop
async def test_forgetting_reaches_the_threads_of_graphs(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    graph = desk.project.graph("preference")
    told = asked(await graph.ainvoke({"prompt": "Why is the sky blue?"}, thread("a")))
    await desk.project.aforget(match="Why is the sky blue?")
    assert (await graph.aget_state(thread("a"))).values == {}
    with pytest.raises(SeedError, match="forgotten"):
        await graph.ainvoke({"prompt": "Why is the sky blue?"}, thread("b"))
    foreign = desk.project.graph("preference", checkpointer=InMemorySaver())
    told = asked(await foreign.ainvoke({"prompt": "Why is grass green?"}, thread("c")))
    await desk.project.aforget(told["item"])
    state = await foreign.ainvoke(prefer(told), thread("c"))
    assert state["outcome"] == "failed"
    assert "forgotten" in state["reason"]


@in_a_loop
async def test_pruning_knows_the_threads_of_graphs(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    graph = desk.project.graph("preference")
    told = asked(await graph.ainvoke({"prompt": "Waits"}, thread("a")))
    ended = asked(await graph.ainvoke({"prompt": "Ends"}, thread("b")))
    await graph.ainvoke(prefer(ended), thread("b"))
    assert desk.project.prune().threads == 1
    assert (await graph.aget_state(thread("b"))).values == {}
    assert (await graph.ainvoke(prefer(told), thread("a")))["outcome"] == "accepted"


@in_a_loop
async def test_a_pilot_by_hash_and_rate(make_desk: MakeDesk) -> None:
    desk = make_desk(
        label={"labels": ["yes", "no"]}, routing={"policy": "pilot", "pilot": 12, "pilot_share": 0.5}
    )
    graph = desk.project.graph("label")
    for number in range(40):
        await graph.ainvoke({"prompt": f"Text {number}"}, thread(str(number)))
    rows = sorted(desk.rows("Item"), key=lambda row: row["position"])
    drawn = [row["random_seed"] < 0.5 * 2**48 for row in rows]
    assert sum(drawn) > 12
    last = next(n for n in range(len(rows)) if sum(drawn[: n + 1]) == 12)
    assert [row["pilot"] for row in rows] == [place and n <= last for n, place in enumerate(drawn)]
    assert desk.read(lambda c: queued_pilot(c, rows[0]["run_id"])) == []


@in_a_loop
async def test_bad_input_is_refused_before_anything_is_made(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    graph = desk.project.graph("preference")
    with pytest.raises(SeedError, match="no `prompt` and no `messages`"):
        await graph.ainvoke({"input": "No request."}, thread("a"))
    with pytest.raises(SeedError, match="the input is no seed: prompt is a number"):
        await graph.ainvoke({"prompt": 5}, thread("a"))
    with pytest.raises(SolonError, match="there is no recipe 'prefrence'"):
        desk.project.graph("prefrence")
    with pytest.raises(SolonError, match="preference-scored is a preset, a configuration of"):
        desk.project.graph("preference-scored")
    assert desk.count("Item") == 0
    budget = make_desk(routing={"policy": "budget"})
    with pytest.raises(ConfigError, match="one by one"):
        await budget.project.graph("preference").ainvoke({"prompt": "Why?"}, thread("a"))


@in_a_loop
async def test_messages_of_langchain_are_turns_of_a_seed(make_desk: MakeDesk) -> None:
    desk = make_desk(routing={"policy": "never"})
    graph = desk.project.graph("preference")
    talk = [HumanMessage("Hello"), AIMessage("Hello."), HumanMessage("Why is the sky blue?")]
    state = await graph.ainvoke({"messages": talk}, thread("a"))
    assert [turn["role"] for turn in state["record"]["messages"]] == ["user", "assistant", "user"]
    state = await graph.ainvoke({"messages": talk, "prompt": "Why is grass green?"}, thread("b"))
    assert state["record"]["prompt"] == "Why is grass green?"
    state = await graph.ainvoke({"messages": [], "prompt": "Why?"}, thread("c"))
    assert state["outcome"] == "accepted"


def test_a_closed_project_says_so(make_desk: MakeDesk) -> None:
    desk = make_desk(routing={"policy": "never"})
    graph = desk.project.graph("preference")
    desk.close()
    with pytest.raises(UsageError, match="the project was closed"):
        graph.invoke({"prompt": "Why?"}, thread("a"))


@in_a_loop
async def test_another_configuration_opens_another_run(make_desk: MakeDesk) -> None:
    desk = make_desk(routing=ALWAYS)
    graph = desk.project.graph("preference")
    told = asked(await graph.ainvoke({"prompt": "Why?"}, thread("a")))
    desk.close()
    desk.settings["generator"] = {"temperatures": [0.3, 0.9]}
    graph = desk.project.graph("preference")
    await graph.ainvoke({"prompt": "Why not?"}, thread("b"))
    assert len(desk.project.runs()) == 2
    state = await graph.ainvoke(prefer(told), thread("a"))
    assert state["outcome"] == "accepted", "items of the run before go on under its own configuration"


@in_a_loop
async def test_a_call_that_is_cancelled_loses_nothing(make_desk: MakeDesk) -> None:
    desk = make_desk(routing={"policy": "never"})
    desk.chat = ScriptedChat(name="default", script={"latency": 0.2})
    graph = desk.project.graph("preference")
    begun = asyncio.Event()

    async def call() -> None:
        async for _ in graph.astream({"prompt": "Why?"}, thread("a"), stream_mode="custom"):
            begun.set()

    task = asyncio.create_task(call())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    state = await graph.ainvoke(None, thread("a"))
    assert state["outcome"] == "accepted"
    (run,) = desk.project.runs()
    assert (run.items, run.model_calls) == (1, desk.chat.calls)


@in_a_loop
async def test_on_both_databases(make_desk: MakeDesk, store_url: str) -> None:
    desk = make_desk(store_url, routing=ALWAYS)
    outer = nest(desk, saver=InMemorySaver())
    told = asked(await outer.ainvoke({"prompt": "Why?"}, thread("a")))
    assert (await outer.ainvoke(prefer(told), thread("a")))["outcome"] == "accepted"
    graph = desk.project.graph("preference")
    told = asked(await graph.ainvoke({"prompt": "Why?"}, thread("b")))
    desk.close()
    graph = desk.project.graph("preference")
    state = await graph.ainvoke(prefer(told), thread("b"))
    assert state["outcome"] == "accepted", "another process goes on where the thread waits"
    assert desk.states() == {"accepted": 2}


def test_many_long_labels_wait(make_desk: Any, store_url: str) -> None:
    """No index holds all that a review asks: PostgreSQL takes 2,704 bytes."""
    labels = ["".join(chr(0x4E00 + random.randrange(20_000)) for _ in range(40)) for _ in range(60)]
    desk = make_desk(store_url, label={"labels": labels}, routing=ALWAYS)
    assert desk.project.run("label", ["Which one is it?"]).pending_review == 1
    assert desk.project.summarize().queue["reviews"] == 1
