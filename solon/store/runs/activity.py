"""Whether a panel is at work just now, and until about when: what an empty queue tells whoever waits."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, exists, func, select

from solon.store.database import clock
from solon.store.runs.items import has_lapsed
from solon.store.tables import items, reviews, runs

LOOK_BACK = 600.0
"""Seconds over which the pace is measured, up to now."""
TO_DO = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Judging:
    """Whether a panel is at work, and until when.

    Attributes:
        working: a process has items in hand.
        stopped: a run has items left and nobody works on it.
        until: when it is through at its pace, epoch seconds; None where the pace is not known yet.
    """

    working: bool
    stopped: bool
    until: float | None = None


def judging(connection: Connection) -> Judging:
    """Whether a panel is at work on any run that has not come to its end. A run whose process died holds no claim on
    its items, and counts as stopped.
    """
    now = clock.now()
    wanted = ("loading", "running", "stopped")
    unended = connection.execute(
        select(runs.c.id, runs.c.status, runs.c.created_at).where(runs.c.status.in_(wanted))
    ).all()
    claimed = {
        row.run_id
        for row in connection.execute(
            select(items.c.run_id)
            .where(
                items.c.run_id.in_([run.id for run in unended]),
                items.c.state == "running",
                ~has_lapsed(),
            )
            .distinct()
        )
    }
    live = [run for run in unended if run.id in claimed or run.status == "loading"]
    dead = [run.id for run in unended if run not in live]
    if not live:
        return Judging(False, _left(connection, dead) > 0 or any(run.status == "stopped" for run in unended))
    ids = [run.id for run in live]
    since = max(now - LOOK_BACK, min(run.created_at for run in live))
    judged = _judged(connection, ids, since)
    until = now + _left(connection, ids) * (now - since) / judged if judged else None
    return Judging(True, False, until)


def _left(connection: Connection, run_ids: list[str]) -> int:
    query = select(func.count()).where(items.c.run_id.in_(run_ids), items.c.state.in_(TO_DO))
    return int(connection.execute(query).scalar_one())


def _judged(connection: Connection, run_ids: list[str], since: float) -> int:
    """Items that came to a review, or to an end without one, since then."""
    asked = select(func.count(func.distinct(reviews.c.item_id))).where(
        reviews.c.run_id.in_(run_ids), reviews.c.kind == "interrupt", reviews.c.created_at >= since
    )
    ended = select(func.count()).where(
        items.c.run_id.in_(run_ids),
        items.c.finished_at >= since,
        ~exists().where(reviews.c.item_id == items.c.id),
    )
    return int(connection.execute(asked).scalar_one()) + int(connection.execute(ended).scalar_one())
