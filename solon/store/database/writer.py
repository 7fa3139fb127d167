"""The one thread of a process that writes to the store: rows and small transactions of many tasks are committed in
groups.

SQLite takes one writer at a time, and a synced commit costs more than the rows in it. Tasks hand over rows (inserted
with ON CONFLICT DO NOTHING, since every id is deterministic) or functions of a connection; the thread commits all
that has gathered in one short immediate transaction and then wakes the tasks.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar, cast

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite

from solon.errors import ClaimLost, InternalError, StoreError
from solon.store.database.claims import Claim
from solon.store.tables import table_of

T = TypeVar("T")
C_co = TypeVar("C_co", covariant=True)
Row = Mapping[str, Any]
Rows = Sequence[tuple[type, Row]]
GROUP = 512
PAUSE = 0.01
LONGEST_PAUSE = 0.05
PAUSE_OF_ONE = 0.002
"""Seconds between the beginnings of two commits: so long for each handful of rows that the last one took in, within
these bounds. Where over 500 handfuls come in a second each commit takes in more of them, since it costs nearly as much
for a few as for many. Functions, whose values tasks wait for, do not lengthen it. What a crash takes is what was handed
over in this time."""


@dataclass(slots=True)
class _Job:
    rows: Rows
    function: Callable[[Any], Any] | None
    future: Future[Any] | asyncio.Future[Any]
    claim: Claim | None = None
    instead: Callable[[], Rows] = tuple


def insert_rows(connection: Connection, rows: Iterable[tuple[type, Row]]) -> None:
    """Insert (table class, row) pairs of any tables, parents before children; a row that is there already, or comes
    twice, stays as it is.
    """
    alike: dict[tuple[type, tuple[str, ...]], dict[str | int, Row]] = {}
    for table_class, row in rows:
        same_columns = alike.setdefault((table_class, tuple(row)), {})
        # The driver takes as long for a row that is there as for a new one, and each call brings the texts it quotes.
        same_columns.setdefault(row.get("id", len(same_columns)), row)
    by_table = [(table_of(kind), columns, found.values()) for (kind, columns), found in alike.items()]
    for table, columns, found in sorted(by_table, key=lambda group: _dependency_rank(group[0])):
        prepared = _prepare(connection.dialect, table, columns)
        connection.exec_driver_sql(prepared.sql, [prepared.values(row) for row in found])


@dataclass(frozen=True, slots=True)
class _Insert:
    """An insert as the driver takes it; compiling it, and not each row's values, is what costs."""

    sql: str
    names: tuple[str, ...]
    converters: tuple[tuple[str, Callable[[Any], Any]], ...]
    defaults: Mapping[str, Any]
    named: bool

    def values(self, row: Row) -> Any:
        if self.converters or self.defaults:
            row = {**self.defaults, **row}
            for name, convert in self.converters:
                row[name] = convert(row[name])
        return row if self.named else tuple([row[name] for name in self.names])


@lru_cache(maxsize=512)
def _prepare(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> _Insert:
    insert = (postgresql if dialect.name == "postgresql" else sqlite).insert(table).on_conflict_do_nothing()
    compiled = insert.compile(dialect=dialect, column_keys=list(columns))
    names = tuple(compiled.positiontup or compiled.params)
    converters = {name: table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names}
    return _Insert(
        str(compiled),
        names,
        converters=tuple((name, convert) for name, convert in converters.items() if convert is not None),
        defaults={name: _default(table, name) for name in names if name not in columns},
        named=not compiled.positional,
    )


def _default(table: Table, name: str) -> Any:
    """The value of a column that a row does not give."""
    default = table.c[name].default
    if default is None or not default.is_scalar:
        raise InternalError(f"a row of {table.name} must give {name}")
    return default.arg  # type: ignore[attr-defined]


_ranks: dict[str, int] = {}


def _dependency_rank(table: Table) -> int:
    if not _ranks:
        _ranks.update({known.name: rank for rank, known in enumerate(table.metadata.sorted_tables)})
    return _ranks[table.name]


class Transactions(Protocol[C_co]):
    """What a writer writes to: the store, or a file of checkpoints."""

    def transaction(self) -> AbstractContextManager[C_co]:
        """A short write transaction; errors of the database come out as `StoreError`."""


class Writer(Generic[C_co]):
    """The group-commit writer of one store in this process.

    What is handed over with a `claim` is written only while that claim holds; otherwise none of it is, and whoever
    waits for it gets `ClaimLost`. All claims of a commit are looked up at once, in its own transaction.
    """

    def __init__(
        self,
        store: Transactions[C_co],
        find_lost: Callable[[Any, set[Claim]], set[Claim]] = lambda connection, claims: set(),
    ) -> None:
        self._store, self._find_lost = store, find_lost
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    async def add(self, rows: Rows) -> None:
        """Insert rows, and wait until they are committed."""
        if rows:
            await self._submit_async(rows, None)

    async def run(self, function: Callable[[C_co], T], rows: Rows = (), claim: Claim | None = None) -> T:
        """The value of a short function that runs after `rows` are inserted, in the same write transaction, once
        committed.

        Whatever it raises undoes its own changes and rows only. It may be run again where another of its group
        failed, so it must do nothing but read and write through its connection.

        Raises:
            ClaimLost: the claim does not hold any more; nothing was written.
        """
        result: T = await self._submit_async(rows, function, claim)
        return result

    def post(
        self, rows: Rows, claim: Claim | None = None, instead: Callable[[], Rows] = tuple
    ) -> Future[None]:
        """Insert rows without waiting; the future tells when they are committed, and fails with `ClaimLost` where
        the claim is lost. `instead`: makes the rows that are inserted in that case.
        """
        future: Future[None] = Future()
        self._put(_Job(rows, None, future, claim, instead))
        return future

    def send(self, rows: Rows, claim: Claim | None = None) -> asyncio.Future[None]:
        """Insert rows like `post`, for a task that may wait: the event loop is woken once for all that a commit has
        settled.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_see)
        self._put(_Job(rows, None, future, claim))
        return future

    def close(self) -> None:
        """Commit what was handed over and end the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._jobs.put(None)
            self._jobs = queue.SimpleQueue()  # what comes later is for another thread
        if thread is not None:
            thread.join()

    async def _submit_async(
        self, rows: Rows, function: Callable[[Any], Any] | None, claim: Claim | None = None
    ) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._put(_Job(rows, function, future, claim))
        # Shielded: a cancelled task must not undo what the thread is about to commit.
        return await asyncio.shield(future)

    def _put(self, job: _Job) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(
                    target=self._work, args=(self._jobs,), name="solon-writer", daemon=True
                )
                thread.start()
                self._thread = thread
            self._jobs.put(job)

    def _work(self, waiting: queue.SimpleQueue[_Job | None]) -> None:
        """Commit what comes, group by group, until the writer is closed."""
        begun = pause = 0.0
        jobs: list[_Job] = []
        try:
            while (job := waiting.get()) is not None:
                jobs = [job]
                # What comes alone is committed at once; under load a short pause lets many share one commit.
                time.sleep(max(0.0, begun + pause - time.monotonic()))
                begun = time.monotonic()
                ended = _gather(waiting, jobs)
                self._commit(jobs)
                if ended:
                    return
                pause = pause_after(sum(job.function is None for job in jobs))
        except BaseException as error:
            self._abandon(waiting, jobs, error)

    def _abandon(
        self, waiting: queue.SimpleQueue[_Job | None], jobs: list[_Job], error: BaseException
    ) -> None:
        """Tell everybody who waits for this thread why it ended; what comes later is for another one."""
        with self._lock:
            if self._jobs is waiting:
                self._thread, self._jobs = None, queue.SimpleQueue()
        _gather(waiting, jobs, sys.maxsize)
        for job in jobs:
            told = StoreError(
                f"the thread that writes to the store ended: {type(error).__name__}: {error}",
                next_step="run the command again: it goes on from what is stored, and writes what is not",
            )
            told.__cause__ = error
            with suppress(Exception):
                _settle_all([(job.future, None, told)])

    def _commit(self, jobs: list[_Job]) -> None:
        results: list[_Result] = []
        isolating = False
        try:
            with self._store.transaction() as connection:
                isolating = len(jobs) > 1
                claims = {job.claim for job in jobs if job.claim is not None}
                lost = self._find_lost(connection, claims) if claims else set()
                rows = [row for job in jobs for row in (job.instead() if job.claim in lost else job.rows)]
                if rows:
                    insert_rows(cast("Connection", connection), rows)
                for job in jobs:
                    if job.claim is not None and job.claim in lost:
                        results.append((job.future, None, ClaimLost(job.claim.item_id)))
                        continue
                    value = None if job.function is None else job.function(connection)
                    results.append((job.future, value, None))
                isolating = False
        except BaseException as error:
            if isolating:
                # One bad job must not take the others down: each gets a transaction of its own.
                for job in jobs:
                    self._commit([job])
                return
            _settle_all([(job.future, None, error) for job in jobs])
            return
        _settle_all(results)


def _gather(waiting: queue.SimpleQueue[_Job | None], jobs: list[_Job], most: int = GROUP) -> bool:
    """Add what waits to the jobs that are there, up to so many; returns whether the writer was closed after them."""
    with suppress(queue.Empty):
        while len(jobs) < most:
            job = waiting.get_nowait()
            if job is None:
                return True
            jobs.append(job)
    return False


def pause_after(handfuls: int) -> float:
    """Seconds from the beginning of a commit that took in so many handfuls of rows to that of the next one."""
    return min(LONGEST_PAUSE, max(PAUSE, PAUSE_OF_ONE * handfuls))


def _see(future: asyncio.Future[None]) -> None:
    """A task that failed elsewhere never asks for its last rows: asyncio need not complain of that."""
    if not future.cancelled():
        future.exception()


_Result = tuple["Future[Any] | asyncio.Future[Any]", Any, BaseException | None]


def _settle_all(results: list[_Result]) -> None:
    """Tell everybody who waits; each event loop is woken once for all of its tasks."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Result]] = {}
    for result in results:
        future = result[0]
        if isinstance(future, asyncio.Future):
            by_loop.setdefault(future.get_loop(), []).append(result)
        else:
            _settle([result])
    for loop, own in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, own)
        except RuntimeError:
            pass  # that loop is closed: nobody waits any more


def _settle(results: list[_Result]) -> None:
    for future, value, error in results:
        if future.done():  # cancelled, or told before
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
