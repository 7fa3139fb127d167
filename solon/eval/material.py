"""What a suite gets to work on: a store, the runs to look at, files to compare with, and how many records it looks
at.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from solon.errors import UsageError
from solon.store.records import exporting
from solon.store.runs import runs

if TYPE_CHECKING:
    from solon.formats.records import ExportRow
    from solon.store.database.store import Store
    from solon.store.runs.run_row import RunRow

LINEAGE = ("item", "run", "chosen", "descent")
"""Of a record's lineage what suites read."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a suite measures.

    Attributes:
        store: where it is read from.
        runs: the runs to look at, the oldest first; in the order given where they were named.
        against: files to compare with.
        limit: records that a suite looks at; of more, so many are sampled at random by `seed`.
        seed: of whatever a suite draws.
        whole: True where no run was named: the runs are all of the store's, and its records are those of the
            data set, each item once.
        settled: votes and answers are those of items that have ended and about which nobody has still to answer: for
            readers who shall not learn what the panel thinks of what waits.
    """

    store: Store
    runs: tuple[RunRow, ...]
    against: tuple[Path, ...] = ()
    limit: int = 20_000
    seed: int = 0
    whole: bool = False
    settled: bool = False

    @property
    def run_ids(self) -> tuple[str, ...]:
        """Ids of the runs, in their order."""
        return tuple(run.id for run in self.runs)

    def records(self, run_id: str | None = None) -> tuple[list[ExportRow], int]:
        """Return the records of `sample` as a list, and how many there are. Of what else a record has, only what suites
        read is held (see `_slim`).

        Args:
            run_id: only this run's.
        """
        sample = self.sample(run_id)
        return [_slim(row) for row in sample], sample.seen

    def sample(self, run_id: str | None = None) -> Sample:
        """Return the records in force with their texts, at most `limit` of them, to be read one after the other.

        They are what an export without `--run` holds, or the records of the runs that were named. More are drawn by
        reservoir sampling (Vitter 1985, algorithm R) on their numbers, in the order of the store.

        Args:
            run_id: only this run's.
        """
        wanted = (run_id,) if run_id or self.whole else self.run_ids
        seen = sum(exporting.count_rows(self.store, one) for one in wanted)
        return Sample(self.store, wanted, self.limit, self._draw(seen), seen)

    def _draw(self, seen: int) -> frozenset[int] | None:
        """The numbers of the records drawn of so many, from 0; None where that is all of them."""
        if seen <= self.limit:
            return None
        draw, kept = random.Random(self.seed), list(range(self.limit))
        for number in range(self.limit, seen):
            if (place := draw.randrange(number + 1)) < self.limit:
                kept[place] = number
        return frozenset(kept)


@dataclass(slots=True)
class Sample:
    """Records that a suite reads.

    Attributes:
        store: where they are.
        runs: whose they are; None: the data set's.
        limit: so many are given at most.
        numbers: of those that were drawn; None where that is all of them.
        seen: how many records there are in all, as they were counted; once they were read, among how many these are:
            what a run at work adds beyond `limit`, or after the draw, is not looked at.
        shown: how many were given so far.
    """

    store: Store
    runs: tuple[str | None, ...]
    limit: int
    numbers: frozenset[int] | None
    seen: int
    shown: int = 0

    def __iter__(self) -> Iterator[ExportRow]:
        number = self.shown = 0
        most = self.limit if self.numbers is None else self.seen
        for run_id in self.runs:
            with closing(exporting.export_rows(self.store, run_id=run_id)[1]) as rows:
                for row in islice(rows, most - number):
                    number += 1
                    if self.numbers is None or number - 1 in self.numbers:
                        self.shown += 1
                        yield row
        self.seen = number


def _slim(row: ExportRow) -> ExportRow:
    """The record without its conversation and the ids of calls and votes behind it: many are held at a time."""
    lineage = {name: row.lineage[name] for name in LINEAGE if name in row.lineage}
    return replace(
        row, messages=[], faults={}, evidence={}, given={}, fields={}, shares=None, input="", lineage=lineage
    )


def gather(
    store: Store,
    names: str | Sequence[str] = (),
    *,
    against: Sequence[Path] = (),
    limit: int = 20_000,
    seed: int = 0,
    settled: bool = False,
) -> Material:
    """Return the material of the named runs (by id or its beginning), or of all runs of the store.

    Raises:
        UsageError: no run has this name, the store has none, or a file of `against` is missing.
    """
    names = (names,) if isinstance(names, str) else names
    with store.connect() as connection:
        everything = runs.all_runs(connection)[::-1]
        chosen = [runs.find_run(connection, name) for name in names] or everything
    if not chosen:
        raise UsageError("the store has no run yet", next_step="start one with `solon run`")
    for file in against:
        if not file.is_file():
            raise UsageError(
                f"{file}: there is no such file", next_step="check the path given with --against"
            )
    return Material(store, tuple(chosen), tuple(against), limit, seed, whole=not names, settled=settled)


def spell_sample(shown: int, seen: int) -> tuple[str, ...]:
    """Return a note that not everything was looked at, or none where it was."""
    return (f"{shown} of {seen} records, drawn at random",) if shown < seen else ()
