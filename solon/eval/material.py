"""What a suite is given: a store, the runs to look at, files to compare with, and bounds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from solon.errors import UsageError
from solon.store.records import exporting
from solon.store.runs import runs

if TYPE_CHECKING:
    from solon.formats.records import ExportRow
    from solon.store.database.store import Store
    from solon.store.runs.run_row import RunRow


@dataclass(frozen=True, slots=True)
class Material:
    """Attributes:
    runs: the oldest first; in the order given where they were named.
    whole: they are the store's, and its records are those of the data set, each item once.
    limit: records that a suite may hold at once; more are sampled at random by `seed`.
    """

    store: Store
    runs: tuple[RunRow, ...]
    against: tuple[Path, ...] = ()
    limit: int = 20_000
    seed: int = 0
    whole: bool = False

    @property
    def run_ids(self) -> tuple[str, ...]:
        return tuple(run.id for run in self.runs)

    def records(self, run_id: str | None = None) -> tuple[list[ExportRow], int]:
        """Records in force with their texts, at most `limit` of them, and how many there are: as an export without
        `--run` holds them, or those of the runs that were named.

        Reservoir sampling (Vitter 1985, algorithm R): one pass, constant memory. The order of the store is kept.
        """
        draw = random.Random(self.seed)
        kept: list[tuple[int, ExportRow]] = []
        seen = 0
        for wanted in (run_id,) if run_id or self.whole else self.run_ids:
            for row in exporting.export_rows(self.store, run_id=wanted)[1]:
                seen += 1
                if len(kept) < self.limit:
                    kept.append((seen, row))
                elif (place := draw.randrange(seen)) < self.limit:
                    kept[place] = (seen, row)
        kept.sort(key=lambda pair: pair[0])
        return [row for _, row in kept], seen


def gather(
    store: Store,
    names: Sequence[str] = (),
    *,
    against: Sequence[Path] = (),
    limit: int = 20_000,
    seed: int = 0,
) -> Material:
    """The named runs (or their beginnings), or all runs of the store.

    Raises:
        UsageError: no run has this name, or the store has none.
    """
    with store.connect() as connection:
        everything = runs.all_runs(connection)[::-1]
        found = [runs.find_run(connection, name) for name in names] or everything
    if not found:
        raise UsageError("the store has no run yet", next_step="start one with `solon run`")
    for file in against:
        if not file.is_file():
            raise UsageError(
                f"{file}: there is no such file", next_step="check the path given with --against"
            )
    return Material(store, tuple(found), tuple(against), limit, seed, whole=not names)


def spell_sample(shown: int, seen: int) -> tuple[str, ...]:
    """A note where not everything was looked at."""
    return (f"{shown} of {seen} records, drawn at random",) if shown < seen else ()
