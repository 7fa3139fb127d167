"""Items that are on their way again after a decision or in a later attempt, which the worker of a server goes on
with.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, exists, or_, select

from solon.store.database.claims import has_run_out
from solon.store.runs.holds import is_held
from solon.store.runs.items import has_lapsed, take
from solon.store.tables import decisions, items, outbox, runs

OUTBOX_CLAIM_SECONDS = 300.0


def claim_begun(connection: Connection, run_id: str, limit: int, by: str) -> list[str]:
    """Claim up to `limit` queued items that have a decision, also an undone one, or that a new consensus version
    sent again; returns their ids.
    """
    chosen = (
        select(items.c.id)
        .where(
            items.c.run_id == run_id,
            items.c.state == "queued",
            or_(items.c.attempt > 0, exists().where(decisions.c.item_id == items.c.id)),
        )
        .limit(limit)
    )
    return take(connection, chosen, by)


def runs_with_work(connection: Connection, *, begun: bool) -> list[str]:
    """The ids of runs with decisions to deliver; with `begun`, also of those with requeued items that nobody works
    on.
    """
    query = (
        select(items.c.run_id)
        .join(outbox, outbox.c.item_id == items.c.id)
        .where(
            outbox.c.applied_at.is_(None),
            items.c.state == "waiting",
            is_unclaimed(),
        )
        .distinct()
    )
    run_ids = set(connection.execute(query).scalars())
    if begun:
        left = (
            select(items.c.run_id)
            .where(
                or_(items.c.state == "queued", (items.c.state == "running") & has_lapsed()),
                or_(items.c.attempt > 0, exists().where(decisions.c.item_id == items.c.id)),
            )
            .distinct()
        )
        run_ids |= set(connection.execute(left).scalars())
    return sorted(run_ids)


def is_unclaimed() -> ColumnElement[bool]:
    """The condition that nobody is about to deliver a decision of the outbox."""
    return or_(outbox.c.claimed_until.is_(None), has_run_out(outbox.c.claimed_until, OUTBOX_CLAIM_SECONDS))


def is_settled(connection: Connection, run_id: str) -> bool:
    """Whether every item of a run has ended, or is where only another session of the run tries it again."""
    loading = select(runs.c.id).where(runs.c.id == run_id, runs.c.status == "loading")
    if connection.execute(loading).first() is not None:
        return False  # further items are still to come
    own = select(items.c.id).where(items.c.run_id == run_id)
    for open_ in (
        items.c.state.in_(("queued", "running", "waiting")),
        (items.c.state == "parked") & is_held(),
    ):
        if connection.execute(own.where(open_).limit(1)).first() is not None:
            return False
    return True
