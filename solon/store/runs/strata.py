"""Strata of a run: which have a promise of their own, and the items drawn for them beyond the pilot.

The random order of the items stays as it is: of a stratum that the pilot holds too few of, the next ones in that order
are drawn too. So the sample of a stratum is the first of its items in the order, and says nothing but of the stratum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select, update

from solon.store.database.events import event
from solon.store.database.ids import hash_id
from solon.store.database.writer import insert_rows
from solon.store.runs.traits import segments_of
from solon.store.tables import events, items, seeds

if TYPE_CHECKING:
    from solon.config.sections import RoutingConfig

DRAWN = "pilot.strata"
"""What is written into the log when strata are drawn: of each that has a promise, by the hash of its name, how many of
its items are in its sample."""


@dataclass(frozen=True, slots=True)
class StratumItem:
    """An item with its stratum.

    Attributes:
        id: of the item.
        stratum: name of its stratum; empty where its seed states none.
        group: group of its seed; a seed without one is a group of its own.
        pilot: it was drawn.
        state: of the item.
    """

    id: str
    stratum: str
    group: str
    pilot: bool
    state: str


def items_by_stratum(connection: Connection, run_id: str, field: str) -> list[StratumItem]:
    """Return every item of a run with the stratum that a field of its seed names, in the random order."""
    group = func.coalesce(seeds.c.group, seeds.c.id).label("group")
    query = select(items.c.id, group, items.c.pilot, items.c.state)
    query = query.join(seeds, seeds.c.id == items.c.seed_id).where(items.c.run_id == run_id)
    rows = connection.execute(query.order_by(items.c.random_seed, items.c.id)).all()
    named = segments_of(connection, [row.id for row in rows], field)
    return [StratumItem(row.id, named.get(row.id, ""), row.group, bool(row.pilot), row.state) for row in rows]


def draw_strata(connection: Connection, run_id: str, routing: RoutingConfig, planned: int) -> None:
    """Fix which strata have a promise of their own, and draw what their samples lack beyond the pilot. Once for a run.

    Args:
        planned: items of the pilot.
    """
    from solon.consensus.strata import plan_strata

    if drawn_strata(connection, run_id) is not None:
        return
    order = items_by_stratum(connection, run_id, routing.strata)
    groups: dict[str, set[str]] = {}
    for one in order:
        if one.stratum:
            groups.setdefault(one.stratum, set()).add(one.group)
    plan = plan_strata({name: len(found) for name, found in groups.items()}, routing.alpha, routing.delta)
    taken, drawn = {name: set[str]() for name in plan.promised}, dict.fromkeys(plan.promised, 0)
    further = []
    for place, one in enumerate(order):
        if one.stratum not in plan.promised:
            continue
        if place >= planned:
            if len(taken[one.stratum]) >= plan.fewest:
                continue
            further.append(one.id)
        taken[one.stratum].add(one.group)
        drawn[one.stratum] += 1
    connection.execute(update(items).where(items.c.id.in_(further)).values(pilot=True))
    noted = {hash_of(name): n for name, n in sorted(drawn.items())}
    insert_rows(connection, [event("system", DRAWN, run_id, {"strata": noted})])


def drawn_strata(connection: Connection, run_id: str) -> Mapping[str, int] | None:
    """Return hash of a stratum's name -> how many of its items were drawn for its sample, of those that have a promise;
    None where the run was drawn without strata."""
    query = select(events.c.detail).where(events.c.subject == run_id, events.c.kind == DRAWN).limit(1)
    detail = connection.execute(query).scalar()
    return None if detail is None else {name: int(n) for name, n in detail["strata"].items()}


def hash_of(name: str) -> str:
    """The hash of a stratum's name, under which the log knows it: it holds ids and numbers only."""
    return hash_id("stratum", name)
