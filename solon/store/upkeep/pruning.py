"""Keeping a database small, sound and without traces of what was erased: old threads, damaged files, free pages."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import OperationalError

from solon.store.database.engine import BUSY_SECONDS, mapped_errors, sqlite_path
from solon.store.database.store import CLEAN, Store
from solon.store.database.writer import insert_rows
from solon.store.tables import graph_items, items, meta, metadata
from solon.store.tables.runs import Meta

UNDER_WAY = ("queued", "running", "waiting", "parked")
CHECKPOINT_TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
GRAPH_THREAD = "graph:"
"""Begins the names of threads that are no item's, but of a graph of one's own that asks for items."""
TURN = 0.2
"""Seconds for which a wait for a lock may hold others up, and which they then have before we ask for it again."""
LOCKED = "55P03"
"""PostgreSQL: the lock was not to be had in time."""


def waiting_attempts(store: Store, states: Sequence[str] = UNDER_WAY) -> Iterator[tuple[str, int]]:
    """(item id, attempt) of every item that has not ended, or of those in the given states."""
    with store.connect() as connection:
        query = select(items.c.id, items.c.attempt).where(items.c.state.in_(states))
        for row in connection.execute(query.execution_options(yield_per=1000)):
            yield str(row[0]), int(row[1])


def open_graph_threads(store: Store) -> set[str]:
    """Threads of graphs of one's own that have an item which has not ended."""
    query = select(graph_items.c.thread).join(items, items.c.id == graph_items.c.item_id)
    with store.connect() as connection:
        found = connection.execute(
            query.where(items.c.state.in_(UNDER_WAY), graph_items.c.thread.is_not(None))
        )
        return set(found.scalars())


def stored_threads(store: Store) -> set[str]:
    """The ids of all graph threads that have a checkpoint."""
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
            report = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error) if is_damage(error) else ""
    return "" if report == "ok" else report.splitlines()[-1]


def is_damage(error: BaseException | None) -> bool:
    """Whether an error says that the file itself is broken, not that it is locked, read-only or on a full disk."""
    return type(error) is sqlite3.DatabaseError


def set_aside(path: Path) -> Path:
    """Rename a damaged file, with its log, to a name that nothing else has; returns the new path."""
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


def is_clean(store: Store) -> bool:
    """Whether everything that was ever erased in these files was overwritten. PostgreSQL overwrites nothing by
    itself.
    """
    with store.connect() as connection:
        return connection.execute(select(meta.c.name).where(meta.c.name == CLEAN)).first() is not None


def cut_log(path: Path) -> bool:
    """Move what the log of a SQLite file holds into the file, which overwrites what was erased, and empty the log.

    Others go on reading and writing meanwhile. Returns False where one of them reads an older state for too long.
    """
    if not path.exists():
        return True
    end = time.monotonic() + BUSY_SECONDS
    with (
        mapped_errors(f"sqlite:///{path}", "solon forget --sweep"),
        closing(sqlite3.connect(path, timeout=TURN)) as connection,
    ):
        while True:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy or time.monotonic() >= end:
                return not busy
            time.sleep(TURN)


def compact_file(path: Path) -> None:
    """Write a SQLite file anew, without free pages, and empty its log. Nobody else can write meanwhile."""
    if not path.exists():
        return
    with (
        mapped_errors(f"sqlite:///{path}", "solon prune --compact"),
        closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def rewrite_tables(store: Store, names: Collection[str] | None = None) -> list[str]:
    """Write tables of PostgreSQL anew (default: all), one by one, without their dead rows, whose bytes a plain
    VACUUM leaves.

    Each is locked while it is written. Returns the names of those that others held for too long, which stay as they
    are.
    """
    known = (*(table.name for table in metadata.sorted_tables), *CHECKPOINT_TABLES)
    held = []
    with mapped_errors(store.url), store.engine.connect() as opened:
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        query = text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        there = set(connection.execute(query).scalars())
        connection.exec_driver_sql(f"SET lock_timeout = {int(TURN * 1000)}")
        try:
            for name in known:
                if name in there and (names is None or name in names) and not _rewrite(connection, name):
                    held.append(name)
        finally:
            connection.exec_driver_sql("RESET lock_timeout")
    return held


def _rewrite(connection: Connection, name: str) -> bool:
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.exec_driver_sql(f'VACUUM (FULL) "{name}"')
            return True
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", "") != LOCKED:
                raise
            if time.monotonic() >= end:
                return False
            time.sleep(TURN)


def compact(store: Store) -> list[str]:
    """Write the whole store and its checkpoints anew, without what was erased; returns the tables that others held."""
    path = sqlite_path(store.url)
    if path is None:
        return rewrite_tables(store)
    compact_file(path)
    compact_file(Path(store.checkpoints))
    with store.transaction() as connection:
        insert_rows(connection, [(Meta, {"name": CLEAN, "value": "1"})])
    return []
