"""Reviews and decisions: entering the queue, and the single claim of a decision with its outbox row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from solon.errors import AlreadyDecided, NotPending
from solon.questions import question_of
from solon.responses import NOT_ANSWERS, RankingResponse, Response, kept_evidence
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.events import event
from solon.store.database.ids import hash_id, new_id
from solon.store.database.store import Store
from solon.store.database.writer import Row, insert_rows
from solon.store.reviewing.citations import read_answer
from solon.store.reviewing.deliveries import (
    Delivery,
    claim_deliveries,
    mark_applied,
    not_delivered,
    pending_deliveries,
    resume_value,
    set_replayed,
    stored_decision,
)
from solon.store.reviewing.overlaps import asked_further, half_of, seed_facts
from solon.store.reviewing.reuse import settle_siblings
from solon.store.reviewing.review_rows import (
    PERSONAL,
    VOTES,
    LeaseLost,
    NotThere,
    ReviewRow,
    fell_with,
    find_review,
    list_reviews,
)
from solon.store.runs.verdicts import panel_votes
from solon.store.tables import assignments, decisions, items, reviews, seeds
from solon.store.tables.law import Precedent
from solon.store.tables.people import Assignment, Decision, Outbox, Review

__all__ = [
    "Delivery",
    "LeaseLost",
    "NotThere",
    "ReviewRow",
    "claim_deliveries",
    "decide",
    "decision_rows",
    "event",
    "find_review",
    "list_reviews",
    "mark_applied",
    "not_delivered",
    "pending_deliveries",
    "resume_value",
    "set_aside",
    "set_escalated",
    "set_replayed",
    "set_waiting",
    "store_decision",
    "stored_decision",
]


def set_waiting(
    connection: Connection,
    review_id: str,
    interrupt_id: str,
    item_id: str,
    attempt: int,
    *,
    asked: int,
    named: str = "",
) -> None:
    """Put a review into the queue, now that its graph has written its checkpoint and waits.

    One whose answer was taken back waits for its author first; one of a budget is held until all items are judged.

    Args:
        asked: so many people the target of a certificate takes for each question of the pilot.
        named: the decision that the waiting graph took in last: with it, that has arrived.
    """
    review = connection.execute(select(reviews).where(reviews.c.id == review_id)).mappings().one()
    values: dict[str, Any] = {**seed_facts(connection, item_id), "interrupt_id": interrupt_id}
    undone = connection.execute(
        select(decisions.c.id, decisions.c.actor)
        .where(
            decisions.c.item_id == item_id,
            decisions.c.ordinal == review["ordinal"],
            decisions.c.undone_at.is_not(None),
        )
        .order_by(decisions.c.undone_at.desc())
        .limit(1)
    ).first()
    undone_by = None if undone is None else undone.actor
    if undone is not None and undone_by == VOTES:
        undone_by = _voter_of(connection, item_id, undone.id) or VOTES
    # Under a budget every judged item is held until all are: then the ones worth most enter the queue.
    values["state"] = "held" if review["rule"] == "budget" and undone_by is None else "waiting"
    if undone_by == VOTES:
        values["escalated"] = True
    elif undone_by is not None:
        values["prefer_actor"] = undone_by
    moved = connection.execute(
        update(reviews)
        .where(reviews.c.id == review_id, reviews.c.state.in_(("opening", "waiting")))
        .values(**values)
    )
    if moved.rowcount == 1 and review["rule"] == "pilot":
        further = asked_further(connection, {**review, **values}, asked)
        insert_rows(connection, [(Review, row) for row in further])
    rests = connection.execute(
        update(items)
        .where(
            items.c.id == item_id,
            items.c.attempt == attempt,
            items.c.state.in_(("running", "waiting", "queued")),
        )
        .values(state="waiting", claimed_by=None, claimed_until=None)
    )
    if rests.rowcount == 1:
        mark_applied(connection, named)


def _voter_of(connection: Connection, item_id: str, decision_id: str) -> str | None:
    """Who took a vote back, so that what votes had decided fell; None where a lead took the decision back."""
    query = (
        select(assignments.c.actor)
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .where(reviews.c.item_id == item_id, assignments.c.reason == fell_with(decision_id))
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def decide(
    store: Store,
    review: str | ReviewRow,
    answer: Mapping[str, Any],
    *,
    actor: str,
    channel: str,
    counts: bool = False,
    times: Mapping[str, float | None] | None = None,
    within: Connection | None = None,
) -> str:
    """Claim a review with an answer: one transaction checks, stores the decision and writes the outbox row. The caller
    vouches for the actor; who was given a token or none is answered by `answering.answer_review`.

    Args:
        review: it, or its id.
        answer: see `solon.responses`; candidates by id.
        counts: may it enter reliability, calibration and certificates? Only with an expert's own token.
        times: opened_at, first_input_at (epoch seconds), active_seconds.
        within: the connection of the caller's transaction; default: one of its own.

    Returns:
        The decision's id. The graph has not moved yet: see `solon resume`.

    Raises:
        NotPending, AlreadyDecided, InvalidDecision: nothing was changed.
    """
    with store.transaction(within) as connection:
        asked = review if isinstance(review, ReviewRow) else find_review(connection, review)
        choice = str(answer.get("choice", ""))
        if choice in NOT_ANSWERS:
            reason = str(answer.get("reason") or answer.get("rationale") or "")
            return set_aside(store, connection, asked, choice, actor=actor, reason=reason)
        response = read_answer(connection, asked, answer)
        return store_decision(
            store,
            connection,
            asked,
            response,
            actor=actor,
            channel=channel,
            counts=counts,
            times=times or {},
        )


def store_decision(
    store: Store,
    connection: Connection,
    review: ReviewRow,
    response: Response,
    *,
    actor: str,
    channel: str,
    counts: bool,
    times: Mapping[str, float | None],
) -> str:
    """Claim the review and write decision, outbox row and log in the caller's transaction; the decision's id."""
    decision_id = new_id()
    _claim(connection, review, decision_id, actor)
    rows = decision_rows(store, connection, review, response, decision_id, actor, channel, counts, times)
    insert_rows(connection, rows)
    append(
        store, connection, actor, "review.decided", review.id, {"decision": decision_id, "channel": channel}
    )
    settle_siblings(connection, review)
    return decision_id


def _claim(connection: Connection, review: ReviewRow, decision_id: str, actor: str) -> None:
    """Compare and swap waiting -> decided; whoever comes second changes nothing."""
    statement = (
        update(reviews)
        .where(reviews.c.id == review.id, reviews.c.state == "waiting")
        .values(state="decided", leased=False, decision_id=decision_id, resolved_at=clock.now())
    )
    if connection.execute(statement).rowcount == 1:
        return
    refuse_unless_waiting(connection, find_review(connection, review.id), actor)


def refuse_unless_waiting(connection: Connection, review: ReviewRow, actor: str) -> None:
    """Refuse an answer to a review that takes none any more, or not yet.

    Args:
        actor: who answers, and may have decided it themselves.

    Raises:
        AlreadyDecided: somebody decided it. NotPending: it does not wait.
    """
    if review.state == "waiting":
        return
    if review.state == "decided":
        by = select(decisions.c.actor).where(decisions.c.id == review.decision_id)
        own = connection.execute(by).scalar() == actor
        raise AlreadyDecided(
            f"review {review.id} was decided {'by you' if own else 'by someone else'} before; nothing was changed",
            next_step="see `solon review list` for what still waits",
        )
    hint = (
        "its item is still on its way; run `solon resume`"
        if review.state == "opening"
        else "see `solon review list`"
    )
    raise NotPending(f"review {review.id} is {review.state}, not waiting", next_step=hint)


def decision_rows(
    store: Store,
    connection: Connection,
    review: ReviewRow,
    response: Response,
    decision_id: str,
    actor: str,
    channel: str,
    counts: bool,
    times: Mapping[str, float | None],
) -> list[tuple[type, Row]]:
    """The rows of a decision: itself, its texts, its precedent, its event, and where a graph waits, its outbox row."""
    seed = connection.execute(
        select(seeds.c.id, seeds.c.group)
        .join(items, items.c.seed_id == seeds.c.id)
        .where(items.c.id == review.item_id)
    ).one()
    rows: list[tuple[type, Row]] = []

    def keep(body: str | None) -> str | None:
        if not (body or "").strip():
            return None
        text_id, row = store.text_row(str(body), seed.id)
        rows.append(row)
        return text_id

    now = clock.now()
    # Whether a request may go on has no outcome that a panel could have: it teaches nothing.
    teaches = bool(question_of(review.response_schema).outcomes)
    row = {
        "id": decision_id,
        "review_id": review.id,
        "item_id": review.item_id,
        "ordinal": review.ordinal,
        "actor": actor,
        "channel": channel,
        "choice": response.choice,
        "candidate_id": response.candidate,
        "edit_id": keep(response.text),
        "guidance_id": keep(response.guidance),
        "rationale_id": keep(response.rationale),
        "principles": list(response.principles),
        "flags": {candidate: list(flags) for candidate, flags in response.flags.items()},
        "scores": dict(response.scores) or None,
        "strength": response.strength,
        "evidence": kept_evidence(response) or None,
        "label": response.label,
        "response_schema": review.response_schema,
        "content_hash": review.content_hash,
        "counts": counts and teaches,
        "opened_at": times.get("opened_at"),
        "first_input_at": times.get("first_input_at"),
        "decided_at": now,
        "active_seconds": times.get("active_seconds"),
    }
    rows.append((Decision, row))
    if review.kind == "interrupt":  # nothing waits for an audit: its item is accepted already
        rows.append(
            (Outbox, {"decision_id": decision_id, "item_id": review.item_id, "created_at": now, "tries": 0})
        )
    if (
        teaches
        and review.kind not in PERSONAL
        and (not _by_people_alone(response) or _is_judged(connection, review.item_id))
    ):
        half = half_of(store.key, seed.group or seed.id)
        rows.append((Precedent, _precedent(review, decision_id, half, seed.group, now)))
    rows.append(event(actor, "review.decided", review.id, {"decision": decision_id, "channel": channel}))
    return rows


def _precedent(review: ReviewRow, decision_id: str, half: str, group: str | None, now: float) -> Row:
    """The precedent that a decision makes, in the half and the group of its seed."""
    return {
        "id": hash_id("precedent", decision_id),
        "decision_id": decision_id,
        "item_id": review.item_id,
        "recipe": review.recipe,
        "half": half,
        "group": group,
        "retrievable": False,
        "uses": 0,
        "created_at": now,
    }


def _by_people_alone(response: Response) -> bool:
    """Whether the answer is of a kind that recipes without a panel ask for, and which then teaches nobody."""
    return response.label is not None or isinstance(response, RankingResponse)


def _is_judged(connection: Connection, item_id: str) -> bool:
    """Whether a panel judged the item."""
    judged = select(panel_votes.c.id).where(panel_votes.c.item_id == item_id).limit(1)
    return connection.execute(judged).first() is not None


def set_aside(
    store: Store, connection: Connection, review: ReviewRow, choice: str, *, actor: str, reason: str
) -> str:
    """Skip, decline or escalate: the review goes on waiting, not for this person. Returns the assignment's id."""
    refuse_unless_waiting(connection, review, actor)
    now = clock.now()
    assignment_id = new_id()
    row = {
        "id": assignment_id,
        "review_id": review.id,
        "actor": actor,
        "state": {"skip": "skipped", "decline": "declined", "escalate": "escalated"}[choice],
        "token": "",
        "opened_at": now,
        "expires_at": now,
        "closed_at": now,
        "reason": reason[:500] or None,
    }
    insert_rows(connection, [(Assignment, row), event(actor, f"review.{choice}", review.id, {})])
    append(store, connection, actor, f"review.{choice}", review.id)
    if choice == "escalate":
        set_escalated(connection, review.id)
    return assignment_id


def set_escalated(connection: Connection, review_id: str, *, priority: float | None = None) -> None:
    """Offer this review to leads only, from now on. `priority`: its place among these, lowest first; None: as is."""
    place = {} if priority is None else {"priority": priority}
    connection.execute(update(reviews).where(reviews.c.id == review_id).values(escalated=True, **place))
