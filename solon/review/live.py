"""The queue as it changes: one look at the store a second serves every open page."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from solon.store.database.store import Store
from solon.store.reviewing.deliveries import pending_deliveries
from solon.store.reviewing.queue import count_waiting
from solon.store.reviewing.worker_problems import why_waiting

FRESH_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 15.0


class Live:
    """Counts of the queue, cached for a second, and a stream of their changes.

    Attributes:
        closing: set when the server ends; the streams end then.
        worker_says: what stops this server's worker; empty where nothing does.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counts: dict[str, Any] = {}
        self._read_at = 0.0
        self.closing = False
        self.worker_says = ""

    def counts(self, *, fresh: bool = False) -> dict[str, Any]:
        """Return what waits: free, leased, escalated, opening and held reviews; to_apply: decisions for a worker.

        worker: why these decisions wait; empty where nothing stops them.

        Args:
            fresh: read them now, however lately they were read.
        """
        now = time.monotonic()
        if fresh or now - self._read_at >= FRESH_SECONDS or not self._counts:
            with self._store.connect() as connection:
                counts: dict[str, Any] = dict(count_waiting(connection))
                counts["to_apply"] = pending_deliveries(connection)
                stopped = why_waiting(connection) if counts["to_apply"] else None
            counts["worker"] = stopped.why if stopped is not None else ""
            self._counts, self._read_at = counts, now
        return {**self._counts, "worker": self.worker_says or self._counts["worker"]}

    async def changes(self) -> AsyncIterator[str]:
        """Yield server-sent events: `queue` whenever the counts change, and comments that keep the line open. After
        each look without either an empty text, so that whoever follows can see whether they still may."""
        last, said_at = "", time.monotonic()
        while not self.closing:
            body = json.dumps(await asyncio.to_thread(self.counts), sort_keys=True)
            now = time.monotonic()
            if body != last:
                last, said_at = body, now
                yield f"event: queue\ndata: {body}\n\n"
            elif now - said_at >= KEEP_ALIVE_SECONDS:
                said_at = now
                yield ": still here\n\n"
            else:
                yield ""
            await asyncio.sleep(FRESH_SECONDS)
