"""What the drafts of a run's items are shown out of a recipe's pool, or of what people decided on before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from solon.agents.case import Case
from solon.recipes.sources import draw_examples, recall_examples
from solon.spans import text_of
from solon.store.database.store import Store
from solon.store.records.generations import covered_before
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
        self._covered: dict[str, dict[str, int]] = {}

    async def show(self, item: ItemRow, case: Case) -> Case:
        """The case with the item's examples, which are drawn and noted before its first call: an item that is made
        again is shown the same.

        Raises:
            PartFailed: the source cannot draw.
        """
        if not self._source.batch and not self._source.recalls:
            return case
        if self._source.batch:
            self._read(item)
        covered = self._covered  # another item's layer may be read while this one waits
        drawn = item.examples if item.examples is not None else await self._draw(item, case)
        own = self._own(item, drawn)
        examples = load_examples(self._store, [one for one in drawn if one not in own])
        record = next(iter(load_examples(self._store, own)), None)
        return replace(case, examples=examples, record=record, covered=covered)

    async def _draw(self, item: ItemRow, case: Case) -> tuple[ExampleId, ...]:
        if self._source.recalls:
            drawn = self._recall(item, case)
        else:
            others = [one for one in self._seeds if one.seed_id != item.seed_id]
            own = self._own(item, self._accepted)
            accepted = [one for one in self._accepted if one not in own]
            drawn = [*own[-1:], *draw_examples(self._source, case, accepted, others)]
        keep = partial(keep_examples, item_id=item.id, drawn=drawn)
        return await self._store.writer.run(keep, claim=item.claim)

    def _own(self, item: ItemRow, among: Sequence[ExampleId]) -> list[ExampleId]:
        """The records that the item could go on from, or goes on from."""
        return [one for one in among if self._source.evolves and one.is_record_of(item.seed_id)]

    def _recall(self, item: ItemRow, case: Case) -> list[ExampleId]:
        with self._store.connect() as connection:
            decided = decided_before(connection, self._recipe, item.seed_id, item.group)
        texts = [text_of(json.loads(body)) for _, body in decided]
        return [decided[place][0] for place in recall_examples(self._source, case, texts)]

    def _read(self, item: ItemRow) -> None:
        size = self._source.at_once
        begin = item.position // size * size
        if self._batch == (item.run_id, begin):
            return
        with self._store.connect() as connection:
            self._accepted = accepted_before(connection, item.run_id, begin)
            self._seeds = seeds_of_run(connection, item.run_id)
            if self._source.evolves:
                self._covered = covered_before(connection, item.run_id, begin)
        self._batch = (item.run_id, begin)
