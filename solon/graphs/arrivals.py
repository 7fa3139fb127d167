"""Items that are stored while the first of their run are worked on already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from solon.store.database.store import Store

if TYPE_CHECKING:
    from solon.store.database.engine import Connection


class Arrivals:
    """The items of a run that are not stored yet: part by part, all of them, whatever becomes of the work meanwhile."""

    def __init__(self, store: Store, parts: Iterator[Callable[[Connection], None]], items: int) -> None:
        """Args:
        parts: what stores the next part in a transaction; each is made in a thread while the run goes on.
        items: how many the run will have.
        """
        self.items, self.stored = items, False
        self._store, self._parts = store, parts
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator[None]:
        """A context in which they are stored, and which ends when all are.

        Raises:
            SeedError, StoreError: what kept a part from being stored.
        """
        self._task = asyncio.create_task(self._store_all())
        try:
            yield
            await self._task
        finally:
            self._task.cancel()

    async def more(self) -> bool:
        """Wait for a further part; False where there is none. Errors are those of `under_way`."""
        if self._task is None or (self._task.done() and not self._news.is_set()):
            if self._task is not None:
                self._task.result()
            return False
        await self._news.wait()
        self._news.clear()
        return True

    async def _store_all(self) -> None:
        try:
            while (part := await asyncio.to_thread(next, self._parts, None)) is not None:
                await self._store.writer.run(part)
                self._news.set()
            self.stored = True
        finally:
            self._news.set()
