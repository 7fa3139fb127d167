"""What a new consensus version, or another policy, changes: queued items follow it, others are replayed under it or
confirmed by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, or_, select, update

from solon.store.database import clock
from solon.store.database.events import event
from solon.store.database.writer import insert_rows
from solon.store.learning.evidence import JudgedItem
from solon.store.runs.items import next_attempt
from solon.store.runs.verdicts import panel_votes
from solon.store.tables import assignments, decisions, items, records, reviews

DOUBTED = "doubted"
"""Kind of the event that learning took an item's record out of the set, since the panel was no longer sure enough of
it; its subject is the item."""
TURNED = "turned"
"""The same, where the panel now chose otherwise."""


@dataclass(frozen=True, slots=True)
class TakenOut:
    """Records that learning took out of the set; their items are judged or asked anew.

    Attributes:
        unsure: those that the panel was no longer sure enough of.
        turned: those for which it now chose otherwise.
        without_record: how many of these items have no record now.
    """

    unsure: int
    turned: int
    without_record: int

    @property
    def records(self) -> int:
        """How many there are, for both reasons."""
        return self.unsure + self.turned

    def __str__(self) -> str:
        reasons = [f"of {self.unsure} the panel is no longer sure enough"] if self.unsure else []
        reasons += [f"for {self.turned} it now chooses otherwise"] if self.turned else []
        return f"{self.records} records, since {', and '.join(reasons)}"


def adopt_for_queued(
    connection: Connection, run_id: str, consensus_id: str, certificate_id: str | None
) -> int:
    """Pin the items of a run that the panel has yet to judge, or to judge again from its journal, to the new version;
    returns how many. What people decided stays on its way, and so does what newer law sent again."""
    pins = {"consensus_id": consensus_id, "certificate_id": certificate_id}
    return int(connection.execute(update(items).where(*_to_come(run_id)).values(**pins)).rowcount)


def queued_pilot(connection: Connection, run_id: str) -> list[str]:
    """Ids of the items of the pilot that `adopt_for_queued` would pin."""
    return list(connection.execute(select(items.c.id).where(*_to_come(run_id), items.c.pilot)).scalars())


def _to_come(run_id: str) -> tuple[ColumnElement[bool], ...]:
    judged = exists().where(panel_votes.c.item_id == items.c.id, panel_votes.c.attempt == items.c.attempt)
    decided = exists().where(
        decisions.c.item_id == items.c.id, reviews.c.id == decisions.c.review_id, reviews.c.kind != "audit"
    )
    to_come = (items.c.starts == 0) | (items.c.carried.is_(None) & ~judged & ~decided)
    return items.c.run_id == run_id, items.c.state == "queued", to_come


def reorder(connection: Connection, values: Mapping[str, float]) -> None:
    """Put waiting reviews at the places in the queue that their new values give them; random samples keep their
    order.

    Args:
        values: id of a review -> expected number of records that a decision puts right.
    """
    statement = (
        update(reviews)
        .where(
            reviews.c.id == bindparam("of_review"),
            reviews.c.state == "waiting",
            reviews.c.rule != "pilot",
            or_(reviews.c.inclusion.is_(None), reviews.c.inclusion == 1.0),
        )
        .values(
            value=bindparam("new_value"),
            priority=-bindparam("new_value", type_=reviews.c.value.type)
            / func.coalesce(reviews.c.minutes, 1.0),
        )
    )
    if values:
        rows = [{"of_review": name, "new_value": round(value, 6)} for name, value in values.items()]
        connection.execute(statement, rows)


def send_again(
    connection: Connection, judged: JudgedItem, pins: Mapping[str, str | None], *, why: str
) -> bool:
    """Queue a judged item for a new attempt, replayed from its journal; returns whether it was done.

    It is not where somebody has taken its review meanwhile.

    Args:
        pins: what it is pinned to from now on, by column of `items`.
        why: noted with the review that is withdrawn.
    """
    if judged.review_id is None:
        withdraw_audits(connection, judged.item_id, why=why)
    elif not withdraw_review(connection, judged.review_id, why=why):
        return False
    if pins:
        connection.execute(update(items).where(items.c.id == judged.item_id).values(**pins))
    next_attempt(connection, judged.item_id)
    connection.execute(
        update(items).where(items.c.id == judged.item_id).values(state="queued", finished_at=None)
    )
    return True


def note_doubted(connection: Connection, item_id: str, consensus_id: str, *, turned: bool) -> None:
    """Write into the log of events that a version took an accepted item's record out of the set, and why.

    Args:
        turned: the panel now chooses otherwise; else it is no longer sure enough.
    """
    kind = TURNED if turned else DOUBTED
    insert_rows(connection, [event("system", kind, item_id, {"consensus": consensus_id})])


IN_MIND = ("leased", "released", "expired")
"""States of an assignment whose draft its author may still come back to."""


def withdraw_review(connection: Connection, review_id: str, *, why: str) -> bool:
    """Take a review out of the queue, or from what a budget holds back; returns False where it no longer waits or
    somebody has it in hand.

    A withdrawn review is no precedent.
    """
    statement = (
        update(reviews)
        .where(
            reviews.c.id == review_id,
            reviews.c.state.in_(("waiting", "held")),
            reviews.c.leased.is_(False),
        )
        .values(state="withdrawn", resolved_at=clock.now())
    )
    if connection.execute(statement).rowcount != 1:
        return False
    insert_rows(connection, [event("system", "withdrawn", review_id, {"why": why})])
    return True


def withdraw_audits(connection: Connection, item_id: str, *, why: str) -> None:
    """Withdraw the open audits of an item that is to be judged again; should it be accepted again, they are drawn
    again. One that somebody has in hand or has begun to answer stays.

    The new attempt may ask the same question itself, and nobody is asked twice. So the answer to an audit settles that
    question too, see `reuse`; an audit that nobody has begun would only be in the way.
    """
    begun = exists().where(
        assignments.c.review_id == reviews.c.id,
        assignments.c.draft_id.is_not(None),
        assignments.c.state.in_(IN_MIND),
    )
    free = (
        reviews.c.item_id == item_id,
        reviews.c.kind == "audit",
        reviews.c.state == "waiting",
        reviews.c.leased.is_(False),
        ~begun,
    )
    ids = list(connection.execute(select(reviews.c.id).where(*free)).scalars())
    withdrawn = {"state": "withdrawn", "resolved_at": clock.now()}
    connection.execute(update(reviews).where(reviews.c.id.in_(ids)).values(**withdrawn))
    insert_rows(connection, [event("system", "withdrawn", name, {"why": why}) for name in ids])


def confirm_record(
    connection: Connection,
    judged: JudgedItem,
    consensus_id: str,
    certificate_id: str | None,
    *,
    margin: float,
    confidence: float,
    tier: int,
) -> None:
    """Write the new version's figures, its id and the tier that it rests on to an accepted record that it confirms."""
    connection.execute(
        update(records)
        .where(records.c.id == judged.record_id)
        .values(
            consensus_id=consensus_id,
            certificate_id=certificate_id,
            provisional=certificate_id is None,
            margin=round(margin, 6),
            confidence=round(confidence, 6),
            tier=tier,
        )
    )
    connection.execute(
        update(items)
        .where(items.c.id == judged.item_id)
        .values(consensus_id=consensus_id, certificate_id=certificate_id)
    )
