"""What lies in the checkpoints: which threads, which are awaited, whether the file is sound, how to give space back."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import select, text

from solon.store.engine import mapped_errors, sqlite_path
from solon.store.items import items
from solon.store.store import Store

UNDER_WAY = ("queued", "running", "waiting", "parked")


def waiting_attempts(store: Store, states: Sequence[str] = UNDER_WAY) -> Iterator[tuple[str, int]]:
    """Item and attempt of everything that has not ended, or is in these states."""
    with store.connect() as connection:
        query = select(items.c.id, items.c.attempt).where(items.c.state.in_(states))
        for row in connection.execute(query.execution_options(yield_per=1000)):
            yield str(row[0]), int(row[1])


def stored_threads(store: Store) -> set[str]:
    """The ids of all threads that have a checkpoint."""
    if sqlite_path(store.url) is None:
        with store.connect() as connection:
            return set(connection.execute(text("SELECT DISTINCT thread_id FROM checkpoints")).scalars())
    if not Path(store.checkpoints).exists():
        return set()
    with mapped_errors(store.url), closing(sqlite3.connect(store.checkpoints)) as connection:
        return {row[0] for row in connection.execute("SELECT DISTINCT thread_id FROM threads")}


def damage_of(path: Path) -> str:
    """What is wrong with a file of checkpoints, in SQLite's words; empty where it is sound, missing or empty."""
    if not path.is_file() or path.stat().st_size == 0:
        return ""
    try:
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error) if is_damage(error) else ""
    return "" if found == "ok" else found.splitlines()[-1]


def is_damage(error: BaseException | None) -> bool:
    """Is it the file itself that is broken, and not that it is locked, read-only or on a full disk?"""
    return type(error) is sqlite3.DatabaseError


def set_aside(path: Path) -> Path:
    """Rename a damaged file, with its log, to a name that nothing else has; returns that."""
    stamp, number = time.strftime("%Y%m%d-%H%M%S", time.gmtime()), 0
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        log = path.with_name(path.name + suffix)
        if log.exists():
            log.rename(aside.with_name(aside.name + suffix))
    return aside


def compact(store: Store) -> None:
    """Give the space of dropped checkpoints back to the disk. PostgreSQL does so by itself (autovacuum)."""
    if sqlite_path(store.url) is None:
        return
    with mapped_errors(store.url), closing(sqlite3.connect(store.checkpoints, timeout=30)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("VACUUM")
