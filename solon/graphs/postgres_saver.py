"""The stock checkpointer over PostgreSQL, without the queries whose answer Solon knows. Imports psycopg."""

from __future__ import annotations

import asyncio
from typing import Any, LiteralString

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from solon.graphs.known_threads import is_over, look_up

SETUP_LOCK = 0x536F6C6F6E + 1
"""Key of the advisory lock under which processes make the tables one after the other."""
TURN = 0.05
"""Seconds between two looks at a lock that another holds."""


class PostgresSaver(AsyncPostgresSaver):
    """LangGraph's checkpointer over PostgreSQL. A thread that has ended is dropped instead of written, and a
    new one is not looked for.

    `synchronous_commit` is off, as `synchronous` is NORMAL in the SQLite file: a killed process loses
    nothing; a server that crashes may lose the checkpoints of its last moments, whose items are replayed from
    the journal.
    """

    async def setup(self) -> None:
        """Make the tables where they are missing; of several processes at once one does, and the others wait."""
        # Asked again and again: an index that is made concurrently waits for whoever waits in the database itself.
        while not await self._ask("SELECT pg_try_advisory_lock(%s)"):  # noqa: ASYNC110 (another process holds it)
            await asyncio.sleep(TURN)
        try:
            await super().setup()
        finally:
            await self._ask("SELECT pg_advisory_unlock(%s)")
        async with self._cursor() as cursor:
            await cursor.execute("SET synchronous_commit = off")

    async def _ask(self, query: LiteralString) -> Any:
        async with self._cursor() as cursor:
            await cursor.execute(query, (SETUP_LOCK,))
            row = await cursor.fetchone()
        return next(iter((row or {}).values()))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The newest checkpoint of a thread, or None; see `look_up`."""
        return await look_up(config, self)

    async def find(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The newest checkpoint in the database, or None, whatever is known of the thread."""
        return await super().aget_tuple(config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, or drop its thread where it has ended; gives the configuration that names the
        checkpoint."""
        if not is_over(checkpoint["channel_values"]):
            return await super().aput(config, checkpoint, metadata, new_versions)
        thread = config["configurable"]
        if thread.get("checkpoint_id"):  # else it ended without a stop, and there is nothing to drop
            await self.adelete_thread(thread["thread_id"])
        return {"configurable": {**thread, "checkpoint_id": checkpoint["id"]}}
