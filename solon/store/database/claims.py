"""The claim that an item is worked on under, and the one check that keeps a worker from writing without it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from solon.store.tables import items as _items


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
