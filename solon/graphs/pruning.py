"""Drop checkpoints that nothing will ever go on from: all but those of items that have not ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from solon.graphs.nodes.consensus import thread_id
from solon.graphs.saver import open_saver
from solon.store.database.engine import sqlite_path
from solon.store.database.store import Store
from solon.store.upkeep.pruning import (
    compact_file,
    open_graph_threads,
    stored_threads,
    waiting_attempts,
)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What pruning dropped, or would drop.

    Attributes:
        threads: threads that were dropped.
        kept: threads of items that have not ended.
        freed: bytes that went back to the disk (SQLite only).
        held: tables that others held, so that a compacting of the store left them as they were.
    """

    threads: int
    kept: int
    freed: int
    held: tuple[str, ...] = ()


async def prune_checkpoints(store: Store, *, dry_run: bool = False) -> Pruned:
    """Drop every thread that is not the current attempt of an item under way, nor of a graph that waits for one.

    A dropped thread costs no model call: its item is replayed from the journal, should anything ask for it
    again.

    Args:
        dry_run: drop nothing and only count.
    """
    keep = {thread_id(item, attempt) for item, attempt in waiting_attempts(store)} | open_graph_threads(store)
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
    """How many items that wait for a person have no stored thread, and how many wait in all. The saver's tables
    must be there."""
    waiting = [thread_id(item, attempt) for item, attempt in waiting_attempts(store, ("waiting",))]
    stored = stored_threads(store) if waiting else set()
    return sum(thread not in stored for thread in waiting), len(waiting)


def _size(store: Store) -> int:
    path = Path(store.checkpoints)
    return path.stat().st_size if path.is_file() else 0
