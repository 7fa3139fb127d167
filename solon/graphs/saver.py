"""The checkpointer of a store: a SQLite file beside it, or the same PostgreSQL database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from solon.errors import ConfigError
from solon.graphs.known_threads import is_over
from solon.store import Store
from solon.store.engine import mapped_errors


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
