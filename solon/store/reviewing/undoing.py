"""Taking a decision back: the review opens again, or its item begins a new attempt; both stay in the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, exists, select, update

from solon.errors import NotPending
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.events import event
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.reviewing.answering import refuse_forgotten
from solon.store.reviewing.disagreements import note_disagreement
from solon.store.reviewing.drafts import Lease
from solon.store.reviewing.experts import ExpertRow
from solon.store.reviewing.manners import SAME_SIDES
from solon.store.reviewing.proposals import withdraw_proposals
from solon.store.reviewing.queue import lease_review
from solon.store.reviewing.review_rows import VOTES, NotThere, ReviewRow, find_review
from solon.store.runs.items import next_attempt
from solon.store.runs.requeued import is_unclaimed
from solon.store.tables import assignments, decisions, items, outbox, precedents, proposals, reviews

UNDO_LAST = 10


class BeingApplied(NotPending):
    """A worker has the item in hand: in a moment the answer can be taken back."""


def undo(
    store: Store, connection: Connection, expert: ExpertRow, decision_id: str
) -> tuple[Lease | None, ReviewRow]:
    """Take a decision back. Both stay in the log: the decision, and that it was undone.

    Where its graph has not taken it in yet, the review is open again at once, with the old answer as its draft.
    Otherwise the item begins a new attempt, which a worker replays up to this review at no model cost; it then waits
    for its author first, and the lease returned is None.

    An expert can take back their own last ten decisions on which nobody has built; a lead any decision.

    Raises:
        NotThere: there is no such decision, or it is somebody else's and the caller is no lead.
        NotPending: it was taken back before, settled by a lead, is being applied just now, or, of an expert, is not
            among their last ten, or was built upon.
    """
    stored = connection.execute(select(decisions).where(decisions.c.id == decision_id)).mappings().first()
    row = dict(stored) if stored is not None else None
    if row is None or (row["actor"] != expert.actor and not expert.may("lead")):
        raise NotThere("this is no decision of yours", next_step="see the list of your last answers")
    if row["undone_at"] is not None:
        raise NotPending("this decision was taken back already", next_step="ask for the next review")
    if row["overruled_by"] is not None or row["channel"] == "adjudication":
        raise NotPending("a lead has settled this question", next_step="reply to the outcome")
    waits = find_review(connection, row["review_id"]).kind == "interrupt"
    _check_undoable(connection, expert, row, waits)
    now = withdraw_decision(store, connection, expert.actor, row, waits=waits)
    if not waits or take_from_outbox(connection, row, now):
        return open_again(connection, expert, row)
    start_over(connection, row, now)
    return None, find_review(connection, row["review_id"])


def withdraw_decision(
    store: Store, connection: Connection, actor: str, row: Mapping[str, Any], *, waits: bool
) -> float:
    """Mark a decision, and what was decided on its item after it, as undone, in both logs. Returns the time.

    Args:
        waits: a graph waits for it, so that later decisions on the item rest on it.
    """
    now, detail = clock.now(), {"decision": row["id"], SAME_SIDES: row["actor"]}
    follows = decisions.c.ordinal >= row["ordinal"] if waits else decisions.c.id == row["id"]
    connection.execute(
        update(decisions)
        .where(decisions.c.item_id == row["item_id"], follows, decisions.c.undone_at.is_(None))
        .values(undone_at=now)
    )
    undone = select(decisions.c.id).where(
        decisions.c.item_id == row["item_id"], decisions.c.undone_at.is_not(None)
    )
    connection.execute(
        update(precedents)
        .where(precedents.c.decision_id.in_(undone), precedents.c.overruled_at.is_(None))
        .values(overruled_at=now)
    )
    connection.execute(
        update(assignments)
        .where(assignments.c.decision_id.in_(undone), assignments.c.state == "decided")
        .values(state="undone")
    )
    withdraw_proposals(connection, proposals.c.decision_id.in_(undone))
    append(store, connection, actor, "decision.undone", row["review_id"], detail)
    insert_rows(connection, [event(actor, "decision.undone", row["review_id"], detail, at=now)])
    note_disagreement(store, connection, find_review(connection, row["review_id"]))
    return now


def _check_undoable(connection: Connection, expert: ExpertRow, row: Mapping[str, Any], waits: bool) -> None:
    last = (
        select(decisions.c.id)
        .where(decisions.c.actor == row["actor"], decisions.c.undone_at.is_(None))
        .order_by(decisions.c.decided_at.desc(), decisions.c.id.desc())
        .limit(UNDO_LAST)
    )
    if not expert.may("lead") and row["id"] not in set(connection.execute(last).scalars()):
        raise NotPending(f"only your last {UNDO_LAST} answers can be taken back", next_step="ask a lead")
    others = select(decisions.c.id).where(
        decisions.c.item_id == row["item_id"],
        decisions.c.ordinal > row["ordinal"],
        decisions.c.undone_at.is_(None),
        decisions.c.actor != row["actor"],
    )
    # Nothing follows from an answer that no graph waits for.
    if waits and not expert.may("lead") and connection.execute(others.limit(1)).first() is not None:
        raise NotPending("someone else has built upon this answer", next_step="ask a lead")
    refuse_forgotten(connection, row["item_id"])
    item = connection.execute(select(items.c.state).where(items.c.id == row["item_id"])).scalar_one()
    if waits and item == "running":
        raise BeingApplied("this answer is being applied just now", next_step="try again in a few seconds")


def take_from_outbox(
    connection: Connection, row: Mapping[str, Any], now: float, problem: str = "undone"
) -> bool:
    """Take a decision out of the outbox; False where its graph has it, or a worker is about to deliver it.

    Where it was still there, nothing can have followed from it.
    """
    taken = update(outbox).where(
        outbox.c.decision_id == row["id"],
        outbox.c.applied_at.is_(None),
        is_unclaimed(),
        exists().where(items.c.id == row["item_id"], items.c.state == "waiting"),
    )
    return int(connection.execute(taken.values(applied_at=now, problem=problem)).rowcount) == 1


def open_again(
    connection: Connection, expert: ExpertRow, row: Mapping[str, Any]
) -> tuple[Lease | None, ReviewRow]:
    """Open the review of a decision that was taken back, first for its author; returns what `undo` returns.

    An author who calls holds the review at once, by the lease that is returned. Where a lead takes somebody else's
    answer back there is none: the author is asked first. What votes had decided has no one author: the caller is asked.
    """
    author = expert.actor if row["actor"] == VOTES else row["actor"]
    connection.execute(
        update(reviews)
        .where(reviews.c.id == row["review_id"], reviews.c.decision_id == row["id"])
        .values(state="waiting", leased=False, decision_id=None, resolved_at=None, prefer_actor=author)
    )
    if row["actor"] != expert.actor:
        return None, find_review(connection, row["review_id"])
    return lease_review(connection, expert, row["review_id"])


def start_over(connection: Connection, row: Mapping[str, Any], now: float) -> None:
    """Begin a new attempt of the item; a worker replays it, with the decisions that stand, at no model cost."""
    later = (
        reviews.c.item_id == row["item_id"],
        reviews.c.state.in_(("opening", "waiting")),
    )
    connection.execute(
        update(assignments)
        .where(
            assignments.c.review_id.in_(select(reviews.c.id).where(*later)), assignments.c.state == "leased"
        )
        .values(state="released", closed_at=now)
    )
    connection.execute(update(reviews).where(*later).values(state="withdrawn", leased=False, resolved_at=now))
    connection.execute(
        update(outbox)
        .where(outbox.c.item_id == row["item_id"], outbox.c.applied_at.is_(None))
        .values(applied_at=now, problem="undone")
    )
    next_attempt(connection, row["item_id"])
    connection.execute(
        update(items)
        .where(items.c.id == row["item_id"])
        .values(state="queued", claimed_by=None, claimed_until=None)
    )
