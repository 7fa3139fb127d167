"""An item's way through its graph: begin its LangGraph thread, go on with it, resume it with a decision."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from solon.consensus.target import read_target
from solon.errors import InternalError, UsageError
from solon.graphs.context import ItemContext
from solon.graphs.contexts import Contexts
from solon.graphs.first_pass import FirstPass
from solon.graphs.known_threads import KEPT, NEW, UNREADABLE, CheckpointLost
from solon.graphs.nodes.consensus import thread_id
from solon.graphs.state import named_decision
from solon.graphs.versions import goes_on, graph_version
from solon.store.database.engine import mapped_errors
from solon.store.database.store import Store
from solon.store.reviewing import graph_upgrade, reuse
from solon.store.reviewing import reviews as review_store
from solon.store.reviewing.deliveries import Delivery
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.runs import items as item_store
from solon.store.runs.items import ItemRow
from solon.tracing import OFF, Tracing

if TYPE_CHECKING:
    from solon.store.database.engine import Connection

INTERRUPT = "__interrupt__"
TAKEN = "__taken__"
"""Of a state that an item rests in: the ids of the decisions that it took in on the way there."""


class Threads:
    """Takes the threads of items to where they rest: an outcome, or a review that waits."""

    def __init__(self, store: Store, graph: Any, contexts: Contexts, tracing: Tracing = OFF) -> None:
        self._store, self._graph, self._contexts, self._tracing = store, graph, contexts, tracing
        self._first_pass = FirstPass.through(graph)

    async def drive(self, item: ItemRow) -> dict[str, Any]:
        """Run an item from its seed, or from where its checkpoint stands. Returns the state it rests in.

        Raises:
            UsageError: its seed was forgotten.
        """
        _refuse_forgotten(item)
        start: Any = {"item": item.id}
        if self._is_outdated(item):
            if not item.fresh:
                return await self.start_over(item)
            await self._store.writer.run(partial(self._adopt_graph, item=item), claim=item.claim)
        if not item.fresh and await self._rests_at_review(item):
            start = None
        return await self._go(item, self._contexts.make(item), start, NEW if item.fresh else "")

    async def deliver(self, item: ItemRow, delivery: Delivery) -> dict[str, Any]:
        """Resume the thread that a decision is for. Returns the state it rests in.

        Where its interrupt is gone, or what is kept of it makes no sense, a new attempt is replayed up to the
        review.

        Raises:
            InternalError: no state on the way named the decision.
        """
        from langgraph.types import Command

        review = delivery.review
        waits_there = review.attempt == item.attempt and review.interrupt_id and not self._is_outdated(item)
        if waits_there:
            command: Any = Command(resume={review.interrupt_id: delivery.resume})
            with suppress(CheckpointLost, *UNREADABLE):
                state = await self._go(item, self._contexts.make(item), command, KEPT)
                if delivery.decision_id in state[TAKEN]:
                    return state
        state = await self.start_over(item)
        if delivery.decision_id not in state[TAKEN]:
            raise InternalError(f"decision {delivery.decision_id} did not reach item {item.id}")
        return state

    async def release(self, item: ItemRow, review: ReviewRow) -> dict[str, Any]:
        """End a held review without a person: the item takes what its panel found. Returns the state it rests
        in."""
        from langgraph.types import Command

        value = {"decision": "", "choice": "consensus"}
        command: Any = Command(resume={str(review.interrupt_id): value})
        with suppress(CheckpointLost):
            return await self._go(item, self._contexts.make(item), command, KEPT)
        state = await self.start_over(item)
        command = Command(resume={state[INTERRUPT][0].id: value})
        [again] = item_store.load_items(self._store, [item.id])
        return await self._go(again, self._contexts.make(again), command, KEPT)

    async def start_over(self, item: ItemRow) -> dict[str, Any]:
        """Begin a fresh attempt from the seed. Calls in the journal cost nothing, and earlier decisions are
        given again. Returns the state it rests in.

        Raises:
            UsageError: its seed was forgotten.
        """
        _refuse_forgotten(item)
        attempt = await self._store.writer.run(partial(self._begin_again, item=item), claim=item.claim)
        again = replace(item, attempt=attempt, fresh=False)
        return await self._go(again, self._contexts.make(again), {"item": item.id})

    def _is_outdated(self, item: ItemRow) -> bool:
        """Whether another graph wrote its thread. An interrupt of a node that is gone would be dropped silently."""
        return not goes_on(self._contexts.recipe, item.graph_version)

    def _adopt_graph(self, connection: Connection, *, item: ItemRow) -> None:
        version, shape = graph_version(self._contexts.recipe)
        graph_upgrade.adopt_graph(connection, item.id, version, item.recipe, shape)

    def _begin_again(self, connection: Connection, *, item: ItemRow) -> int:
        if self._is_outdated(item):
            self._adopt_graph(connection, item=item)
        return item_store.next_attempt(connection, item.id)

    async def stands_at(self, item: ItemRow) -> dict[str, Any]:
        """The values of a thread's last checkpoint; empty without one."""
        snapshot = await self._graph.checkpointer.aget_tuple(_config(item))
        return dict(snapshot.checkpoint["channel_values"]) if snapshot is not None else {}

    async def _rests_at_review(self, item: ItemRow) -> bool:
        """Whether the thread waits for a person. Otherwise its checkpoint is dropped, and the journal replays the item.

        A node's rows are on disk before a review opens; where a failure ended the thread, its last checkpoint may name
        rows that were never written.
        """
        snapshot = await self._graph.checkpointer.aget_tuple(_config(item))
        if snapshot is None:
            return False
        if any(channel == INTERRUPT for _, channel, _ in snapshot.pending_writes or ()):
            return True
        await self._graph.checkpointer.adelete_thread(thread_id(item.id, item.attempt))
        return False

    async def _go(self, item: ItemRow, context: ItemContext, given: Any, known: str = "") -> dict[str, Any]:
        """`known`: NEW or KEPT, where the thread is known to be so. An answer that the item has already, or that is
        carried over, is given at once; `TAKEN` of the state names all that were taken in."""
        state = await self._invoke(item, context, given, known)
        taken = {named_decision(state)}
        while "__interrupt__" in state:
            interrupt = state["__interrupt__"][0]
            review_id = str(interrupt.value["review"])
            stored = None if item.fresh else self._stored_decision(item, state, review_id)
            stored = stored or await self._carried_decision(item, review_id)
            if stored is None:
                await self._store.writer.run(
                    partial(
                        review_store.set_waiting,
                        review_id=review_id,
                        interrupt_id=interrupt.id,
                        item_id=item.id,
                        attempt=item.attempt,
                        asked=read_target(context.case.config.routing.target).experts,
                        named=named_decision(state),
                    ),
                    claim=item.claim,
                )
                return {**state, TAKEN: taken}
            await self._store.writer.run(
                partial(
                    review_store.set_replayed,
                    review_id=review_id,
                    decision_id=stored["id"],
                    named=named_decision(state),
                ),
                claim=item.claim,
            )
            from langgraph.types import Command

            command: Command[Any] = Command(resume={interrupt.id: review_store.resume_value(stored)})
            state = await self._invoke(item, context, command)
            taken.add(named_decision(state))
        if "outcome" not in state:
            raise InternalError(f"item {item.id} ended at {state.get('next')!r} without an outcome")
        return {**state, TAKEN: taken}

    async def _invoke(
        self, item: ItemRow, context: ItemContext, given: Any, known: str = ""
    ) -> dict[str, Any]:
        about = {"session.id": item.run_id, "solon.item": item.id, "solon.seed": item.seed_id}
        with mapped_errors(self._store.url), self._tracing.span("solon.item", "AGENT", about) as span:
            try:
                result = await self._pass_on(item, context, given, known)
            except Exception:
                await context.case.caller.land()  # a call whose neighbour failed goes on by itself
                raise
            span.set_attribute(
                "solon.outcome", "waiting" if INTERRUPT in result else result.get("outcome", "")
            )
        return result

    async def _pass_on(self, item: ItemRow, context: ItemContext, given: Any, known: str) -> dict[str, Any]:
        if self._first_pass is not None and isinstance(given, dict):
            state = await self._first_pass.take(given, context)
            if context.arrived is None:
                return state
        elif self._first_pass is not None and known == KEPT:
            ended = await self._end_by(given, item, context)
            if ended is not None:
                return ended
        output = await self._graph.ainvoke(
            given, _config(item, known), context=context, durability="exit", version="v2"
        )
        result: dict[str, Any] = output.value
        return {**result, INTERRUPT: output.interrupts} if output.interrupts else result

    async def _end_by(self, command: Any, item: ItemRow, context: ItemContext) -> dict[str, Any] | None:
        """The state of an item that the decision of a command ends; its thread is dropped. None where LangGraph is to
        go on with the thread."""
        assert self._first_pass is not None
        saver = self._graph.checkpointer
        stands = await saver.aget_tuple(_config(item, KEPT))
        [(interrupt_id, decision)] = command.resume.items()
        found = [value for _, channel, value in stands.pending_writes if channel == INTERRUPT]
        if interrupt_id not in {interrupt.id for interrupts in found for interrupt in interrupts}:
            return None
        values = stands.checkpoint["channel_values"]
        waiting = {name: values[name] for name in self._graph.output_channels if name in values}
        ended = await self._first_pass.answer(waiting, decision, context)
        if ended is not None:
            await saver.adelete_thread(thread_id(item.id, item.attempt))
        return ended

    def _stored_decision(self, item: ItemRow, state: dict[str, Any], review_id: str) -> dict[str, Any] | None:
        with self._store.connect() as connection:
            return review_store.stored_decision(connection, item.id, state["reviews"] - 1, review_id)

    async def _carried_decision(self, item: ItemRow, review_id: str) -> dict[str, Any] | None:
        """The answer that experts gave to the same question in an earlier run, on the audit of an earlier record, or of
        the rubric on another item of the seed: nobody is asked twice."""
        elsewhere, alone = self._contexts.carries, self._contexts.recipe.source.expand == 1
        if not elsewhere and alone and not item.attempt:
            return None
        with self._store.connect() as connection:
            carried = reuse.find_carried(connection, review_id, item.run_id, elsewhere=elsewhere)
        if carried is None:
            return None
        return await self._store.writer.run(
            partial(_carry, store=self._store, review_id=review_id, found=carried), claim=item.claim
        )


def _carry(connection: Any, *, store: Store, review_id: str, found: dict[str, Any]) -> dict[str, Any]:
    return reuse.carry(store, connection, review_id, found)


def _refuse_forgotten(item: ItemRow) -> None:
    """Without its text, models would be asked about nothing."""
    if not item.content:
        raise UsageError("its seed was forgotten")


def _config(item: ItemRow, known: str = "") -> dict[str, Any]:
    thread: dict[str, Any] = {"thread_id": thread_id(item.id, item.attempt)}
    if known:
        thread[known] = True
    return {"configurable": thread, "recursion_limit": 100}
