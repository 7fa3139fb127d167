"""What the drafts of a run's items are shown out of a recipe's pool, or of what people decided on before."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from solon.agents.case import Case
from solon.recipes.sources import draw_examples, recall_examples
from solon.spans import text_of
from solon.store.database.store import Store
from solon.store.runs.examples import (
    ExampleId,
    accepted_before,
    decided_before,
    keep_examples,
    load_examples,
    seeds_of_run,
)

if TYPE_CHECKING:
    from solon.recipes.recipe import Recipe
    from solon.store.runs.items import ItemRow


class Examples:
    """Draws the examples of a run's items. What the items of a batch may be shown is read once."""

    def __init__(self, store: Store, recipe: Recipe) -> None:
        self._store, self._source, self._recipe = store, recipe.source, recipe.name
        self._batch: tuple[str, int] | None = None
        self._accepted: list[ExampleId] = []
        self._seeds: list[ExampleId] = []

    async def show(self, item: ItemRow, case: Case) -> Case:
        """The case with the item's examples, which are drawn and noted before its first call: an item that is made
        again is shown the same.

        Raises:
            PartFailed: the source cannot draw.
        """
        if not self._source.batch and not self._source.recalls:
            return case
        drawn = item.examples if item.examples is not None else await self._draw(item, case)
        return replace(case, examples=load_examples(self._store, drawn))

    async def _draw(self, item: ItemRow, case: Case) -> tuple[ExampleId, ...]:
        if self._source.recalls:
            drawn = self._recall(item, case)
        else:
            self._read(item)
            others = [one for one in self._seeds if one.seed_id != item.seed_id]
            drawn = draw_examples(self._source, case, self._accepted, others)
        keep = partial(keep_examples, item_id=item.id, drawn=drawn)
        return await self._store.writer.run(keep, claim=item.claim)

    def _recall(self, item: ItemRow, case: Case) -> list[ExampleId]:
        with self._store.connect() as connection:
            decided = decided_before(connection, self._recipe, item.seed_id, item.group)
        texts = [text_of(json.loads(body)) for _, body in decided]
        return [decided[place][0] for place in recall_examples(self._source, case, texts)]

    def _read(self, item: ItemRow) -> None:
        size = self._source.batch * self._source.expand
        begin = item.position // size * size
        if self._batch == (item.run_id, begin):
            return
        with self._store.connect() as connection:
            self._accepted = accepted_before(connection, item.run_id, begin)
            self._seeds = seeds_of_run(connection, item.run_id)
        self._batch = (item.run_id, begin)
