"""What a project holds, to look at from Python or a notebook: runs, items, records, the law in force."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.notebook import Listing
from solon.preparing import local_actor
from solon.views import Item, Review, RunSummary, summarize, view_review

if TYPE_CHECKING:
    from collections.abc import Callable

    from solon.config import Config
    from solon.formats.exports import ExportSummary
    from solon.formats.records import ExportRow
    from solon.law.documents import Constitution, Rubric
    from solon.store import Store
    from solon.store.reviewing.experts import ExpertRow


class Contents:
    """The reading half of `Project`. Lists show as tables in a notebook and turn into data frames by `to_pandas()`."""

    store: Store
    config: Config
    bad_rows_file: Callable[[str], Path]
    acting_expert: Callable[[], ExpertRow | None]

    def runs(self) -> Listing[RunSummary]:
        """Where every run stands, the newest first."""
        from solon.store.runs import all_runs

        with self.store.connect() as connection:
            ids = [run.id for run in all_runs(connection)]
        columns = ("run_id", "recipe", "items", "accepted", "rejected", "pending_review", "failed", "queued")
        return Listing((summarize(self.store, run_id, self.bad_rows_file) for run_id in ids), columns=columns)

    def items(
        self, state: str | None = None, *, run_id: str | None = None, limit: int = 1000
    ) -> Listing[Item]:
        """Items of a run (default: the newest) in the order of their seeds, or those of them in one state."""
        from solon.store.records.overview import list_items
        from solon.store.runs import find_run

        with self.store.connect() as connection:
            run = find_run(connection, run_id)
        rows = list_items(self.store, run_id=run.id, state=state, limit=limit)
        return Listing(
            (Item(**row) for row in rows), columns=("id", "seed", "prompt", "state", "route", "reason")
        )

    def item(self, some_id: str) -> Item:
        """The item of this id, or the one behind a record, review or decision, with its whole way."""
        way = self.trace(some_id)
        item, run, seed = way["item"], way["run"], way["seed"]
        return Item(
            id=item["id"],
            run_id=run["id"],
            recipe=run["recipe"],
            seed=seed.get("external_id", ""),
            prompt=seed["prompt"],
            state=item["state"],
            route=item["route"],
            reason=item["reason"],
            attempt=item["attempt"],
            way=way,
        )

    def trace(self, some_id: str) -> dict[str, Any]:
        """Everything behind a record, item, review or decision."""
        from solon.store.records.lineage import trace

        return trace(self.store, some_id)

    def records(
        self, *, run_id: str | None = None, recipe: str | None = None, all_runs: bool = False
    ) -> Listing[ExportRow]:
        """The records in force, which of them as of `export`, all of them in memory: `export` streams, and leaves out
        what a format cannot hold."""
        from solon.store.records.exporting import export_rows
        from solon.views import find_wanted

        which = find_wanted(self.store, run_id=run_id, recipe=recipe, all_runs=all_runs)
        _, rows = export_rows(self.store, **which)
        columns = ("id", "prompt", "chosen", "rejected", "response", "label", "route", "confidence")
        return Listing(rows, columns=columns)

    def constitution(self, named: str | None = None) -> Constitution:
        """The constitution in force, or `NAME`, `NAME@VERSION`, or the beginning of an id.

        Raises:
            UsageError: the store has none: its first run brings one.
        """
        from solon.law.documents import Constitution
        from solon.legislating import law_in_force

        with self.store.connect() as connection:
            document = law_in_force(connection, self.config, "constitution", named).document
        assert isinstance(document, Constitution)
        return document

    def rubric(self, named: str | None = None) -> Rubric:
        """The rubric in force, or the one named; see `constitution`."""
        from solon.law.documents import Rubric
        from solon.legislating import law_in_force

        with self.store.connect() as connection:
            document = law_in_force(connection, self.config, "rubric", named).document
        assert isinstance(document, Rubric)
        return document

    def summarize(self, run_id: str | None = None) -> RunSummary:
        """Where a run (default: the newest) stands, read from the store."""
        return summarize(self.store, run_id, self.bad_rows_file)

    def reviews(
        self, state: str = "waiting", *, run_id: str | None = None, limit: int = 100
    ) -> Listing[Review]:
        """Reviews in a state: those that wait in the order of the queue, others the oldest first. Whoever answers by
        their token sees none of the panel's reasons, as on the page."""
        from solon.store.reviews import list_reviews
        from solon.store.runs import find_run

        blind = self.acting_expert() is not None
        with self.store.connect() as connection:
            if run_id is not None:
                run_id = find_run(connection, run_id).id
            rows = list_reviews(connection, state=state, run_id=run_id, limit=limit)
        shown_columns = ("id", "recipe", "prompt", "reasons", "state")
        return Listing((view_review(self.store, row, blind=blind) for row in rows), columns=shown_columns)

    def review(self, review_id: str) -> Review:
        """One review by its id or the beginning of it; see `reviews`."""
        from solon.store.reviews import find_review

        blind = self.acting_expert() is not None
        with self.store.connect() as connection:
            return view_review(self.store, find_review(connection, review_id), blind=blind)

    def export(
        self,
        format: str,
        path: str | Path,
        *,
        run_id: str | None = None,
        recipe: str | None = None,
        all_runs: bool = False,
        folder: bool = False,
        **options: Any,
    ) -> ExportSummary:
        """Write the records in force, each item once: as a person decided it, otherwise as of the newest run.

        Args:
            run_id: records of this run only; all_runs: every record of every run.
            folder: write a dataset folder with card and Croissant instead, see `solon.formats.folder`.
            options: `constitution`, `as_of` (a date), and those of `formats.exports.export`.
        """
        from solon.formats.exports import export
        from solon.formats.folder import export_folder
        from solon.store.privacy.forgetting import mark_export
        from solon.store.records.exporting import export_rows, runs_in_force
        from solon.views import find_wanted

        named = {name: options.pop(name, None) for name in ("constitution", "as_of")}
        which = find_wanted(self.store, run_id=run_id, recipe=recipe, all_runs=all_runs, **named)
        options["runs"] = runs_in_force(self.store, **which)
        left_out, rows = export_rows(self.store, **which)
        told = {name: which[name] for name in named if which[name] is not None}
        options["about"] = {**told, **options.get("about", {})}
        write = export_folder if folder else export
        with closing(rows):
            summary = write(rows, format=format, path=Path(path), left_out=left_out, **options)
        files = [*(file.path for file in summary.files), summary.manifest]
        mark_export(self.store, local_actor(), files, run=which["run_id"], recipe=recipe)
        return summary
