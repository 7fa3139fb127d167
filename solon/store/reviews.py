"""Reviews and decisions: the queue, the single claim of a decision, and the outbox that carries it to its graph."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from solon.errors import AlreadyDecided, NotPending, ReviewError
from solon.responses import NOT_ANSWERS, Response, parse_response
from solon.store.audit_log import append
from solon.store.ids import hash_id, keyed_hash, new_id
from solon.store.store import Store
from solon.store.tables import (
    Assignment,
    Candidate,
    Decision,
    Event,
    Item,
    Outbox,
    Precedent,
    Review,
    Seed,
    Text,
)
from solon.store.writer import Row, insert_rows

reviews = Review.__table__  # type: ignore[attr-defined]
decisions = Decision.__table__  # type: ignore[attr-defined]
outbox = Outbox.__table__  # type: ignore[attr-defined]
items = Item.__table__  # type: ignore[attr-defined]
seeds = Seed.__table__  # type: ignore[attr-defined]
texts = Text.__table__  # type: ignore[attr-defined]
candidates = Candidate.__table__  # type: ignore[attr-defined]

OUTBOX_CLAIM_SECONDS = 300.0


class NotThere(NotPending):
    """Nothing of the caller's has this id."""


class LeaseLost(ReviewError):
    """The time for a review ran out, or it was answered. `kept`: the assignment whose draft is still there."""

    def __init__(self, cause: str, *, next_step: str = "", kept: str | None = None) -> None:
        super().__init__(cause, next_step=next_step)
        self.kept = kept


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A review as it is stored."""

    id: str
    item_id: str
    run_id: str
    recipe: str
    attempt: int
    ordinal: int
    kind: str
    state: str
    response_schema: str
    candidates: list[str]
    reasons: list[dict[str, Any]]
    rule: str
    margin: float | None
    confidence: float | None
    thread_id: str
    interrupt_id: str | None
    prefer_actor: str | None
    content_hash: str
    decision_id: str | None
    created_at: float
    resolved_at: float | None
    specialty: str | None
    lang: str | None
    escalated: bool
    leased: bool


def set_waiting(
    connection: Connection, review_id: str, interrupt_id: str, item_id: str, attempt: int
) -> None:
    """The graph has written its checkpoint and waits: the review enters the queue, an undone one to its author."""
    review = connection.execute(select(reviews).where(reviews.c.id == review_id)).mappings().one()
    values: dict[str, Any] = {**seed_facts(connection, item_id), "interrupt_id": interrupt_id}
    undone_by = connection.execute(
        select(decisions.c.actor)
        .where(
            decisions.c.item_id == item_id,
            decisions.c.ordinal == review["ordinal"],
            decisions.c.undone_at.is_not(None),
        )
        .order_by(decisions.c.undone_at.desc())
        .limit(1)
    ).scalar_one_or_none()
    # Under a budget every judged item is held until all are: then the ones worth most enter the queue.
    values["state"] = "held" if review["rule"] == "budget" and undone_by is None else "waiting"
    if undone_by is not None:
        values["prefer_actor"] = undone_by
    moved = connection.execute(
        update(reviews)
        .where(reviews.c.id == review_id, reviews.c.state.in_(("opening", "waiting")))
        .values(**values)
    )
    if moved.rowcount == 1 and review["rule"] == "pilot" and is_overlapped(item_id):
        insert_rows(connection, [(Review, overlap_row({**review, **values}))])
    connection.execute(
        update(items)
        .where(
            items.c.id == item_id,
            items.c.attempt == attempt,
            items.c.state.in_(("running", "waiting", "queued")),
        )
        .values(state="waiting", claimed_by=None, claimed_until=None)
    )


def seed_facts(connection: Connection, item_id: str) -> dict[str, str | None]:
    """What decides whose field a review is in."""
    facts = connection.execute(
        select(seeds.c.specialty, seeds.c.lang)
        .join(items, items.c.seed_id == seeds.c.id)
        .where(items.c.id == item_id)
    ).one()
    return {"specialty": (facts.specialty or "").lower() or None, "lang": (facts.lang or "").lower() or None}


OVERLAP_ONE_IN = 4


def is_overlapped(item_id: str) -> bool:
    """A quarter of the pilot goes to two experts, so that their agreement with each other is known."""
    return int(hash_id("overlap", item_id)[:8], 16) % OVERLAP_ONE_IN == 0


def overlap_row(review: Mapping[str, Any]) -> Row:
    """The same question for a second expert, who cannot tell; nothing waits for the answer."""
    second = {name: review[name] for name in ReviewRow.__dataclass_fields__}
    return {
        **second,
        "id": hash_id("overlap", review["id"]),
        "kind": "overlap",
        "state": "waiting",
        "ordinal": -2 - review["ordinal"],
        "interrupt_id": None,
        "prefer_actor": None,
        "decision_id": None,
        "resolved_at": None,
        "leased": False,
        "escalated": False,
    }


def spend_budget(connection: Connection, run_id: str, most: int) -> list[ReviewRow]:
    """Of the reviews held, the least confident enter the queue, as far as the run's budget goes.

    Returns those that stay out: their items are accepted as the panel has them.
    """
    spent = select(func.count()).where(
        reviews.c.run_id == run_id, reviews.c.rule == "budget", reviews.c.state.in_(("waiting", "decided"))
    )
    left = max(0, most - int(connection.execute(spent).scalar_one()))
    held = (
        select(reviews)
        .where(reviews.c.run_id == run_id, reviews.c.state == "held")
        .order_by(reviews.c.confidence, reviews.c.id)
    )
    found = [ReviewRow(**row) for row in connection.execute(held).mappings()]
    chosen, others = found[:left], found[left:]
    for ids, state in (([r.id for r in chosen], "waiting"), ([r.id for r in others], "withdrawn")):
        for start in range(0, len(ids), 500):
            connection.execute(
                update(reviews).where(reviews.c.id.in_(ids[start : start + 500])).values(state=state)
            )
    return others


def list_reviews(
    connection: Connection, *, state: str = "waiting", run_id: str | None = None, limit: int = 100
) -> list[ReviewRow]:
    """Reviews in a state, the oldest first."""
    query = (
        select(reviews)
        .where(reviews.c.state == state)
        .order_by(reviews.c.created_at, reviews.c.id)
        .limit(limit)
    )
    if run_id is not None:
        query = query.where(reviews.c.run_id == run_id)
    return [ReviewRow(**row) for row in connection.execute(query).mappings()]


def find_review(connection: Connection, review_id: str) -> ReviewRow:
    """A review by its id or the beginning of it.

    Raises:
        NotThere: there is none, or the beginning fits several.
    """
    query = select(reviews).where(reviews.c.id.startswith(review_id, autoescape=True)).limit(2)
    found = connection.execute(query).mappings().all()
    if len(found) != 1:
        problem = "fits several reviews" if found else "is no review of this store"
        raise NotThere(f"{review_id!r} {problem}", next_step="see `solon review list`")
    return ReviewRow(**found[0])


def decide(
    store: Store,
    review_id: str,
    answer: Mapping[str, Any],
    *,
    actor: str,
    channel: str,
    counts: bool = False,
    times: Mapping[str, float | None] | None = None,
) -> str:
    """Claim a review with an answer: one transaction checks, stores the decision and writes the outbox row.

    Args:
        answer: see `solon.responses`; candidates by id.
        counts: may it enter reliability, calibration and certificates? Only with an expert's own token.
        times: opened_at, first_input_at (epoch seconds), active_seconds.

    Returns:
        The decision's id. The graph has not moved yet: see `solon resume`.

    Raises:
        NotPending, AlreadyDecided, InvalidDecision: nothing was changed.
    """
    with store.connect() as connection:
        review = find_review(connection, review_id)
    choice = str(answer.get("choice", ""))
    if choice in NOT_ANSWERS:
        return set_aside(store, review, choice, actor=actor, reason=str(answer.get("rationale") or ""))
    response = parse_response(review.response_schema, answer, review.candidates)
    with store.transaction() as connection:
        return store_decision(
            store,
            connection,
            review,
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
    _claim(connection, review, decision_id)
    rows = _decision_rows(store, connection, review, response, decision_id, actor, channel, counts, times)
    insert_rows(connection, rows)
    append(
        store, connection, actor, "review.decided", review.id, {"decision": decision_id, "channel": channel}
    )
    return decision_id


def _claim(connection: Connection, review: ReviewRow, decision_id: str) -> None:
    """Compare and swap waiting -> decided; whoever comes second changes nothing."""
    statement = (
        update(reviews)
        .where(reviews.c.id == review.id, reviews.c.state == "waiting")
        .values(state="decided", leased=False, decision_id=decision_id, resolved_at=time.time())
    )
    if connection.execute(statement).rowcount == 1:
        return
    state = connection.execute(select(reviews.c.state).where(reviews.c.id == review.id)).scalar_one()
    if state == "decided":
        raise AlreadyDecided(
            f"review {review.id} was decided by someone else first; nothing was changed",
            next_step="see `solon review list` for what still waits",
        )
    hint = (
        "its item is still on its way; run `solon resume`"
        if state == "opening"
        else "see `solon review list`"
    )
    raise NotPending(f"review {review.id} is {state}, not waiting", next_step=hint)


def _decision_rows(
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

    now = time.time()
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
        "response_schema": review.response_schema,
        "content_hash": review.content_hash,
        "counts": counts,
        "opened_at": times.get("opened_at"),
        "first_input_at": times.get("first_input_at"),
        "decided_at": now,
        "active_seconds": times.get("active_seconds"),
    }
    half = "held_out" if int(keyed_hash(store.key, "half", seed.group or seed.id)[:8], 16) % 2 else "seen"
    precedent = {
        "id": hash_id("precedent", decision_id),
        "decision_id": decision_id,
        "item_id": review.item_id,
        "recipe": review.recipe,
        "half": half,
        "group": seed.group,
        "retrievable": False,
        "uses": 0,
        "created_at": now,
    }
    rows.append((Decision, row))
    if review.kind == "interrupt":  # nothing waits for an audit: its item is accepted already
        rows.append(
            (Outbox, {"decision_id": decision_id, "item_id": review.item_id, "created_at": now, "tries": 0})
        )
    rows.append((Precedent, precedent))
    rows.append(event(actor, "review.decided", review.id, {"decision": decision_id, "channel": channel}))
    return rows


def set_aside(store: Store, review: ReviewRow, choice: str, *, actor: str, reason: str) -> str:
    """Skip, decline or escalate: the review goes on waiting, not for this person. Returns the assignment's id."""
    if review.state != "waiting":
        raise NotPending(
            f"review {review.id} is {review.state}, not waiting", next_step="see `solon review list`"
        )
    now = time.time()
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
    with store.transaction() as connection:
        insert_rows(connection, [(Assignment, row), event(actor, f"review.{choice}", review.id, {})])
        append(store, connection, actor, f"review.{choice}", review.id)
        if choice == "escalate":
            set_escalated(connection, review.id)
    return assignment_id


def set_escalated(connection: Connection, review_id: str) -> None:
    """From now on only leads are offered this review."""
    connection.execute(update(reviews).where(reviews.c.id == review_id).values(escalated=True))


def event(actor: str, kind: str, subject: str, detail: dict[str, Any]) -> tuple[type, Row]:
    """A row of the event log: ids and numbers only."""
    return Event, {
        "id": new_id(),
        "at": time.time(),
        "actor": actor,
        "kind": kind,
        "subject": subject,
        "detail": detail,
    }


@dataclass(frozen=True, slots=True)
class Delivery:
    """A decision on its way into its graph, as the resume value needs it."""

    decision_id: str
    item_id: str
    review: ReviewRow
    resume: dict[str, Any]


def claim_deliveries(
    connection: Connection,
    by: str,
    limit: int,
    *,
    run_id: str | None = None,
    without: Collection[str] = (),
) -> list[Delivery]:
    """Take decisions whose graphs are to be resumed; a claim that is not kept comes back by itself.

    Args:
        without: ids of decisions that shall stay where they are.
    """
    now = time.time()
    free = outbox.c.claimed_until.is_(None) | (outbox.c.claimed_until < now) | (outbox.c.claimed_by == by)
    query = (
        select(outbox.c.decision_id)
        .join(items, items.c.id == outbox.c.item_id)
        .where(outbox.c.applied_at.is_(None), free, items.c.state == "waiting")
        .where(outbox.c.decision_id.not_in(without))
        .order_by(outbox.c.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=outbox)
    )
    if run_id is not None:
        query = query.where(items.c.run_id == run_id)
    ids = list(connection.execute(query).scalars())
    if not ids:
        return []
    connection.execute(
        update(outbox)
        .where(outbox.c.decision_id.in_(ids))
        .values(claimed_by=by, claimed_until=now + OUTBOX_CLAIM_SECONDS, tries=outbox.c.tries + 1)
    )
    found = _deliveries(connection, ids)
    connection.execute(
        update(items)
        .where(items.c.id.in_([delivery.item_id for delivery in found]))
        .values(
            state="running",
            claimed_by=by,
            claimed_until=now + OUTBOX_CLAIM_SECONDS,
            starts=items.c.starts + 1,
        )
    )
    return found


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
    found = []
    for row in connection.execute(query).mappings():
        review = ReviewRow(**{name: row[f"of_review_{name}"] for name in ReviewRow.__dataclass_fields__})
        found.append(Delivery(row["id"], row["item_id"], review, resume_value(row)))
    return found


def resume_value(row: Mapping[Any, Any]) -> dict[str, Any]:
    """What a decision says to the graph: ids and small values."""
    return {
        "decision": row["id"],
        "choice": row["choice"],
        "candidate": row["candidate_id"],
        "edit": row["edit_id"],
        "guidance": row["guidance_id"],
        "actor": row["actor"],
        "scores": row["scores"] or {},
    }


def mark_applied(connection: Connection, decision_id: str) -> None:
    connection.execute(_APPLIED, {"of_decision": decision_id, "at": time.time()})


_APPLIED = (
    update(outbox)
    .where(outbox.c.decision_id == bindparam("of_decision"))
    .values(applied_at=bindparam("at"), claimed_until=None)
)


def not_delivered(
    connection: Connection, delivery: Delivery, problem: str, *, taken_in: bool, state: str = "parked"
) -> None:
    """A delivery failed. The decision stays stored; where the graph took it in, only the item has to go on.

    Args:
        state: of an item that has to go on.
    """
    values: dict[str, Any] = {
        "problem": problem[:500],
        "claimed_by": None,
        "claimed_until": None,
        "applied_at": time.time() if taken_in else None,
    }
    connection.execute(update(outbox).where(outbox.c.decision_id == delivery.decision_id).values(**values))
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
        select(outbox.c.decision_id)
        .join(items, items.c.id == outbox.c.item_id)
        .where(outbox.c.applied_at.is_(None))
    )
    if run_id is not None:
        query = query.where(items.c.run_id == run_id)
    return len(connection.execute(query).scalars().all())


def stored_decision(
    connection: Connection, item_id: str, ordinal: int, review_id: str
) -> dict[str, Any] | None:
    """The decision that the item has at this review, from whatever attempt, unless it was undone.

    Candidates have other ids in every attempt: the decision is told about those of `review_id`. Where their texts are
    not those that the expert saw, there is no decision yet.
    """
    query = (
        select(decisions)
        .where(
            decisions.c.item_id == item_id, decisions.c.ordinal == ordinal, decisions.c.undone_at.is_(None)
        )
        .order_by(decisions.c.decided_at)
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    if row is None or row["review_id"] == review_id:
        return None if row is None else dict(row)
    seen, shown = (find_review(connection, name) for name in (row["review_id"], review_id))
    if seen.content_hash != shown.content_hash:
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


def set_replayed(connection: Connection, review_id: str, decision_id: str) -> None:
    """A later attempt met the same review again and was given the same decision."""
    connection.execute(
        update(reviews)
        .where(reviews.c.id == review_id, reviews.c.state.in_(("opening", "waiting")))
        .values(state="decided", decision_id=decision_id, resolved_at=time.time())
    )
    connection.execute(
        update(outbox)
        .where(outbox.c.decision_id == decision_id, outbox.c.applied_at.is_(None))
        .values(applied_at=time.time())
    )
