"""What a run's limits have left, whichever processes work on it: each sets requests aside before it sends them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, update

from solon.store.database import clock
from solon.store.database.writer import insert_rows
from solon.store.runs import items
from solon.store.runs.runs import spent
from solon.store.tables import runs, spending
from solon.store.tables.runs import Spending

ENDED = ""
"""Stands in the place of a worker's name: what those that have ended spent."""


@dataclass(frozen=True, slots=True)
class Total:
    """Requests, tokens and money that were spent, or are set aside."""

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: Total) -> Total:
        return Total(self.calls + other.calls, self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: Total) -> Total:
        return Total(self.calls - other.calls, self.tokens - other.tokens, self.cost - other.cost)


def open_account(connection: Connection, run_id: str, by: str) -> Total:
    """Begin to spend of a run as the worker `by`; returns what was spent of the run so far, with what others set
    aside.

    Call it before the first request. Where nobody else is at work the journal knows everything that was spent, so
    what dead workers had set aside is free again; while others are, it counts as spent.
    """
    _take_turn(connection, run_id)
    others = connection.execute(
        select(spending).where(spending.c.run_id == run_id, spending.c.by != ENDED)
    ).all()
    # also where a clock was set back: rather too much counts as spent for a time than too little
    dead = [row.by for row in others if row.until < clock.now() or items.is_gone(row.by)]
    ended = _sum(connection, run_id, or_(spending.c.by == ENDED, spending.c.by.in_(dead)))
    if len(dead) == len(others):
        known = spent(connection, run_id)
        ended = Total(known.calls, known.input_tokens + known.output_tokens, known.cost)
    gone = spending.c.by.in_([ENDED, *dead])
    connection.execute(delete(spending).where(spending.c.run_id == run_id, gone))
    insert_rows(
        connection, [(Spending, _row(run_id, name, total)) for name, total in ((ENDED, ended), (by, Total()))]
    )
    return _sum(connection, run_id)


def set_aside(
    connection: Connection, run_id: str, by: str, own: Total, wanted: int, most: int | None
) -> tuple[Total, int]:
    """Set requests of a run's limit aside for this worker, before they are sent.

    Args:
        by: name of the worker.
        own: what this worker has spent so far.
        wanted: requests that it would like to send.
        most: requests that the run may make in all, None for any number.

    Returns:
        What others have spent or set aside, and how many of the `wanted` requests this worker may send.
    """
    _take_turn(connection, run_id)
    others = _sum(connection, run_id, spending.c.by != by)
    granted = wanted if most is None else max(0, min(wanted, most - others.calls - own.calls))
    row = _row(run_id, by, own + Total(granted))
    of_worker = update(spending).where(spending.c.run_id == run_id, spending.c.by == by)
    if connection.execute(of_worker.values(row)).rowcount == 0:  # it was taken for dead
        insert_rows(connection, [(Spending, row)])
    return others, granted


def close_account(connection: Connection, run_id: str, by: str, own: Total) -> None:
    """Note what the worker `by` has spent (`own`) and end its account: what it set aside and did not spend is free
    again.
    """
    _take_turn(connection, run_id)
    mine = delete(spending).where(spending.c.run_id == run_id, spending.c.by == by)
    if connection.execute(mine).rowcount == 0:
        return  # taken for dead, it is in what ended already
    ended = {"calls": spending.c.calls + own.calls, "tokens": spending.c.tokens + own.tokens}
    ended["cost"] = spending.c.cost + own.cost
    connection.execute(
        update(spending).where(spending.c.run_id == run_id, spending.c.by == ENDED).values(ended)
    )


def _take_turn(connection: Connection, run_id: str) -> None:
    connection.execute(select(runs.c.id).where(runs.c.id == run_id).with_for_update())


def _sum(connection: Connection, run_id: str, *which: ColumnElement[bool]) -> Total:
    columns = (spending.c.calls, spending.c.tokens, spending.c.cost)
    query = select(*(func.coalesce(func.sum(column), 0) for column in columns))
    row = connection.execute(query.where(spending.c.run_id == run_id, *which)).one()
    return Total(int(row[0]), int(row[1]), float(row[2]))


def _row(run_id: str, by: str, total: Total) -> dict[str, object]:
    until = clock.now() + items.CLAIM_SECONDS
    return {
        "run_id": run_id,
        "by": by,
        "calls": total.calls,
        "tokens": total.tokens,
        "cost": total.cost,
        "until": until,
    }
