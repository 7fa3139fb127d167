"""The claim that an item is worked on under, the one check that keeps a worker from writing without it, and when what
is held for a time has run out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, or_, select

from solon.store.database import clock
from solon.store.tables import items as _items

MOST_APART = 600.0
"""Seconds by which the clock of whoever holds something may be ahead of the one that it is asked by."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's hold on one attempt of an item. The worker hands it over with whatever it writes of the attempt,
    and is refused once somebody else has taken the item over.
    """

    item_id: str
    attempt: int
    by: str


_HELD = (
    select(_items.c.id, _items.c.attempt, _items.c.claimed_by)
    .where(_items.c.id.in_(bindparam("of_items", expanding=True)), _items.c.state == "running")
    .order_by(_items.c.id)
    .with_for_update(read=True)
)
"""Built once: building it costs more than running it. On PostgreSQL nobody takes over what it found until the end of
the transaction; SQLite has one writer at a time in any case."""


def find_lost(connection: Connection, claims: Collection[Claim]) -> set[Claim]:
    """Those of the claims that no longer hold; call it in the write transaction that relies on the others."""
    held = connection.execute(_HELD, {"of_items": [claim.item_id for claim in claims]})
    return set(claims) - {Claim(*row) for row in held}


def has_run_out(until: ColumnElement[Any], lasts: float | ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that what is held up to a time (a claim, a lease, a session) is held no more.

    It is over once that time has passed, and where that time lies further ahead than can be: then the clock was set
    back since it was taken, and whoever still holds it takes it again.

    Args:
        until: the column with its end, epoch seconds; NULL is never over.
        lasts: seconds that it lasts each time that it is taken or kept.
    """
    now = clock.now()
    return or_(until < now, until > now + lasts + MOST_APART)
