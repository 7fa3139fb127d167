"""An item's way from its seed to where it first rests, by plain awaits over the nodes of its recipe's compiled graph.

Up to there LangGraph has nothing to keep: checkpoints are written at an interrupt alone (durability "exit"), and what
a crash leaves is the journal and the store's rows. Its scheduler would cost a third as much CPU time again for an item
that nobody reviews. An item that comes to a person is handed to its thread, which goes on from the state reached. An
answer that ends the item goes the same way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from langchain_core.callbacks import AsyncCallbackManager
from langchain_core.runnables.config import ensure_config
from langgraph.graph import END, START
from langgraph.runtime import Runtime
from langgraph.types import Command

from solon.errors import InternalError
from solon.graphs.state import WAITS

if TYPE_CHECKING:
    from solon.graphs.context import ItemContext

Node = Callable[[Any, Runtime[Any]], Awaitable[Command[Any]]]
MOST_STEPS = 100
"""Nodes that an item passes at most without a person: many times what any recipe takes."""


@dataclass(frozen=True)
class FirstPass:
    """Takes items through a graph's nodes, from the first one to the end or to the node that waits for a person.

    Attributes:
        first: name of the node where items begin.
        nodes: name -> node, without the one that waits for a person.
        waits: that one; None where nobody is asked, or at several nodes.
    """

    first: str
    nodes: Mapping[str, Node]
    waits: Node | None = None

    @classmethod
    def through(cls, graph: Any) -> FirstPass | None:
        """The first pass through a compiled graph of `build_graph`; None where somebody listens to LangChain's runs
        (LangSmith, or callbacks of one's own) and is to hear of every node, as LangGraph tells it."""
        if AsyncCallbackManager.configure(ensure_config().get("callbacks")).handlers:
            return None
        drawn = graph.builder
        [first] = [end for start, end in drawn.edges if start == START]
        nodes = {name: spec.runnable.afunc for name, spec in drawn.nodes.items()}
        waiting = [node for node in nodes.values() if node.__name__ == WAITS]
        others = {name: node for name, node in nodes.items() if node.__name__ != WAITS}
        return cls(first, others, waiting[0] if len(waiting) == 1 else None)

    async def take(self, start: Mapping[str, Any], context: ItemContext) -> dict[str, Any]:
        """Take an item on until it ends or comes to a person. Returns its state; where it came to a person,
        `context.arrived` holds it, too, and the thread is to be begun: its first node hands the item on.

        Raises:
            InternalError: it comes to no end.
        """
        state, name = dict(start), self.first
        runtime: Runtime[Any] = Runtime(context=context)
        for _ in range(MOST_STEPS):
            command = await self.nodes[name](state, runtime)
            state |= cast("dict[str, Any]", command.update)
            name = cast("str", command.goto)
            if name == END:
                return state
            if name not in self.nodes:
                context.arrived = Command(update=state, goto=name)
                return state
        raise InternalError(f"item {context.item.id} took {MOST_STEPS} steps and came to no end")

    async def answer(
        self, waiting: Mapping[str, Any], decision: Mapping[str, Any], context: ItemContext
    ) -> dict[str, Any] | None:
        """Take an item that waits for a person on with the decision. Returns its state where that ends it; None where
        it goes on: `context.arrived` holds what the decision led to, and the thread is to be resumed, whose waiting
        node hands the item on."""
        if self.waits is None:
            return None
        context.decided = decision
        command = await self.waits(dict(waiting), Runtime(context=context))
        if command.goto != END:
            context.arrived = command
            return None
        return {**waiting, **cast("dict[str, Any]", command.update)}
