"""The checkpointer of a store: a SQLite file beside it, or the same PostgreSQL database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from solon.errors import ConfigError
from solon.store import Store
from solon.store.engine import mapped_errors

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import CheckpointTuple

NEW, KEPT = "__new_thread", "__kept_thread"
"""Keys of a thread's configuration, see `look_up`; the underscores keep them out of the metadata of checkpoints."""


class CheckpointLost(Exception):
    """A thread that was said to have a checkpoint has none."""


@asynccontextmanager
async def open_saver(store: Store) -> AsyncIterator[Any]:
    """Open the store's checkpointer. Only plain values are ever unpacked from it: no pickle, no classes."""
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    serde = JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)
    with mapped_errors(store.url):
        opened = _open_postgres if store.checkpoints.startswith("postgresql") else _open_sqlite
        async with opened(store.checkpoints, serde) as saver:
            yield saver


@asynccontextmanager
async def _open_sqlite(path: str, serde: Any) -> AsyncIterator[Any]:
    from solon.graphs.sqlite_saver import SqliteSaver

    saver = SqliteSaver(path, serde=serde, keep="latest", is_over=is_over)
    try:
        yield saver
    finally:
        saver.close()


async def look_up(
    config: RunnableConfig, find: Callable[[RunnableConfig], Awaitable[CheckpointTuple | None]]
) -> CheckpointTuple | None:
    """What a saver finds of a thread. It does not look for one that is called new: nothing was ever written of it.

    Raises:
        CheckpointLost: there is nothing of one that is called kept. LangGraph would begin it with a resume value.
    """
    known = config["configurable"]
    if known.get(NEW):
        return None
    found = await find(config)
    if found is None and known.get(KEPT):
        raise CheckpointLost
    return found


def is_over(values: dict[str, Any]) -> bool:
    """Has an item's thread ended? Then `finish` has committed its outcome to the store, and the thread is not needed.

    Whatever asks for it again is answered by the store, or by a new attempt that the journal replays.
    """
    return "outcome" in values and values.get("next") == "end"


@asynccontextmanager
async def _open_postgres(url: str, serde: Any) -> AsyncIterator[Any]:
    try:
        from solon.graphs.postgres_saver import PostgresSaver
    except ModuleNotFoundError:
        raise ConfigError(
            "PostgreSQL needs langgraph-checkpoint-postgres", next_step="pip install 'solon[postgres]'"
        ) from None
    async with PostgresSaver.from_conn_string(url, serde=serde) as saver:
        await saver.setup()
        yield saver
