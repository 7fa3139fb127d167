"""The runner that stays open and brings single items to where they rest, as graphs of one's own ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

from solon.errors import LimitReached, UsageError
from solon.graphs.runner import Runner
from solon.store.reviewing.deliveries import Delivery, claim_deliveries, problem_of
from solon.store.runs import items as item_store
from solon.store.runs.items import FINAL

LOOK_AGAIN = 0.1
"""Seconds between two looks at an item that another worker has in hand."""


class ItemRunner(Runner):
    """A runner for one item at a time, for any number of callers; used within `at_work`."""

    async def bring(self, item_id: str, on_step: Callable[[str], None] | None = None) -> str:
        """Bring an item to where it rests and return its state there: it has ended, was parked, or waits for a person.
        An item that was parked before is tried again, and a decision that waits is taken in.

        Args:
            on_step: is told the name of each step that is taken here.

        Raises:
            LimitReached: a limit of the run is reached; the item is queued.
            ModelError, ConfigError, StoreError: nothing works; the item is queued.
            UsageError: its decision cannot be applied yet; it is kept.
        """
        if on_step is not None:
            self.contexts.watchers[item_id] = on_step
        try:
            tried = False
            while True:
                state = self._state_of(item_id)
                if state in FINAL or (state == "parked" and tried):
                    return state
                if state == "waiting":
                    if not await self._deliver_to(item_id):
                        return state
                elif state == "running":
                    await self._wait_for_another()
                else:
                    await self._begin(item_id)
                    tried = True
        finally:
            self.contexts.watchers.pop(item_id, None)

    def _state_of(self, item_id: str) -> str:
        with self.store.connect() as connection:
            return item_store.ending_of(connection, item_id)[0]

    async def _begin(self, item_id: str) -> None:
        """Work on an item that is queued or parked, unless another worker takes it first.

        Raises:
            SolonError: why it is queued again.
        """
        self._screen()
        await self.store.writer.run(lambda c: item_store.requeue_parked(c, self.run.id, item_id))
        ids = await self.store.writer.run(lambda c: item_store.claim_named(c, [item_id], self.me))
        for item in self._load(ids):
            try:
                await self._attempt(item, ExitStack())
                await self._settle_doubtful()
            except asyncio.CancelledError:
                await asyncio.shield(self._set(item, "queued"))
                raise
        if self._state_of(item_id) == "queued":
            self._refuse()

    async def _deliver_to(self, item_id: str) -> bool:
        """Take in the decision on an item; False where there is none.

        Raises:
            SolonError: why it cannot be taken in yet.
        """
        claimed: list[Delivery] = await self.store.writer.run(
            lambda c: claim_deliveries(c, self.me, 1, item_id=item_id)
        )
        for delivery in claimed:
            for item in self._load([item_id]):
                await self._deliver(item, delivery)
            if delivery.decision_id in self._undelivered:
                self._undelivered.discard(delivery.decision_id)
                self._refuse()
                with self.store.connect() as connection:
                    problem = problem_of(connection, delivery.decision_id)
                if problem:
                    raise UsageError(
                        f"the decision on item {item_id} is kept, and could not be applied yet: {problem}",
                        next_step="mend that, and call the graph again",
                    )
        return bool(claimed)

    def _refuse(self) -> None:
        """Raise what keeps items from being worked on; what comes later may be another matter."""
        fatal, self._fatal = self._fatal, None
        if fatal is not None:
            raise fatal
        if self.meter.stopping:
            raise LimitReached(self.meter.stopping, next_step="raise the limit, and call the graph again")

    async def _wait_for_another(self) -> None:
        """Another worker has the item: look again soon, and see to it that the items of dead ones are free."""
        await asyncio.sleep(LOOK_AGAIN)
        await self.store.writer.run(lambda c: item_store.release_dead(c, self.run.id))
