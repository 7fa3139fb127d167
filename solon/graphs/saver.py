"""The checkpointer of a store: a SQLite file beside it, or the same PostgreSQL database."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from solon.errors import ConfigError, StoreError
from solon.graphs.known_threads import CheckpointDamaged, Summed, find_sound, is_over
from solon.observers import warn
from solon.store import Store
from solon.store.engine import mapped_errors
from solon.store.housekeeping import damage_of, is_damage, set_aside, stored_threads


@asynccontextmanager
async def open_saver(store: Store) -> AsyncIterator[Any]:
    """Open the store's checkpointer. Only plain values are ever unpacked from it: no pickle, no classes.

    A file that is damaged is set aside under another name, with a warning, and an empty one begun: what it held is
    replayed from the journal.
    """
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    serde = Summed(JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None))
    with mapped_errors(store.url):
        opened = _open_postgres if store.checkpoints.startswith("postgresql") else _open_sqlite
        async with opened(store.checkpoints, serde) as saver:
            yield saver


async def damaged_threads(store: Store, *, drop: bool = False) -> list[str]:
    """The threads of a sound file or database whose checkpoints cannot be read; they can be dropped."""
    damaged: list[str] = []
    if not stored_threads(store):
        return damaged
    async with open_saver(store) as saver:
        for thread in sorted(stored_threads(store)):
            try:
                await find_sound({"configurable": {"thread_id": thread, "checkpoint_ns": ""}}, saver)
            except CheckpointDamaged:
                damaged.append(thread)
                if drop:
                    await saver.adelete_thread(thread)
    return damaged


_looked_at: set[str] = set()
"""Files that this process has looked at as a whole: that takes a second where 50,000 items wait."""
_looking = threading.Lock()


def _set_aside_damaged(path: str) -> None:
    with _looking:
        if path in _looked_at:
            return
        damage = damage_of(Path(path))
        if damage:
            aside = set_aside(Path(path))
            warn(
                f"the checkpoints {path} are damaged ({damage}): the file is now {aside.name}, and items that wait "
                "are replayed from the journal at no cost"
            )
        _looked_at.add(path)


@asynccontextmanager
async def _open_sqlite(path: str, serde: Any) -> AsyncIterator[Any]:
    from solon.graphs.sqlite_saver import SqliteSaver

    def open_file() -> SqliteSaver:
        _set_aside_damaged(path)
        return SqliteSaver(path, serde=serde, keep="latest", is_over=is_over)

    try:
        saver = open_file()
    except StoreError as error:
        if not is_damage(error.__cause__):
            raise
        _looked_at.discard(path)  # it was broken since this process looked
        saver = open_file()
    try:
        yield saver
    finally:
        saver.close()
        if saver.damaged:
            _looked_at.discard(path)


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
