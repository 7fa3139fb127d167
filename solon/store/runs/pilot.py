"""The pilot of a run: items drawn at random, by `run.seed`, that people are asked about first.

Where strata have promises of their own, further items of theirs are marked as of the pilot, too. They are asked and
teach like it; what is said here of the pilot's size and of its sample is without them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, func, select, update

from solon.store.database.events import event
from solon.store.database.writer import insert_rows
from solon.store.runs.strata import draw_strata, drawn_strata
from solon.store.tables import events, items, seeds

if TYPE_CHECKING:
    from solon.config.sections import RoutingConfig

DRAWN = "pilot.drawn"


def draw_pilot(
    connection: Connection,
    run_id: str,
    routing: RoutingConfig,
    *,
    afterwards: bool = False,
    of: int | None = None,
) -> int:
    """Draw the pilot sample of a run: the items with the smallest random seeds. Returns how many are in it.

    Every item has the same chance, fixed by the root seed of the run before anything is known of the items. A larger
    pilot, drawn later, holds the smaller one: the random order goes on.

    Args:
        afterwards: draw among all items, also those that were begun or decided. A run that was begun under another
            policy needs this: a sample of the rest alone would be one of what that policy asked nobody about.
        of: how many items the run will have, where so far only those with the smallest random seeds are stored.
    """
    wanted = routing.pilot_of(count_items(connection, run_id) if of is None else of)
    drawn = count_pilot(connection, run_id)
    if drawn < wanted:
        drawn = draw_up_to(connection, run_id, wanted, afterwards=afterwards)
    if routing.strata:
        draw_strata(connection, run_id, routing, drawn)
    return drawn


def draw_up_to(connection: Connection, run_id: str, wanted: int, *, afterwards: bool) -> int:
    """Draw so many items into the pilot; argument and result as of `draw_pilot`."""
    own = items.c.run_id == run_id
    chosen = select(items.c.id).where(own).order_by(items.c.random_seed, items.c.id).limit(wanted)
    ids = list(connection.execute(chosen).scalars())
    if (before := count_pilot(connection, run_id)) and not _sizes(connection, run_id):
        note_pilot(connection, run_id, before)  # of a run that was begun before sizes were noted
    unseen = () if afterwards else (items.c.state == "queued", items.c.starts == 0)
    connection.execute(update(items).where(items.c.id.in_(ids), *unseen).values(pilot=True))
    note_pilot(connection, run_id, len(ids))
    return len(ids)


def note_pilot(connection: Connection, run_id: str, size: int) -> None:
    """Write down how many items the pilot shall have from now on."""
    insert_rows(connection, [event("system", DRAWN, run_id, {"items": size})])


def drawn_at_first(connection: Connection, run_id: str, routing: RoutingConfig, *, grows: bool) -> int:
    """The size of the pilot when it was first drawn, from which the sizes of all looks follow.

    Args:
        grows: items are opened one by one, so that the pilot is still filled: its size is the configured one, and never
            how many there are by now.
    """
    if grows:
        return routing.pilot_size
    noted = next(iter(_sizes(connection, run_id)), 0)
    return noted or count_pilot(connection, run_id) or routing.pilot_of(count_items(connection, run_id))


def wanted_pilot(connection: Connection, run_id: str) -> int:
    """How many items the pilot was last said to have; 0 where nothing was said."""
    return max(_sizes(connection, run_id), default=0)


def _sizes(connection: Connection, run_id: str) -> list[int]:
    query = select(events.c.detail).where(events.c.subject == run_id, events.c.kind == DRAWN)
    rows = connection.execute(query.order_by(events.c.at, events.c.id)).scalars()
    return [int(detail["items"]) for detail in rows]


def count_items(connection: Connection, run_id: str) -> int:
    """How many items the run has."""
    query = select(func.count()).select_from(items).where(items.c.run_id == run_id)
    return int(connection.execute(query).scalar_one())


def count_pilot(connection: Connection, run_id: str) -> int:
    """How many items of the run are in its pilot."""
    query = select(func.count()).where(items.c.run_id == run_id, items.c.pilot)
    return int(connection.execute(query.where(*_proper(connection, run_id))).scalar_one())


def count_pilot_within(connection: Connection, run_id: str, size: int) -> int:
    """How many of the first `size` items of the run, in the random order, were drawn, for the pilot or a stratum."""
    first = select(items.c.id).where(items.c.run_id == run_id).order_by(items.c.random_seed, items.c.id)
    query = select(func.count()).where(items.c.id.in_(first.limit(size)), items.c.pilot)
    return int(connection.execute(query).scalar_one())


def pilot_in_order(connection: Connection, run_id: str) -> list[tuple[str, str]]:
    """Id and state of every item of the pilot, in the order in which they were drawn."""
    return _in_order(connection, run_id, *_proper(connection, run_id))


def queued_pilot(connection: Connection, run_id: str) -> list[str]:
    """The ids of the queued items of the pilot sample, in the order in which they were drawn, and of what was drawn for
    strata beyond it."""
    return [item for item, state in _in_order(connection, run_id) if state == "queued"]


def _in_order(connection: Connection, run_id: str, *conditions: ColumnElement[bool]) -> list[tuple[str, str]]:
    query = select(items.c.id, items.c.state).where(items.c.run_id == run_id, items.c.pilot, *conditions)
    rows = connection.execute(query.order_by(items.c.random_seed, items.c.id))
    return [(row.id, row.state) for row in rows]


def _proper(connection: Connection, run_id: str) -> tuple[ColumnElement[bool], ...]:
    """What tells the items of the pilot from those that were drawn for strata beyond it."""
    if drawn_strata(connection, run_id) is None:
        return ()
    first = select(items.c.id).where(items.c.run_id == run_id).order_by(items.c.random_seed, items.c.id)
    return (items.c.id.in_(first.limit(wanted_pilot(connection, run_id))),)


def drawn_for_strata(connection: Connection, run_ids: Collection[str]) -> set[str]:
    """The ids of the items that were drawn for strata beyond the pilots of these runs: they speak of their strata, and
    not of all items."""
    found: set[str] = set()
    for run_id in run_ids:
        drawn = select(items.c.id).where(items.c.run_id == run_id, items.c.pilot)
        for proper in _proper(connection, run_id):
            found.update(connection.execute(drawn.where(~proper)).scalars())
    return found


def mark_pilot(connection: Connection, run_id: str, names: Collection[str]) -> dict[str, str]:
    """Put the items of these seeds, by name, into the pilot sample. Returns, for the whole run, id of a seed -> id
    of its item.
    """
    query = (
        select(items.c.id, items.c.seed_id, seeds.c.external_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .where(items.c.run_id == run_id)
    )
    rows = connection.execute(query).all()
    drawn = [row.id for row in rows if row.external_id in names]
    connection.execute(update(items).where(items.c.id.in_(drawn)).values(pilot=True))
    return {row.seed_id: row.id for row in rows}
