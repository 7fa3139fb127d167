"""The store's checkpoints for threads of graphs of one's own: under names apart from those of items, from any event
loop and from synchronous code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)

from solon.store.upkeep.pruning import GRAPH_THREAD
from solon.sync import BackgroundLoop

Saver = BaseCheckpointSaver[Any]


class OwnSaver(BaseCheckpointSaver[Any]):
    """LangGraph's checkpointer contract over a saver that is open in another loop.

    Args:
        inner: the saver there.
        loop: that loop.
        graph: name of the graph, so that threads of two graphs are told apart.
    """

    def __init__(self, inner: BaseCheckpointSaver[Any], loop: BackgroundLoop, graph: str) -> None:
        super().__init__(serde=inner.serde)
        self._inner, self._loop, self._prefix = inner, loop, f"{GRAPH_THREAD}{graph}:"

    def name_of(self, thread_id: object) -> str:
        """The name of a thread in the store's checkpoints."""
        return f"{self._prefix}{thread_id}"

    def get_next_version(self, current: Any, channel: None) -> Any:
        """The version of a channel after this one."""
        return self._inner.get_next_version(current, channel)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that a configuration names, or the newest of its thread; None where there is none."""
        return self._loop.run(self._get(config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The same, for callers in an event loop."""
        return await self._loop.arun(self._get(config))

    def list(self, config: RunnableConfig | None, **which: Any) -> Iterator[CheckpointTuple]:
        """The checkpoints that fit, the newest first."""
        yield from self._loop.run(self._list(config, **which))

    async def alist(self, config: RunnableConfig | None, **which: Any) -> AsyncIterator[CheckpointTuple]:
        """The same, for callers in an event loop."""
        for found in await self._loop.arun(self._list(config, **which)):
            yield found

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint; gives the configuration that names it."""
        return self._loop.run(self._put(config, checkpoint, metadata, new_versions))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """The same, for callers in an event loop."""
        return await self._loop.arun(self._put(config, checkpoint, metadata, new_versions))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store the writes of a task."""
        self._loop.run(self._inner.aput_writes(self._inside(config), writes, task_id, task_path))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """The same, for callers in an event loop."""
        await self._loop.arun(self._inner.aput_writes(self._inside(config), writes, task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        """Drop every row of a thread."""
        self._loop.run(self._inner.adelete_thread(self.name_of(thread_id)))

    async def adelete_thread(self, thread_id: str) -> None:
        """The same, for callers in an event loop."""
        await self._loop.arun(self._inner.adelete_thread(self.name_of(thread_id)))

    async def _get(self, config: RunnableConfig) -> CheckpointTuple | None:
        found = await self._inner.aget_tuple(self._inside(config))
        return None if found is None else self._outside(found)

    async def _list(self, config: RunnableConfig | None, **which: Any) -> Sequence[CheckpointTuple]:
        if which.get("before") is not None:
            which["before"] = self._inside(which["before"])
        inside = None if config is None else self._inside(config)
        found = [one async for one in self._inner.alist(inside, **which)]
        own = (one for one in found if str(one.config["configurable"]["thread_id"]).startswith(self._prefix))
        return [self._outside(one) for one in own]

    async def _put(self, config: RunnableConfig, *rest: Any) -> RunnableConfig:
        return self._renamed(await self._inner.aput(self._inside(config), *rest))

    def _inside(self, config: RunnableConfig) -> RunnableConfig:
        called = config["configurable"]
        return {**config, "configurable": {**called, "thread_id": self.name_of(called["thread_id"])}}

    def _outside(self, found: CheckpointTuple) -> CheckpointTuple:
        return found._replace(
            config=self._renamed(found.config),
            parent_config=found.parent_config and self._renamed(found.parent_config),
        )

    def _renamed(self, config: RunnableConfig) -> RunnableConfig:
        called = config["configurable"]
        thread = str(called["thread_id"]).removeprefix(self._prefix)
        return {**config, "configurable": {**called, "thread_id": thread}}
