"""A checkpointer over one SQLite file: one writer thread with group commit, synchronous reads, one row per put_writes.

The stock saver hops to a thread and back for every statement and commits each alone; that costs more than the
statements. Reads here take some 20 microseconds, so they are made where they are asked for. Only plain values pass
the serializer that is given; nothing is ever pickled.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    get_checkpoint_id,
    get_checkpoint_metadata,
    writes_sort_key,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite.utils import search_where

from solon.errors import StoreError
from solon.graphs.known_threads import look_up
from solon.store.database.engine import mapped_errors
from solon.store.database.writer import Writer
from solon.store.upkeep.pruning import is_damage

BUSY_SECONDS = 30
_TABLES = """
CREATE TABLE IF NOT EXISTS threads (
    thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL, checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT,
    type TEXT NOT NULL, checkpoint BLOB NOT NULL, metadata BLOB NOT NULL,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
);
CREATE TABLE IF NOT EXISTS task_writes (
    thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL, checkpoint_id TEXT NOT NULL,
    task_id TEXT NOT NULL, slot INTEGER NOT NULL, task_path TEXT NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, slot)
);
"""
_COLUMNS = "thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata"
_OF_THREAD = "thread_id = ? AND checkpoint_ns = ?"

_Writes = list[PendingWrite]
Keep = Literal["all", "latest"]


class SqliteSaver(BaseCheckpointSaver[int]):
    """LangGraph's checkpointer contract over a file, for any number of event loops and threads of one process.

    A call that changes something returns once it is committed. `PRAGMA synchronous` is NORMAL: a killed
    process loses nothing, a power cut may lose the last commits, but never breaks the file.

    Args:
        path: the file; made where it is missing. Several processes may have it open.
        serde: packs checkpoints and writes.
        keep: "latest" drops a thread's earlier checkpoints with each new one: no time travel, and not for
            graphs with delta channels, which are rebuilt from the whole chain.
        is_over: called with the channel values of a checkpoint; a thread of which it says yes is dropped
            instead of written, for graphs whose end is recorded elsewhere before they end.

    Attributes:
        damaged: whether the file has turned out to be broken. Whoever opens it next should look at the whole
            of it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        serde: SerializerProtocol | None = None,
        keep: Keep = "all",
        is_over: Callable[[dict[str, Any]], bool] | None = None,
    ) -> None:
        super().__init__(serde=serde)
        self._path, self._url = str(path), f"sqlite:///{path}"
        self._keep, self._is_over = keep, is_over
        self._reading = threading.Lock()
        self.damaged = False
        with self._mapped():
            self._reader = self._connect()
            self._reader.executescript(_TABLES)
        self._writing: sqlite3.Connection | None = None
        self._writer: Writer[sqlite3.Connection] = Writer(self)

    def close(self) -> None:
        """Commit what was handed over and close the file."""
        self._writer.close()
        self._reader.close()
        if self._writing is not None:
            self._writing.close()
            self._writing = None

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            with mapped_errors(self._url):
                yield
        except StoreError as error:
            self.damaged = self.damaged or is_damage(error.__cause__)
            raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction; for the writer's thread only.

        Raises:
            StoreError: the file cannot be written.
        """
        with self._mapped():
            if self._writing is None:
                self._writing = self._connect()
            connection = self._writing
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    # Reading ---------------------------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that a configuration names, or the newest of its thread; None where there is none."""
        where, order = f"{_OF_THREAD} ", "ORDER BY checkpoint_id DESC LIMIT 1"
        parameters: tuple[str, ...] = _thread(config)
        wanted = get_checkpoint_id(config)
        if wanted:
            where, order, parameters = f"{_OF_THREAD} AND checkpoint_id = ?", "", (*parameters, wanted)
        with self._reading:
            row = self._reader.execute(
                f"SELECT {_COLUMNS} FROM threads WHERE {where} {order}", parameters
            ).fetchone()
            return self._tuple(row) if row is not None else None

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint of a thread, or None; see `look_up`."""
        return await look_up(config, self)

    async def find(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint in the file, or None, whatever is known of the thread. Database errors come as
        `StoreError`."""
        with self._mapped():
            return self.get_tuple(config)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """The checkpoints that fit, the newest first."""
        where, parameters = search_where(config, filter, before)
        bound = "" if limit is None else f" LIMIT {int(limit)}"
        query = f"SELECT {_COLUMNS} FROM threads {where} ORDER BY checkpoint_id DESC{bound}"
        with self._reading:
            tuples = [self._tuple(row) for row in self._reader.execute(query, parameters).fetchall()]
        yield from tuples

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """The same as `list`, for callers in an event loop."""
        for entry in self.list(config, filter=filter, before=before, limit=limit):
            yield entry

    def _tuple(self, row: Sequence[Any]) -> CheckpointTuple:
        thread_id, namespace, checkpoint_id, parent_id, kind, body, metadata = row
        return CheckpointTuple(
            _config(thread_id, namespace, checkpoint_id),
            self.serde.loads_typed((kind, body)),
            json.loads(metadata),
            _config(thread_id, namespace, parent_id) if parent_id else None,
            self._pending(thread_id, namespace, checkpoint_id),
        )

    def _pending(self, *of: str) -> _Writes:
        rows = self._reader.execute(
            "SELECT task_path, task_id, type, body FROM task_writes WHERE thread_id = ? AND checkpoint_ns = ? "
            "AND checkpoint_id = ?",
            of,
        ).fetchall()
        pending = [
            (writes_sort_key(path, task_id, index), (task_id, channel, value))
            for path, task_id, kind, body in rows
            for index, channel, value in self.serde.loads_typed((kind, body))
        ]
        return [write for _, write in sorted(pending, key=lambda entry: entry[0])]

    # Writing ---------------------------------------------------------------------------------------------------

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, or drop its thread where it has ended; gives the configuration that names the
        checkpoint."""
        thread, parent_id = _thread(config), get_checkpoint_id(config)
        after = _config(*thread, checkpoint["id"])
        if self._is_over is not None and self._is_over(checkpoint["channel_values"]):
            if parent_id:  # else it ended without a stop, and there is nothing to drop
                await self._writer.run(_drop(thread[0]))
            return after
        facts = json.dumps(get_checkpoint_metadata(config, metadata), ensure_ascii=False)
        row = (
            *thread,
            checkpoint["id"],
            parent_id,
            *self.serde.dumps_typed(checkpoint),
            facts.encode("utf-8", "replace"),
        )
        drops_earlier = self._keep == "latest" and parent_id is not None

        def put(connection: sqlite3.Connection) -> None:
            connection.execute(
                f"INSERT OR REPLACE INTO threads ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", row
            )
            if drops_earlier:
                for table in ("threads", "task_writes"):
                    connection.execute(
                        f"DELETE FROM {table} WHERE {_OF_THREAD} AND checkpoint_id < ?",
                        (*thread, checkpoint["id"]),
                    )

        await self._writer.run(put)
        return after

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store the writes of a task, all of one call in one row. Special channels (errors, interrupts,
        resumes) may be written again; others stay as they were written first."""
        if not writes:
            return
        indexed = [
            (WRITES_IDX_MAP.get(channel, i), channel, value) for i, (channel, value) in enumerate(writes)
        ]
        again = "REPLACE" if all(channel in WRITES_IDX_MAP for channel, _ in writes) else "IGNORE"
        checkpoint_id = str(config["configurable"]["checkpoint_id"])
        kind, body = self.serde.dumps_typed(indexed)
        row = (*_thread(config), checkpoint_id, task_id, indexed[0][0], task_path, kind, body)
        await self._writer.run(
            lambda connection: connection.execute(
                f"INSERT OR {again} INTO task_writes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row
            )
        )

    async def adelete_thread(self, thread_id: str) -> None:
        """Drop every row of a thread."""
        await self._writer.run(_drop(str(thread_id)))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.text_factory = _decode
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA secure_delete = ON")  # what is dropped leaves no bytes where it was
        except BaseException:
            connection.close()
            raise
        return connection


def _decode(text: bytes) -> str:
    """A damaged text is read, and then known as such by what it says."""
    return text.decode("utf-8", "replace")


def _drop(thread_id: str) -> Callable[[sqlite3.Connection], None]:
    def drop(connection: sqlite3.Connection) -> None:
        for table in ("threads", "task_writes"):
            connection.execute(f"DELETE FROM {table} WHERE thread_id = ?", (thread_id,))

    return drop


def _thread(config: RunnableConfig) -> tuple[str, str]:
    own = config["configurable"]
    return str(own["thread_id"]), str(own.get("checkpoint_ns", ""))


def _config(thread_id: str, namespace: str, checkpoint_id: str) -> RunnableConfig:
    return {
        "configurable": {"thread_id": thread_id, "checkpoint_ns": namespace, "checkpoint_id": checkpoint_id}
    }
