"""A recipe as a LangGraph: a seed in, a record or an interrupt out; by itself, or as a node of another graph.

Three thin nodes: `open` finds or adds the item, `drive` works on it, `wait` interrupts. The item lives in the store on
its own thread, as any other, so that its answer may also come from the review page; of both, one counts.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from contextvars import copy_context
from typing import Any, Literal, Protocol

from langchain_core.messages import BaseMessage, convert_to_openai_messages
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.config import get_stream_writer
from langgraph.errors import GraphInterrupt
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from solon.errors import SeedError, UsageError
from solon.formats.seed_rows import COLUMNS
from solon.graphs.own_saver import OwnSaver, Saver
from solon.responses import model_of
from solon.store.database.ids import hash_id
from solon.store.runs.interactive import Visit

CHECKPOINTER, DURABILITY = "__pregel_checkpointer", "__pregel_durability"
"""Where LangGraph tells a node who keeps its thread, and how often."""


class Loop(Protocol):
    """Where coroutines run that both kinds of nodes need."""

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run to its end, for synchronous callers."""

    def arun(self, work: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
        """Run to its end, for callers in an event loop."""


class Desk(Protocol):
    """What opens items, works on them and takes answers; see `workspace.interactive`."""

    loop: Any

    async def open(self, recipe: str, values: Mapping[str, Any], visit: Visit) -> str:
        """The id of the item of a visit."""

    async def drive(self, item_id: str, *, on_step: Callable[[str], None] | None, texts: bool) -> Any:
        """Where the item rests."""

    async def offer(self, review_id: str, answer: object) -> str:
        """What has to be told of an answer."""

    def is_waiting(self, review_id: str) -> bool:
        """Whether a review waits."""


class SeedInput(TypedDict, total=False):
    """A seed, by the columns of a seed file; further columns as `metadata`. One that has an `id` is the same item
    however often it is asked for."""

    id: str
    prompt: str
    messages: list[Any]
    input: str
    reference: str
    tags: list[str]
    responses: list[Any]
    lang: str
    specialty: str
    group: str
    subject: str
    source: str
    licence: str
    consent: str
    verdicts: list[Any]
    metadata: dict[str, Any]


class ItemOutput(TypedDict, total=False):
    """What became of the seed.

    Attributes:
        item: id of the item.
        outcome: accepted, rejected, failed or parked.
        reason: why, in words; None where nothing needs saying.
        record: the record of an accepted item, with the fields of `solon.formats.records.ExportRow`; None otherwise.
        note: what there is to tell of the last answer; None where there is nothing.
    """

    item: str
    outcome: Literal["accepted", "rejected", "failed", "parked"] | None
    reason: str | None
    record: dict[str, Any] | None
    note: str | None


class ItemGraphState(SeedInput, ItemOutput, total=False):
    """The state on the way: seed and outcome, what is `asked` of a person, and the `answer` to be offered."""

    asked: dict[str, Any]
    answer: Any


ItemGraph = CompiledStateGraph[ItemGraphState, None, SeedInput, ItemOutput]


class _Nodes:
    """The three nodes of a recipe's graph.

    Attributes:
        given: ids of the items whose outcome this process has handed over.
    """

    def __init__(self, desk: Desk, recipe: str, key: str, texts: bool) -> None:
        self._desk, self._recipe, self._key, self._texts = desk, recipe, key, texts
        self.given: set[str] = set()

    async def open(self, state: ItemGraphState, visit: Visit) -> dict[str, Any]:
        """Find or add the item."""
        return {"item": await self._desk.open(self._recipe, _seed_of(state), visit), **_RESET}

    async def drive(self, state: ItemGraphState, on_step: Callable[[str], None]) -> Command[Any]:
        """Offer an answer that has come, and bring the item to where it rests."""
        asked, answer = state.get("asked") or {}, state.get("answer")
        note = await self._desk.offer(asked["review"], answer) if asked and answer else ""
        standing = await self._desk.drive(state["item"], on_step=on_step, texts=self._texts)
        update = {"answer": None, "note": note or None, "asked": standing.asked}
        if standing.outcome is None:
            return Command(update=update, goto="wait")
        self.given.add(standing.item)
        ended = {"outcome": standing.outcome, "reason": standing.reason, "record": standing.record}
        return Command(update={**update, **ended}, goto=END)

    def wait(self, state: ItemGraphState, config: RunnableConfig) -> dict[str, Any]:
        """Interrupt with what is asked, unless it was decided elsewhere; gives the answer on."""
        asked = state["asked"]
        if _saver(config) is None:
            raise UsageError(
                f"item {asked['item']} waits for review {asked['review']} ({asked['page']}), and a graph without a "
                "checkpointer cannot wait; the item stays in the queue",
                next_step="compile the graph with a checkpointer, and call it with a thread_id",
            )
        told = {**asked, "problem": state.get("note")}
        schema = model_of(asked["response_schema"]).model_json_schema()
        try:
            return {"answer": interrupt(told, response_schema=schema)}
        except GraphInterrupt:
            if self._desk.is_waiting(asked["review"]):
                raise
            return {"answer": None}

    def find_visit(self, state: ItemGraphState, config: RunnableConfig) -> Visit:
        """Which visit of a graph this call of `open` is."""
        return _visit(state, config, (self._key, self._recipe), self.given)

    def tell_steps(self, state: ItemGraphState, config: RunnableConfig) -> Callable[[str], None]:
        """What tells the steps of a call of `drive` to whoever streams it. LangGraph's writer reads from its context
        which graph it writes for."""
        write, context = get_stream_writer(), copy_context()
        return lambda step: context.run(write, {"item": state["item"], "step": step})


def make_item_graph(
    desk: Desk, recipe: str, *, key: str, saver: Saver | None, texts: bool = True
) -> ItemGraph:
    """The compiled graph of a recipe.

    Args:
        desk: opens items and works on them.
        recipe: name of the recipe.
        key: names the store, so that threads of the same name in two stores are told apart.
        saver: keeps the threads of calls by themselves; None: nothing does. As a node of another graph its thread is
            kept with that graph's.
        texts: interrupts and records hold texts; without, ids only, for what is kept elsewhere cannot be forgotten.
    """
    nodes = _Nodes(desk, recipe, key, texts)
    graph = StateGraph(ItemGraphState, input_schema=SeedInput, output_schema=ItemOutput)
    graph.add_node("open", _in_loop(desk.loop, nodes.open, nodes.find_visit))
    graph.add_node("drive", _in_loop(desk.loop, nodes.drive, nodes.tell_steps), destinations=("wait", END))
    graph.add_node("wait", nodes.wait)
    graph.add_edge(START, "open")
    graph.add_edge("open", "drive")
    graph.add_edge("wait", "drive")
    return graph.compile(checkpointer=saver, name=recipe)


_RESET: dict[str, Any] = dict.fromkeys(
    ("outcome", "reason", "record", "note", "asked", "answer", "metadata", *COLUMNS)
)
"""What the call before left in a thread, so that the next seed there has no column of another."""


def _in_loop(loop: Loop, work: Callable[..., Any], prepare: Callable[[Any, RunnableConfig], Any]) -> Any:
    """A node for synchronous and asynchronous graphs, whose work is done in another loop.

    Args:
        work: called with the state, and with what `prepare` has made in the context of the call itself.
    """

    def run(state: Any, config: RunnableConfig) -> Any:
        return loop.run(work(state, prepare(state, config)))

    async def arun(state: Any, config: RunnableConfig) -> Any:
        return await loop.arun(work(state, prepare(state, config)))

    return RunnableLambda(run, arun)


def _seed_of(state: ItemGraphState) -> dict[str, Any]:
    """The columns that the call gave, further ones too."""
    given: dict[str, Any] = {
        name: value for name, value in state.items() if name in COLUMNS and value not in (None, [], "")
    }
    turns: list[Any] = given.get("messages", [])
    if any(isinstance(turn, BaseMessage) for turn in turns):
        # Beside a prompt they are the chat of the graph around, and no seed's.
        given["messages"] = None if "prompt" in given else convert_to_openai_messages(turns)
    if not {"prompt", "messages"}.intersection(given):
        raise SeedError(
            "the state of the graph has no `prompt` and no `messages`",
            next_step='call it with {"prompt": ...}; in a thread whose item was forgotten nothing waits',
        )
    columns = {**(state.get("metadata") or {}), **given}
    return {name: value for name, value in columns.items() if value is not None}


def _visit(
    state: ItemGraphState, config: RunnableConfig, graph: tuple[str, str], given: Collection[str]
) -> Visit:
    """Where the graph is that asks, and which of its visits this is.

    The place of a node in nested graphs is `outer:task|inner:task`. Ids of tasks differ from visit to visit; they are
    those of before after a crash, where every step is kept. Under durability `exit` none is.
    """
    called, seed = config["configurable"], _seed_of(state)
    levels = str(called.get("checkpoint_ns", "")).split("|")
    outer = levels[:-1] or levels  # the last level is the node `open` itself
    thread, only = str(called.get("thread_id") or uuid.uuid4()), seed.get("id")
    asked = only or json.dumps(seed, sort_keys=True, default=str)
    place = hash_id(*graph, thread, "|".join(level.partition(":")[0] for level in outer), asked)
    saver = _saver(config)
    return Visit(
        place,
        hash_id(place, *outer),
        only=bool(only),
        replayed=called.get(DURABILITY) == "exit",
        given=given,
        thread=saver.name_of(thread) if isinstance(saver, OwnSaver) else None,
    )


def _saver(config: RunnableConfig) -> Any:
    """What keeps the threads of the graph that runs; None where nothing does."""
    return config["configurable"].get(CHECKPOINTER)
