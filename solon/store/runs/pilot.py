"""The pilot of a run: items drawn at random, by `run.seed`, that people are asked about first."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, select, update

from solon.store.tables import items, seeds


def draw_pilot(
    connection: Connection, run_id: str, most: int, share: float, *, afterwards: bool = False
) -> int:
    """Draw the pilot sample of a run, once: the items with the smallest random seeds. Returns how many are in it.

    Every item has the same chance, fixed by the root seed of the run before anything is known of the items.

    Args:
        afterwards: items that were begun are drawn, too, those that people have decided among them: a sample without
            them would speak of what the policy before did not ask about.
    """
    own = items.c.run_id == run_id
    drawn = int(connection.execute(select(func.count()).where(own, items.c.pilot)).scalar_one())
    total = int(connection.execute(select(func.count()).select_from(items).where(own)).scalar_one())
    wanted = min(most, max(1, int(total * share)))
    if drawn >= wanted:
        return drawn
    chosen = select(items.c.id).where(own).order_by(items.c.random_seed, items.c.id).limit(wanted)
    ids = list(connection.execute(chosen).scalars())
    unseen = () if afterwards else (items.c.state == "queued", items.c.starts == 0)
    connection.execute(update(items).where(items.c.id.in_(ids), *unseen).values(pilot=True))
    return len(ids)


def queued_pilot(connection: Connection, run_id: str) -> list[str]:
    """The ids of the queued items of the pilot sample, in the order in which they were drawn."""
    query = select(items.c.id).where(items.c.run_id == run_id, items.c.state == "queued", items.c.pilot)
    return list(connection.execute(query.order_by(items.c.random_seed, items.c.id)).scalars())


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
