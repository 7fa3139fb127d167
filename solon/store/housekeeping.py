"""What prune needs to know of the database: which threads lie there, which are awaited, and how to give space back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import select, text

from solon.store.engine import mapped_errors, sqlite_path
from solon.store.items import items
from solon.store.store import Store

UNDER_WAY = ("queued", "running", "waiting", "parked")


def waiting_attempts(store: Store) -> Iterator[tuple[str, int]]:
    """Item and attempt of everything that has not ended."""
    with store.connect() as connection:
        query = select(items.c.id, items.c.attempt).where(items.c.state.in_(UNDER_WAY))
        for row in connection.execute(query.execution_options(yield_per=1000)):
            yield str(row[0]), int(row[1])


def stored_threads(store: Store) -> set[str]:
    """The ids of all threads that have a checkpoint."""
    if sqlite_path(store.url) is None:
        with store.connect() as connection:
            return set(connection.execute(text("SELECT DISTINCT thread_id FROM checkpoints")).scalars())
    with mapped_errors(store.url), closing(sqlite3.connect(store.checkpoints)) as connection:
        return {row[0] for row in connection.execute("SELECT DISTINCT thread_id FROM threads")}


def compact(store: Store) -> None:
    """Give the space of dropped checkpoints back to the disk. PostgreSQL does so by itself (autovacuum)."""
    if sqlite_path(store.url) is None:
        return
    with mapped_errors(store.url), closing(sqlite3.connect(store.checkpoints, timeout=30)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("VACUUM")
