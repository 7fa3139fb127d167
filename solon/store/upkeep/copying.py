"""Move a whole store to another database: every row, in one transaction of the target.

Checkpoints stay behind: an item that waits is replayed from its journal, at no model cost, when its answer comes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, func, insert, select, update

from solon.errors import InternalError, StoreError, UsageError
from solon.observers import watched
from solon.store.database import clock
from solon.store.database.engine import make_engine, mapped_errors, sqlite_path
from solon.store.database.store import Store, bring_up, check_folder, read_schema
from solon.store.runs.items import is_gone
from solon.store.tables import items, metadata

BATCH = 1000

Progress = Callable[[str, int, int], None]
"""Told the table, its rows copied so far, and its rows in all."""


def copy_store(source: Store, target_url: str, on_progress: Progress | None = None) -> dict[str, int]:
    """Copy every table of `source` into the empty database at `target_url`; returns the number of rows by table.

    The copy is of one snapshot, keeps every id and the store's key, and is all there or not at all.

    Raises:
        StoreError: the target holds a store already, also one of a newer Solon, or cannot be written.
        UsageError: a process still works on the source.
        ConfigError: the target is no store URL.
    """
    engine, tell = make_engine(target_url), watched("on_progress", on_progress)
    try:
        with mapped_errors(target_url), source.connect() as reading:
            _refuse_busy(reading)
            path = sqlite_path(target_url)
            if path is not None:
                check_folder(path)
            with engine.connect() as opened:
                schema = read_schema(opened)
            bring_up(engine, schema)
            with (
                engine.connect().execution_options(solon_write=True) as writing,
                writing.begin(),
            ):
                _refuse_filled(writing, target_url)
                return {
                    table.name: _copy_table(table, reading, writing, tell) for table in metadata.sorted_tables
                }
    finally:
        engine.dispose()


def _copy_table(table: Table, reading: Connection, writing: Connection, on_progress: Progress | None) -> int:
    total = int(reading.execute(select(func.count()).select_from(table)).scalar_one())
    parents = [
        column for column in table.columns if any(key.column.table is table for key in column.foreign_keys)
    ]
    done = 0
    blank = dict.fromkeys((column.name for column in parents), None)
    with closing(_batches(reading, table)) as batches:
        for rows in batches:
            writing.execute(insert(table), [{**row, **blank} for row in rows])
            done += len(rows)
            if on_progress is not None:
                on_progress(table.name, done, total)
    for column in parents:
        _point_back(table, column, reading, writing)
    written = int(writing.execute(select(func.count()).select_from(table)).scalar_one())
    if written != total:
        raise InternalError(f"{table.name}: {total} rows in the source, {written} in the copy")
    return total


def _point_back(table: Table, column: Column[Any], reading: Connection, writing: Connection) -> None:
    """Rows that name another row of their own table are joined to it once all are there."""
    (key,) = table.primary_key.columns
    joined = update(table).where(key == bindparam("row")).values({column.name: bindparam("named")})
    query = select(key.label("row"), column.label("named")).where(column.is_not(None))
    with reading.execute(query.execution_options(yield_per=BATCH)) as result:
        for part in result.mappings().partitions():
            writing.execute(joined, [dict(row) for row in part])


def _batches(reading: Connection, table: Table) -> Generator[list[dict[str, Any]]]:
    query = select(table).execution_options(yield_per=BATCH)
    with reading.execute(query) as result:  # PostgreSQL keeps a cursor open until it is told otherwise
        for part in result.mappings().partitions():
            yield [dict(row) for row in part]


def _refuse_busy(reading: Connection) -> None:
    held = (items.c.state == "running", items.c.claimed_until >= clock.now())
    query = select(items.c.claimed_by).where(*held).distinct()
    alive = [name for name in reading.execute(query).scalars() if name and not is_gone(name)]
    if alive:
        raise UsageError(
            f"{len(alive)} process(es) still work on this store",
            next_step="stop its runs, servers and workers first (Ctrl-C loses nothing); where none runs, "
            "`solon resume RUN` takes back what a dead one held",
        )


def _refuse_filled(writing: Connection, url: str) -> None:
    for table in metadata.sorted_tables:
        if writing.execute(select(table).limit(1)).first() is not None:
            raise StoreError(
                f"{sqlite_path(url) or 'the target database'} holds a store already (rows in {table.name})",
                next_step="name an empty database; nothing was changed",
            )
