"""Drop checkpoints that nothing will ever go on from: all but those of items that wait for a person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from solon.graphs.nodes.consensus import thread_id
from solon.graphs.saver import open_saver
from solon.store.database.engine import sqlite_path
from solon.store.database.store import Store
from solon.store.upkeep.pruning import compact_file, stored_threads, waiting_attempts


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of the checkpoints.

    Attributes:
        threads: dropped, or would be.
        kept: threads that wait for an answer.
        freed: bytes that went back to the disk (SQLite).
        held: tables that others held, so that a compacting of the store left them as they were.
    """

    threads: int
    kept: int
    freed: int
    held: tuple[str, ...] = ()


async def prune_checkpoints(store: Store, *, dry_run: bool = False) -> Pruned:
    """Drop every thread that is not the current attempt of an item under way.

    A dropped thread costs no model call: its item is replayed from the journal, should anything ask for it again.
    """
    keep = {thread_id(item, attempt) for item, attempt in waiting_attempts(store)}
    # The saver makes its tables where they are missing.
    async with open_saver(store) as saver:
        stored = stored_threads(store)
        gone = sorted(stored - keep)
        if dry_run:
            return Pruned(len(gone), len(stored & keep), 0)
        for thread in gone:
            await saver.adelete_thread(thread)
    before = _size(store)
    if sqlite_path(store.url) is not None:  # PostgreSQL gives space back by itself (autovacuum)
        compact_file(Path(store.checkpoints))
    return Pruned(len(gone), len(stored & keep), max(0, before - _size(store)))


def count_without_checkpoint(store: Store) -> tuple[int, int]:
    """Of the items that wait for a person, those whose thread is not stored, and all. The saver's tables are there."""
    waiting = [thread_id(item, attempt) for item, attempt in waiting_attempts(store, ("waiting",))]
    stored = stored_threads(store) if waiting else set()
    return sum(thread not in stored for thread in waiting), len(waiting)


def _size(store: Store) -> int:
    path = Path(store.checkpoints)
    return path.stat().st_size if path.is_file() else 0
