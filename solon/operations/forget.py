"""Forget people's words: in the store, its checkpoints, its free pages and logs, and in the files beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.errors import UsageError
from solon.store.database.engine import sqlite_path
from solon.store.database.tombstones import (
    Stone,
    add_stones,
    missing_stones,
    read_tombstones,
    tombstones_file,
    write_stones,
)
from solon.store.privacy import forgetting
from solon.store.privacy.forgetting import Reach, Wanted
from solon.store.upkeep import pruning

if TYPE_CHECKING:
    from solon.store.database.store import Store

MANY = 50
"""More seeds than this at once are a slip more often than a wish."""
_PIECE = 12
"""Characters in common that make a refused row's excerpt one of the forgotten text: rather one too many."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was forgotten, or would be.

    Attributes:
        dry_run: nothing was changed.
        act: id of the forgetting in the log; empty of a dry run.
        seeds: ids of the seeds that are meant.
        counts: rows by kind.
        shown_to_others: calls of other items that were shown a decision on these, or one of them as an example; these
            prompts go too, so that a replay of those items asks the models again.
        releases: name -> records in it: each needs a new release.
        exports: `files` that were written while the records stood, and when.
        amendments: that cite or repeat these words: a lead must look, for law is not erased by itself.
        similar_seeds: others that share a passage.
        seed_files: names of the seed files, or sets, of their runs: Solon changes none of them, so the words stand in
            them still.
        tombstones: marks that keep the seeds from coming back.
        tombstones_file: where these marks lie too, to be kept apart from backups.
        bad_rows: refused rows in files beside the store that repeated the words.
        swept: pages and logs of the database hold nothing of it any more.
        left: what is still to do for that, one sentence each.
    """

    dry_run: bool
    act: str
    seeds: tuple[str, ...]
    counts: dict[str, int]
    shown_to_others: int
    releases: dict[str, int]
    exports: tuple[dict[str, Any], ...]
    amendments: tuple[dict[str, Any], ...]
    similar_seeds: tuple[str, ...]
    seed_files: tuple[str, ...]
    tombstones: int
    tombstones_file: str
    bad_rows: int = 0
    swept: bool = False
    left: tuple[str, ...] = field(default=())


def look(store: Store, wanted: Wanted) -> Erasure:
    """What would be forgotten. Changes nothing."""
    with store.connect() as connection:
        seeds = _found(store, connection, wanted)
        reach = forgetting.reach_of(connection, seeds)
        stones = forgetting.stones_for(store, connection, wanted, seeds, "")
    return _told(store, reach, len(stones), act="")


async def forget(store: Store, wanted: Wanted, *, actor: str, by: str = "", many: bool = False) -> Erasure:
    """Forget, for good.

    Args:
        by: who asked for it, for the log; default: the actor.
        many: more than 50 seeds at once are meant.

    Raises:
        UsageError: nothing is found, too much is, or a run is at work. Nothing was changed.
        StoreError: the store cannot be written.
    """
    from solon.store.database.ids import new_id

    act = new_id()
    with store.connect() as connection:  # searching may take long, and nobody else can write meanwhile
        seeds = _found(store, connection, wanted)
        if len(seeds) > MANY and not many:
            raise UsageError(
                f"{len(seeds)} seeds are meant, and what is forgotten does not come back",
                next_step="look with --dry-run, then add --yes",
            )
        reach = forgetting.reach_of(connection, seeds)
        stones = forgetting.stones_for(store, connection, wanted, seeds, act)
    reach = _erase(store, reach, stones, act, actor=actor, by=by or actor)
    return await _clean(store, reach, len(stones), act)


async def again(store: Store, *, actor: str, file: Path | None = None) -> Erasure:
    """Obey tombstones that a store lacks, since it was put back from an older copy; open it with `restoring`."""
    from solon.store.database.ids import new_id

    if file is not None and not file.is_file():
        raise UsageError(f"there is no file {file}", next_step="name a file of tombstones")
    act, missing = new_id(), missing_stones(store, file)
    write_stones(store, missing)  # those of a file from elsewhere are to be obeyed here ever after
    with store.transaction() as connection:
        add_stones(connection, missing)
    marks = read_tombstones(store)
    with store.connect() as connection:
        seeds = forgetting.marked_seeds(store, connection, marks)
        reach = forgetting.reach_of(connection, seeds)
        # The seeds' own marks: a file from elsewhere may name a group only.
        stones = forgetting.stones_for(store, connection, Wanted(), seeds, act)
    reach = _erase(store, reach, stones, act, actor=actor, by=actor)
    return await _clean(store, reach, len(missing), act)


def _erase(store: Store, reach: Reach, stones: Sequence[Stone], act: str, *, actor: str, by: str) -> Reach:
    with store.transaction() as connection:
        return forgetting.forget(store, connection, reach, stones, act, actor=actor, by=by)


def _found(store: Store, connection: Any, wanted: Wanted) -> list[str]:
    seeds = forgetting.find_seeds(store, connection, wanted)
    if not seeds:
        raise UsageError(
            "nothing that stands in the store is meant by this; it may have been forgotten before",
            next_step="`solon show ID` tells the seed of an item; --match searches every text",
        )
    return seeds


async def _clean(store: Store, reach: Reach, stones: int, act: str) -> Erasure:
    """What lies outside the transaction: checkpoints, refused rows in files, free pages and logs."""
    await drop_threads(store, reach.threads)
    bad_rows = clean_bad_rows(store.url, reach.words)
    checkpoints = pruning.CHECKPOINT_TABLES if reach.threads else ()
    left = sweep(store, ("texts", *reach.tables, *checkpoints))
    return _told(store, reach, stones, act=act, bad_rows=bad_rows, swept=not left, left=tuple(left))


async def drop_threads(store: Store, threads: Sequence[tuple[str, int]]) -> None:
    """Drop the checkpoints of items, given as (id, attempt), and of the graphs of one's own that opened them."""
    from solon.graphs.nodes.consensus import thread_id
    from solon.graphs.saver import open_saver
    from solon.store.runs.interactive import threads_of

    if not threads or not _has_checkpoints(store):
        return
    with store.connect() as connection:
        of_graphs = threads_of(connection, [item for item, _ in threads])
    async with open_saver(store) as saver:
        for item, attempts in threads:
            for attempt in range(attempts + 1):
                await saver.adelete_thread(thread_id(item, attempt))
        for thread in sorted(of_graphs):
            await saver.adelete_thread(thread)


def _has_checkpoints(store: Store) -> bool:
    return sqlite_path(store.url) is None or Path(store.checkpoints).exists()


def sweep(store: Store, tables: Sequence[str] | None = None) -> list[str]:
    """Leave no byte of what was erased in the files of the database, while others go on; returns what is left to do.

    SQLite has overwritten it in its pages; its logs are cut. PostgreSQL writes tables anew (default: all), one by one.
    """
    path = sqlite_path(store.url)
    again = "then run `solon forget --sweep`"
    if path is None:
        held = pruning.rewrite_tables(store, tables)
        return [f"others hold the tables {', '.join(held)}: wait for them, {again}"] if held else []
    left = []
    if not all([pruning.cut_log(path), pruning.cut_log(Path(store.checkpoints))]):
        left.append(f"another process reads an older state of the store: close it, {again}")
    if not pruning.is_clean(store):
        left.append(
            "an earlier Solon did not overwrite what it erased or moved, and free pages may hold copies: "
            "run `solon prune --compact` once"
        )
    return left


def clean_bad_rows(store_url: str, words: Sequence[str]) -> int:
    """Take excerpts that repeat these words out of the files of refused rows beside the store; how many there were."""
    from solon.formats.seed_files import BadRow
    from solon.formats.seeds import write_bad_rows
    from solon.workspace.seeds import name_bad_rows_file

    pattern = name_bad_rows_file(store_url, "*")
    number = 0
    for path in pattern.parent.glob(pattern.name):
        try:
            rows = [BadRow(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        except (ValueError, TypeError):
            continue
        kept = [_without(row, words) for row in rows]
        number += sum(new != old for new, old in zip(kept, rows, strict=True))
        if kept != rows:
            write_bad_rows(path, kept)
    return number


def _without(row: Any, words: Sequence[str]) -> Any:
    from dataclasses import replace

    told = f"{row.reason} {row.excerpt}"
    pieces = {told[start : start + _PIECE] for start in range(max(1, len(told) - _PIECE + 1))}
    for word in words:
        whole = len(word) < _PIECE and word in told
        if whole or any(piece in word for piece in pieces if len(piece) == _PIECE):
            return replace(row, reason="forgotten", excerpt="")
    return row


def _told(store: Store, reach: Reach, stones: int, *, act: str, **more: Any) -> Erasure:
    return Erasure(
        dry_run=not act,
        act=act,
        seeds=reach.seed_ids,
        counts=dict(reach.counts),
        shown_to_others=len(reach.shown),
        releases=reach.releases,
        exports=reach.exports,
        amendments=reach.amendments,
        similar_seeds=reach.similar,
        seed_files=reach.seed_files,
        tombstones=stones,
        tombstones_file=str(tombstones_file(store.url)),
        **more,
    )
