"""Seeds on their way into the store: one pass tells what a run needs to know of all of them, the next one stores."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from solon.config import Config
from solon.formats.seed_files import BadRow
from solon.formats.seed_rows import SeedRow
from solon.recipes.recipe import Recipe
from solon.store.database.store import Store
from solon.store.runs import runs
from solon.store.runs.pilot import count_items, draw_pilot
from solon.workspace.seeds import Seeds, Tally, admitted, good_rows, read_rows

if TYPE_CHECKING:
    from solon.store.database.engine import Connection
    from solon.store.runs.run_row import RunRow
    from solon.store.runs.runs import NewItem, Pins


MOST_DRAWN = 2000
"""Items of a pilot that are kept in memory from one pass to the next; where it is larger, all is stored first."""


@dataclass(frozen=True, slots=True)
class Loading:
    """A run and the seeds that it is given, which were read once.

    Attributes:
        run: the run.
        pins: what its new items are pinned to.
        recipe: its recipe.
        seeds, limit: as of `arun`.
        survey: what was found when the seeds were read.
    """

    run: RunRow
    pins: Pins
    recipe: Recipe
    seeds: Seeds
    limit: int | None
    survey: Survey


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over seeds tells.

    Attributes:
        fingerprint: as of `fingerprint_seeds`.
        items: how many items they become.
        drawn: those of them with the smallest random seeds, in this order, of which the pilot is the beginning.
        bad: the rows that cannot be used.
    """

    fingerprint: str
    items: int
    drawn: list[NewItem]
    bad: list[BadRow]


def survey_seeds(
    seeds: Seeds, config: Config, name: str, recipe: Recipe, store: Store, limit: int | None
) -> Survey:
    """Read seeds once and keep nothing of them but what a pilot would be drawn from. Errors are those of `read_rows`.

    Args:
        name: of the recipe.
        limit: as of `good_rows`; the fingerprint is of all rows.
    """
    tally, bad, found, root = Tally(), list[BadRow](), 0, config.run.seed
    rows = admitted(read_rows(seeds, config, recipe, each=tally.add), store)

    def items() -> Iterator[NewItem]:
        nonlocal found
        for item in _items_of(good_rows(rows, bad, limit), name, recipe, store):
            found += 1
            yield item

    most = min(config.routing.pilot_size, MOST_DRAWN)
    drawn = heapq.nsmallest(
        most, items(), key=lambda item: runs.item_random_seed(root, item.seed.id, item.number)
    )
    for _ in rows:  # beyond the limit
        pass
    return Survey(tally.fingerprint(), found, drawn, bad)


def _items_of(
    rows: Iterator[tuple[int, SeedRow]], name: str, recipe: Recipe, store: Store
) -> Iterator[NewItem]:
    source = recipe.source
    layer = source.batch if source.evolves else 0
    return runs.new_items(store, name, rows, expand=source.expand, layer=layer)


def parts_of(loading: Loading, config: Config, store: Store) -> Iterator[Callable[[Connection], None]]:
    """Yield what stores the seeds of a run part by part in a transaction each, the last one with the pilot and the mark
    that all is stored. To store a part again changes nothing."""
    rows = admitted(read_rows(loading.seeds, config, loading.recipe), store)
    items = _items_of(good_rows(rows, [], loading.limit), loading.run.recipe, loading.recipe, store)
    while part := list(islice(items, runs.CHUNK)):
        yield runs.storing(store, loading.run, loading.pins, part)

    def finish(connection: Connection) -> None:
        runs.set_run(connection, loading.run.id, status="running", bad_rows=len(loading.survey.bad))
        if config.routing.draws_pilot:
            # also of items that were begun: a run that was broken off may have been given another policy meanwhile
            draw_pilot(connection, loading.run.id, config.routing, afterwards=True)

    yield finish


def begin_early(loading: Loading, config: Config, store: Store) -> bool:
    """Whether a run can be worked on while its seeds are stored; where it can, its pilot is drawn and stored.

    It cannot where anything looks at all of its items before the first call: what scans them for people, what draws
    strata, and what works through them in batches. One that has items already reads all seeds first, too: which of its
    items are still missing is not known before.
    """
    run, survey, routing, source = loading.run, loading.survey, config.routing, loading.recipe.source
    waits = config.privacy.guarded or routing.strata or source.at_once or source.evolves
    if waits or survey.items <= runs.CHUNK or run.random_seed != config.run.seed:
        return False
    pilot = survey.drawn[: routing.pilot_of(survey.items)]
    if routing.draws_pilot and len(pilot) < routing.pilot_of(survey.items):
        return False
    insert = runs.storing(store, run, loading.pins, pilot if routing.draws_pilot else ())
    with store.transaction() as connection:
        if count_items(connection, run.id):
            return False
        insert(connection)
        if routing.draws_pilot:
            draw_pilot(connection, run.id, routing, of=survey.items)
    return True
