"""The runner that carries decisions to their items, and does nothing else of a run: no item is begun that was
never begun. `resuming` resumes the graph of each with its decision."""

from __future__ import annotations

import asyncio

from solon.graphs.runner import DELIVERY_PAUSE, Runner
from solon.store.runs.items import ItemRow
from solon.store.runs.requeued import claim_begun


class Courier(Runner):
    """A runner that goes on only with items that were begun before: decided ones, and what learning moved."""

    async def _feed(self, queue: asyncio.Queue[ItemRow | None], size: int) -> None:
        while not self._stopping:
            ids = await self.store.writer.run(lambda c: claim_begun(c, self.run.id, size, self.me))
            if not ids:
                return
            for item in self._load(ids):
                await queue.put(item)

    async def _work_through(self, size: int) -> None:
        """Decisions that come while items go on are delivered beside them."""
        work = asyncio.create_task(super()._work_through(size))
        try:
            while not work.done():
                await self._deliver_all(size)
                await asyncio.wait([work], timeout=DELIVERY_PAUSE)
        except BaseException:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            raise
        await work

    async def _spend_budget(self, size: int) -> None:
        """Only a run that has judged all its items may begin to spend its budget. Where the panel has learned from a
        round that was begun by such a run, this goes on to the next."""
        if self.learned is not None:
            await super()._spend_budget(size)
