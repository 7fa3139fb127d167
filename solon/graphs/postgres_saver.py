"""The stock checkpointer over PostgreSQL, spared what Solon needs no answer to. Imports psycopg."""

from __future__ import annotations

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from solon.graphs.known_threads import is_over, look_up


class PostgresSaver(AsyncPostgresSaver):
    """A thread that has ended is dropped instead of written, and a new one is not looked for.

    `synchronous_commit` is off, as `synchronous` is NORMAL in the SQLite file: a killed process loses nothing; a server
    that crashes may lose the checkpoints of its last moments, whose items are replayed from the journal.
    """

    async def setup(self) -> None:
        await super().setup()
        async with self._cursor() as cursor:
            await cursor.execute("SET synchronous_commit = off")

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await look_up(config, self)

    async def find(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await super().aget_tuple(config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        if not is_over(checkpoint["channel_values"]):
            return await super().aput(config, checkpoint, metadata, new_versions)
        thread = config["configurable"]
        if thread.get("checkpoint_id"):  # else it ended without a stop, and there is nothing to drop
            await self.adelete_thread(thread["thread_id"])
        return {"configurable": {**thread, "checkpoint_id": checkpoint["id"]}}
