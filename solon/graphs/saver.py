"""The checkpointer of a store: a SQLite file beside it, or the same PostgreSQL database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from solon.errors import ConfigError
from solon.store import Store


@asynccontextmanager
async def open_saver(store: Store) -> AsyncIterator[Any]:
    """Open the store's checkpointer. Only plain values are ever unpacked from it: no pickle, no classes."""
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    serde = JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)
    if store.checkpoints.startswith("postgresql"):
        async with _open_postgres(store.checkpoints, serde) as saver:
            yield saver
        return
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with aiosqlite.connect(store.checkpoints, timeout=30) as connection:
        saver = AsyncSqliteSaver(connection, serde=serde)
        await saver.setup()
        await connection.execute("PRAGMA synchronous = NORMAL")
        yield saver


@asynccontextmanager
async def _open_postgres(url: str, serde: Any) -> AsyncIterator[Any]:
    try:
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    except ModuleNotFoundError:
        raise ConfigError(
            "PostgreSQL needs langgraph-checkpoint-postgres", next_step="pip install 'solon[postgres]'"
        ) from None
    async with AsyncPostgresSaver.from_conn_string(url, serde=serde) as saver:
        await saver.setup()
        yield saver
