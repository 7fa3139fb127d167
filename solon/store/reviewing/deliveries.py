"""The outbox: decisions on their way into their graphs, each applied once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, or_, select, update

from solon.responses import choices_of
from solon.store.database import clock
from solon.store.reviewing.review_rows import ReviewRow, find_review
from solon.store.runs import requeued
from solon.store.runs.items import FORGOTTEN, claimed, is_gone
from solon.store.tables import candidates, decisions, items, outbox, records, reviews


@dataclass(frozen=True, slots=True)
class Delivery:
    """A decision on its way into its graph.

    Attributes:
        decision_id: the decision.
        item_id: the item whose graph waits for it.
        review: the review that it answers.
        resume: the value with which the graph is resumed, see `resume_value`.
    """

    decision_id: str
    item_id: str
    review: ReviewRow
    resume: dict[str, Any]


def settle_arrived(connection: Connection, run_id: str) -> int:
    """Mark decisions of a run as applied that their graphs took in before a crash; returns how many.

    What such an item ended as names the decision, although the outbox still holds it.
    """
    statement = (
        update(outbox)
        .where(outbox.c.applied_at.is_(None), _of(run_id, ends_with(outbox.c.decision_id)))
        .values(applied_at=clock.now(), claimed_by=None, claimed_until=None)
    )
    return int(connection.execute(statement).rowcount)


def ends_with(decision_id: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition on an item that what it ended as names this decision.

    Its record names it, or the item was rejected by whoever decided, or it was forgotten.
    """
    record = exists().where(
        records.c.item_id == items.c.id,
        records.c.superseded_at.is_(None),
        records.c.decision_id == decision_id,
    )
    record = record.correlate_except(records)
    rejected = (items.c.state == "rejected") & items.c.route.in_(("decided", "voted"))
    return or_((items.c.state == "accepted") & record, rejected, items.c.reason == FORGOTTEN)


def _of(run_id: str, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Is a row of the outbox about an item of the run? Asked row by row: few are pending, a run may have many items."""
    return exists().where(items.c.id == outbox.c.item_id, items.c.run_id == run_id, *conditions)


def recover_outbox(connection: Connection, run_id: str) -> None:
    """Free the decisions in the outbox that workers which have ended had claimed."""
    still_open = outbox.c.applied_at.is_(None) & _of(run_id)
    holders = connection.execute(select(outbox.c.claimed_by).where(still_open).distinct()).scalars()
    gone = [name for name in holders if name is not None and is_gone(name)]
    if gone:
        connection.execute(
            update(outbox)
            .where(still_open, outbox.c.claimed_by.in_(gone))
            .values(claimed_by=None, claimed_until=None)
        )


def claim_deliveries(
    connection: Connection,
    by: str,
    limit: int,
    *,
    run_id: str | None = None,
    item_id: str | None = None,
    without: Collection[str] = (),
) -> list[Delivery]:
    """Take decisions whose graphs are to be resumed; a claim that is not kept comes back by itself.

    Args:
        run_id, item_id: those of this run, or on this item; None: any.
        without: ids of decisions that shall stay where they are.
    """
    free = requeued.is_unclaimed() | (outbox.c.claimed_by == by)
    query = (
        select(outbox.c.decision_id)
        .join(items, items.c.id == outbox.c.item_id)
        .where(outbox.c.applied_at.is_(None), free, items.c.state == "waiting")
        .where(outbox.c.decision_id.not_in(without))
        .order_by(outbox.c.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=outbox)
    )
    for column, wanted in ((items.c.run_id, run_id), (items.c.id, item_id)):
        if wanted is not None:
            query = query.where(column == wanted)
    ids = list(connection.execute(query).scalars())
    if not ids:
        return []
    connection.execute(
        update(outbox)
        .where(outbox.c.decision_id.in_(ids))
        .values(
            claimed_by=by, claimed_until=clock.now() + requeued.OUTBOX_CLAIM_SECONDS, tries=outbox.c.tries + 1
        )
    )
    deliveries = _deliveries(connection, ids)
    connection.execute(
        update(items).where(items.c.id.in_([delivery.item_id for delivery in deliveries])).values(claimed(by))
    )
    return deliveries


def _deliveries(connection: Connection, ids: Sequence[str]) -> list[Delivery]:
    query = (
        select(
            decisions,
            *(reviews.c[name].label(f"of_review_{name}") for name in ReviewRow.__dataclass_fields__),
        )
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(decisions.c.id.in_(ids))
        .order_by(decisions.c.decided_at)
    )
    deliveries = []
    for row in connection.execute(query).mappings():
        review = ReviewRow(**{name: row[f"of_review_{name}"] for name in ReviewRow.__dataclass_fields__})
        deliveries.append(Delivery(row["id"], row["item_id"], review, resume_value(row)))
    return deliveries


def resume_value(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The value with which a decision resumes its graph: ids and small values, never texts."""
    return {
        "decision": row["id"],
        "choice": row["choice"],
        "candidate": row["candidate_id"],
        "edit": row["edit_id"],
        "guidance": row["guidance_id"],
        "actor": row["actor"],
        "scores": row["scores"] or {},
        **({} if row["label"] is None else {"label": row["label"]}),
        **({} if row["confidence"] is None else {"confidence": row["confidence"]}),
        **({} if row["shares"] is None else {"shares": row["shares"]}),
    }


def mark_applied(connection: Connection, decision_id: str) -> None:
    """Mark a decision as applied, together with the state that names it; an empty id marks nothing."""
    if decision_id:
        connection.execute(_APPLIED, {"of_decision": decision_id, "at": clock.now()})


_APPLIED = (
    update(outbox)
    .where(outbox.c.decision_id == bindparam("of_decision"), outbox.c.applied_at.is_(None))
    .values(applied_at=bindparam("at"), claimed_until=None)
)


def not_delivered(
    connection: Connection, delivery: Delivery, problem: str, *, taken_in: bool, state: str = "parked"
) -> None:
    """Note that a delivery failed, and let its item go on. The decision stays stored.

    Args:
        problem: why it failed.
        taken_in: the graph has the decision already, so that only the item has to go on; else it is delivered again.
        state: the state of an item whose graph has taken the decision in.
    """
    values: dict[str, Any] = {
        "problem": problem[:500],
        "claimed_by": None,
        "claimed_until": None,
        "applied_at": clock.now() if taken_in else None,
    }
    still_open = (outbox.c.decision_id == delivery.decision_id, outbox.c.applied_at.is_(None))
    connection.execute(update(outbox).where(*still_open).values(**values))
    connection.execute(
        update(items)
        .where(items.c.id == delivery.item_id, items.c.state == "running")
        .values(
            state=state if taken_in else "waiting",
            reason=problem[:500],
            claimed_by=None,
            claimed_until=None,
        )
    )


def pending_deliveries(connection: Connection, run_id: str | None = None) -> int:
    """How many decisions wait for a worker."""
    query = (
        select(func.count())
        .select_from(outbox.join(items, items.c.id == outbox.c.item_id))
        .where(outbox.c.applied_at.is_(None))
    )
    if run_id is not None:
        query = query.where(items.c.run_id == run_id)
    return int(connection.execute(query).scalar_one())


def runs_with_deliveries(connection: Connection) -> dict[str, int]:
    """How many decisions wait for a worker, by run; the run with the oldest of them first."""
    query = (
        select(items.c.run_id, func.count())
        .select_from(outbox.join(items, items.c.id == outbox.c.item_id))
        .where(outbox.c.applied_at.is_(None))
        .group_by(items.c.run_id)
        .order_by(func.min(outbox.c.created_at), items.c.run_id)
    )
    return {row[0]: int(row[1]) for row in connection.execute(query)}


def count_applied(connection: Connection, item_id: str) -> int:
    """How many decisions on an item its graph has taken in."""
    query = select(func.count()).where(outbox.c.item_id == item_id, outbox.c.applied_at.is_not(None))
    return int(connection.execute(query).scalar_one())


def problem_of(connection: Connection, decision_id: str) -> str:
    """Why a decision could not be applied yet; empty where it was, or nobody tried."""
    query = select(outbox.c.problem).where(outbox.c.decision_id == decision_id, outbox.c.applied_at.is_(None))
    return connection.execute(query).scalar() or ""


def delivery_problems(connection: Connection, run_id: str | None = None) -> list[tuple[str, int]]:
    """Why single decisions could not be applied yet, with counts, the most frequent first."""
    number = func.count()
    query = (
        select(outbox.c.problem, number)
        .where(outbox.c.applied_at.is_(None), outbox.c.problem.is_not(None))
        .group_by(outbox.c.problem)
        .order_by(number.desc(), outbox.c.problem)
    )
    if run_id is not None:
        query = query.where(_of(run_id))
    return [(str(problem), int(count)) for problem, count in connection.execute(query)]


def stored_decision(
    connection: Connection, item_id: str, ordinal: int, review_id: str
) -> dict[str, Any] | None:
    """The decision that the item has at this review, from whatever attempt, unless it was undone.

    Candidates have other ids in every attempt: the decision is told about those of `review_id`. Where their texts are
    not those that the expert saw, or the graph has no such answer any more, there is no decision yet.
    """
    query = (
        select(decisions)
        .where(
            decisions.c.item_id == item_id,
            decisions.c.ordinal == ordinal,
            decisions.c.undone_at.is_(None),
            decisions.c.overruled_by.is_(None),
        )
        .order_by(decisions.c.decided_at)
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    shown = find_review(connection, review_id)
    row = next((row for row in rows if row["content_hash"] == shown.content_hash), None)
    if row is None or row["review_id"] == review_id:
        return row
    seen = find_review(connection, row["review_id"])
    if row["choice"] not in choices_of(shown.response_schema):
        return None
    text_of: dict[str, str] = dict(
        connection.execute(
            select(candidates.c.id, candidates.c.text_id).where(
                candidates.c.id.in_([*seen.candidates, *shown.candidates])
            )
        ).all()
    )
    now = {text_of[candidate]: candidate for candidate in shown.candidates}
    candidate = row["candidate_id"]
    return {**row, "candidate_id": now[text_of[candidate]] if candidate else None}


def set_replayed(connection: Connection, review_id: str, decision_id: str, *, named: str = "") -> None:
    """Mark a review that a later attempt met again as decided by a decision that stands already.

    Args:
        named: the decision that the waiting graph took in last, which has thereby arrived; empty: none.
    """
    connection.execute(
        update(reviews)
        .where(reviews.c.id == review_id, reviews.c.state.in_(("opening", "waiting")))
        .values(state="decided", decision_id=decision_id, resolved_at=clock.now())
    )
    mark_applied(connection, named)
