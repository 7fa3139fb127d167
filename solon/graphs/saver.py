"""The checkpointer of a store: a SQLite file beside it, or the same PostgreSQL database."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from solon.errors import ConfigError
from solon.graphs.known_threads import CheckpointDamaged, Summed, find_sound, is_over
from solon.observers import warn
from solon.store.database.engine import mapped_errors
from solon.store.database.store import Store
from solon.store.upkeep.pruning import damage_of, set_aside, stored_threads


@asynccontextmanager
async def open_saver(store: Store, *, history: bool = False) -> AsyncIterator[Any]:
    """A context with the store's checkpointer. Only plain values are ever unpacked from it: no pickle, no
    classes.

    Args:
        history: keep every checkpoint of a thread, for graphs that are not the store's own; otherwise only the newest
            is kept, and none of an item that has ended.

    A file that is damaged is set aside under another name, with a warning, and an empty one begun: what it
    held is replayed from the journal.
    """
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    serde = Summed(JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None))
    with mapped_errors(store.url):
        postgres = store.checkpoints.startswith("postgresql")
        opened = (
            _open_postgres(store.checkpoints, serde)
            if postgres
            else _open_sqlite(store.checkpoints, serde, history)
        )
        async with opened as saver:
            yield saver


async def damaged_threads(store: Store, *, drop: bool = False) -> list[str]:
    """The ids of threads whose checkpoints cannot be read, in a file or database that is sound as a whole.

    Args:
        drop: drop those threads; their items are replayed from the journal.
    """
    damaged: list[str] = []
    if not store.checkpoints.startswith("postgresql") and not Path(store.checkpoints).exists():
        return damaged  # opening would make it
    async with open_saver(store) as saver:
        for thread in sorted(stored_threads(store)):
            try:
                await find_sound({"configurable": {"thread_id": thread, "checkpoint_ns": ""}}, saver)
            except CheckpointDamaged:
                damaged.append(thread)
                if drop:
                    await saver.adelete_thread(thread)
    return damaged


_sound: dict[str, tuple[int, ...]] = {}
"""Files as this process left them: only what has changed since is looked at as a whole, a second for 50,000 items."""
_looking = threading.Lock()


def _state_of(path: str) -> tuple[int, ...]:
    stat = os.stat(path)
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _set_aside_damaged(path: str) -> None:
    with _looking:
        if not os.path.exists(path) or _sound.pop(path, ()) == _state_of(path):
            return
        damage = damage_of(Path(path))
        if damage:
            aside = set_aside(Path(path))
            warn(
                f"the checkpoints {path} are damaged ({damage}): the file is now {aside.name}, and items that wait "
                "are replayed from the journal at no cost"
            )


@asynccontextmanager
async def _open_sqlite(path: str, serde: Any, history: bool) -> AsyncIterator[Any]:
    from solon.graphs.sqlite_saver import SqliteSaver

    _set_aside_damaged(path)
    saver = (
        SqliteSaver(path, serde=serde, keep="all")
        if history
        else SqliteSaver(path, serde=serde, keep="latest", is_over=is_over)
    )
    try:
        yield saver
    finally:
        saver.close()
        if not saver.damaged:
            _sound[path] = _state_of(path)


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
