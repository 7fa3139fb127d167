"""What the drafts of a run's items are shown out of a recipe's pool."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from solon.agents.case import Case
from solon.recipes.sources import Source, draw_examples
from solon.store.database.store import Store
from solon.store.runs.examples import (
    ExampleId,
    accepted_before,
    keep_examples,
    load_examples,
    seeds_of_run,
)

if TYPE_CHECKING:
    from solon.store.runs.items import ItemRow


class Examples:
    """Draws the examples of a run's items. What the items of a batch may be shown is read once."""

    def __init__(self, store: Store, source: Source) -> None:
        self._store, self._source = store, source
        self._batch: tuple[str, int] | None = None
        self._accepted: list[ExampleId] = []
        self._seeds: list[ExampleId] = []

    async def show(self, item: ItemRow, case: Case) -> Case:
        """The case with the item's examples, which are drawn and noted before its first call: an item that is made
        again is shown the same.

        Raises:
            PartFailed: the source cannot draw.
        """
        if not self._source.batch:
            return case
        drawn = item.examples if item.examples is not None else await self._draw(item, case)
        return replace(case, examples=load_examples(self._store, drawn))

    async def _draw(self, item: ItemRow, case: Case) -> tuple[ExampleId, ...]:
        self._read(item)
        others = [one for one in self._seeds if one.seed_id != item.seed_id]
        drawn = draw_examples(self._source, case, self._accepted, others)
        keep = partial(keep_examples, item_id=item.id, drawn=drawn)
        return await self._store.writer.run(keep, claim=item.claim)

    def _read(self, item: ItemRow) -> None:
        size = self._source.batch * self._source.expand
        begin = item.position // size * size
        if self._batch == (item.run_id, begin):
            return
        with self._store.connect() as connection:
            self._accepted = accepted_before(connection, item.run_id, begin)
            self._seeds = seeds_of_run(connection, item.run_id)
        self._batch = (item.run_id, begin)
