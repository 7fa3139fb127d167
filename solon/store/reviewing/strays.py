"""Items whose rows contradict each other, so that an answer led nowhere or nobody can give one; and bringing them in.

`solon doctor` lists them and `solon doctor --repair` brings them in. Nothing is decided here: an item goes back to the
review that waits for it, or begins a new attempt, which the journal replays up to the answer at no model cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, not_, or_, select, update

from solon.store.database import clock
from solon.store.database.events import event
from solon.store.database.writer import insert_rows
from solon.store.reviewing.deliveries import ends_with
from solon.store.runs.items import FINAL, next_attempt
from solon.store.runs.runs import set_run
from solon.store.tables import decisions, items, outbox, reviews

GOES_ON = ("redraft", "both_bad", "all_bad")
"""Choices after which the graph goes on, and may end in whatever way."""


@dataclass(frozen=True, slots=True)
class Stray:
    """An item whose rows contradict each other.

    Attributes:
        item_id: the item.
        run_id: its run.
        why: what contradicts what, in words.
        waits: its review still waits, so that the item only has to go back there.
    """

    item_id: str
    run_id: str
    why: str
    waits: bool = False


def find_strays(connection: Connection) -> list[Stray]:
    """Every item that contradicts its reviews and decisions, once, in a stable order."""
    strays: dict[str, Stray] = {}
    for condition, why, waits in _kinds():
        query = select(items.c.id, items.c.run_id).where(condition).order_by(items.c.run_id, items.c.position)
        for row in connection.execute(query):
            strays.setdefault(row.id, Stray(row.id, row.run_id, why, waits))
    return list(strays.values())


def _kinds() -> Iterator[tuple[ColumnElement[bool], str, bool]]:
    """What contradicts what; the first that fits an item tells what becomes of it."""
    failed, waits = items.c.state == "failed", items.c.state == "waiting"
    open_, here = reviews.c.state.in_(("waiting", "held")), reviews.c.attempt == items.c.attempt
    yield failed & _has_review(open_, here), "failed although their review waits", True
    # After a redraft the graph may fail by itself; a mistake that nobody foresaw is told as an internal error.
    by_mistake = items.c.reason.startswith("internal error")
    answered = _has_answer(or_(decisions.c.choice.not_in(GOES_ON), by_mistake))
    yield failed & answered, "failed although they were answered", False
    ended = and_(items.c.state.in_(FINAL), _is_on_its_way(not_(ends_with(outbox.c.decision_id))))
    yield ended, "ended without the answer that is on its way to them", False
    # What the present attempt was told last must be what it ended with.
    last = _has_answer(
        decisions.c.choice.not_in(GOES_ON),
        _has_review(reviews.c.state == "decided", reviews.c.decision_id == decisions.c.id, here),
        not_(ends_with(decisions.c.id)),
    )
    yield (
        items.c.state.in_(("accepted", "rejected")) & last,
        "ended without the answer they were given",
        False,
    )
    # A review of an earlier attempt that waits can be answered: its item is then replayed up to it.
    stuck = and_(waits, not_(_has_review(open_)), not_(_is_on_its_way()))
    yield stuck & _has_answer(), "wait although they were answered", False
    yield stuck, "wait for a review that nobody can answer", False


def _has_review(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Did the item's graph stop at such a review?"""
    stops = (reviews.c.item_id == items.c.id, reviews.c.kind == "interrupt")
    return exists().where(*stops, *conditions).correlate_except(reviews)


def _has_answer(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Is the last answer that the item's graph has to take in of this kind?"""
    return exists().where(_is_last_answer(), *conditions).correlate_except(decisions)


def _is_last_answer() -> ColumnElement[bool]:
    later = decisions.alias()
    follows = exists().where(_stands(later), later.c.ordinal > decisions.c.ordinal)
    return and_(_stands(decisions), not_(follows.correlate_except(later)))


def _stands(table: Any) -> ColumnElement[bool]:
    """Was it given to a review that a graph waits at, and neither taken back nor overruled?"""
    asked = reviews.alias()
    return and_(
        table.c.item_id == items.c.id,
        table.c.undone_at.is_(None),
        table.c.overruled_by.is_(None),
        exists().where(asked.c.id == table.c.review_id, asked.c.kind == "interrupt").correlate_except(asked),
    )


def _is_on_its_way(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    pending = (outbox.c.item_id == items.c.id, outbox.c.applied_at.is_(None))
    return exists().where(*pending, *conditions).correlate_except(outbox)


def bring_in(connection: Connection, strays: Sequence[Stray]) -> None:
    """Send these items on their way again: back to the review that waits, or into a new attempt.

    Whoever works on their runs next, `solon resume` or a worker, goes on with them.
    """
    for stray in strays:
        if not stray.waits:
            _begin_again(connection, stray.item_id)
        values = {"claimed_by": None, "claimed_until": None, "finished_at": None, "reason": None}
        connection.execute(
            update(items)
            .where(items.c.id == stray.item_id)
            .values(state="waiting" if stray.waits else "queued", **values)
        )
    insert_rows(connection, [event("system", "item.repaired", s.item_id, {"why": s.why}) for s in strays])
    for run_id in dict.fromkeys(stray.run_id for stray in strays):
        set_run(connection, run_id, status="waiting", finished_at=None)


def _begin_again(connection: Connection, item_id: str) -> None:
    """A new attempt meets its reviews anew; answers that stand are on their way again until its state names them."""
    open_ = (reviews.c.item_id == item_id, reviews.c.state.in_(("opening", "waiting", "held")))
    connection.execute(
        update(reviews)
        .where(*open_, reviews.c.kind == "interrupt")
        .values(state="withdrawn", leased=False, resolved_at=clock.now())
    )
    last = select(decisions.c.id).join(items, items.c.id == decisions.c.item_id)
    last = last.where(items.c.id == item_id, _is_last_answer())
    connection.execute(
        update(outbox)
        .where(outbox.c.decision_id.in_(last))
        .values(applied_at=None, problem=None, claimed_by=None, claimed_until=None)
    )
    next_attempt(connection, item_id)
