"""One writer thread a process: rows and small transactions from many tasks are committed in groups.

SQLite takes one writer at a time, and a synced commit costs more than the rows in it. Tasks hand over rows (inserted
with ON CONFLICT DO NOTHING, since every id is deterministic) or functions of a connection; the thread commits all
that has gathered in one short immediate transaction and then wakes the tasks.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from solon.errors import StoreError
from solon.store.engine import explain

if TYPE_CHECKING:
    from solon.store.store import Store

T = TypeVar("T")
Row = Mapping[str, Any]
Rows = Sequence[tuple[type, Row]]
GROUP = 512


@dataclass(slots=True)
class _Job:
    rows: Rows
    function: Callable[[Connection], Any] | None
    done: Callable[[Any, BaseException | None], None]


def insert_rows(connection: Connection, rows: Iterable[tuple[type, Row]]) -> None:
    """Insert rows of any tables in dependency order; a row that is there already stays as it is."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    by_table: dict[Table, dict[tuple[str, ...], list[Row]]] = {}
    for table_class, row in rows:
        table: Table = table_class.__table__  # type: ignore[attr-defined]
        by_table.setdefault(table, {}).setdefault(tuple(row), []).append(row)
    for table in sorted(by_table, key=_dependency_rank):
        for same_columns in by_table[table].values():
            connection.execute(dialect.insert(table).on_conflict_do_nothing(), [dict(row) for row in same_columns])


_ranks: dict[str, int] = {}


def _dependency_rank(table: Table) -> int:
    if not _ranks:
        _ranks.update({known.name: rank for rank, known in enumerate(table.metadata.sorted_tables)})
    return _ranks[table.name]


class Writer:
    """The group-commit writer of one store in this process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    async def add(self, rows: Rows) -> None:
        """Insert rows; returns once they are committed."""
        if rows:
            await self._submit_async(rows, None)

    async def run(self, function: Callable[[Connection], T]) -> T:
        """Run a short function inside a write transaction; returns its value once committed.

        Whatever it raises undoes its own changes only.
        """
        result: T = await self._submit_async((), function)
        return result

    def post(self, rows: Rows) -> Future[None]:
        """Insert rows without waiting; the future tells when they are committed."""
        future: Future[None] = Future()

        def done(value: Any, error: BaseException | None) -> None:
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

        self._put(_Job(rows, None, done))
        return future

    def close(self) -> None:
        """Commit what was handed over and end the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    async def _submit_async(self, rows: Rows, function: Callable[[Connection], Any] | None) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def settle(value: Any, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

        self._put(_Job(rows, function, lambda value, error: loop.call_soon_threadsafe(settle, value, error)))
        # Shielded: a cancelled task must not undo what the thread is about to commit.
        return await asyncio.shield(future)

    def _put(self, job: _Job) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="solon-writer", daemon=True)
                self._thread.start()
        self._queue.put(job)

    def _work(self) -> None:
        while True:
            job = self._queue.get()
            if job is None:
                return
            jobs = [job]
            ended = False
            while len(jobs) < GROUP:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    ended = True
                    break
                jobs.append(following)
            self._commit(jobs)
            if ended:
                return

    def _commit(self, jobs: list[_Job]) -> None:
        results: list[tuple[Any, BaseException | None]] = []
        try:
            with self._store.transaction() as connection:
                insert_rows(connection, [row for job in jobs for row in job.rows])
                for job in jobs:
                    results.append(_run_isolated(connection, job.function))
        except BaseException as error:
            if len(jobs) > 1 and not isinstance(error, StoreError):
                # One bad job must not take the others down: each gets a transaction of its own.
                for job in jobs:
                    self._commit([job])
                return
            mapped = error if isinstance(error, StoreError) else explain(error, self._store.url)
            results = [(None, mapped)] * len(jobs)
        for job, (value, problem) in zip(jobs, results, strict=True):
            try:
                job.done(value, problem)
            except RuntimeError:
                pass  # the loop of the task that asked is closed: nobody waits any more


def _run_isolated(
    connection: Connection, function: Callable[[Connection], Any] | None
) -> tuple[Any, BaseException | None]:
    if function is None:
        return None, None
    savepoint = connection.begin_nested()
    try:
        value = function(connection)
    except Exception as error:
        savepoint.rollback()
        return None, error
    savepoint.commit()
    return value, None
