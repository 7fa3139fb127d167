"""The checkpointer of a store: a SQLite file beside it, or the same PostgreSQL database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from solon.errors import ConfigError
from solon.store import Store
from solon.store.engine import mapped_errors

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

NEW_THREAD = "__new_thread"
"""Key of a thread's configuration, see `is_new`; the underscores keep it out of the metadata of checkpoints."""


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


def is_new(config: RunnableConfig) -> bool:
    """Was nothing ever written of this thread? Whoever begins it says so, and a saver need not look."""
    return bool(config["configurable"].get(NEW_THREAD))


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
