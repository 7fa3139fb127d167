"""Assignments and their drafts: what is typed is kept, whatever happens to the lease."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from solon.responses import fields_of, read_fields
from solon.store.database.ids import hash_id
from solon.store.database.storable import storable
from solon.store.database.writer import insert_rows
from solon.store.reviewing.rankings import stored_rankings
from solon.store.reviewing.review_rows import LeaseLost, NotThere, ReviewRow
from solon.store.tables import assignments, candidates, decisions, items, reviews, texts
from solon.store.tables.runs import Text

DONE_WITH = ("skipped", "declined", "escalated", "second", "decided", "vote")
"""States of an assignment after which its review is offered to others only; a skipped one comes back later."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A review in someone's hands, or one that was: a row of the assignments.

    Attributes:
        id: id of the assignment.
        review_id: the review.
        actor: the person who holds it.
        state: leased, released, expired, decided, undone, skipped, declined, escalated, second, vote or late.
        token: both the precondition and the idempotency key of the answer.
        draft_id: id of the text with what was typed; None where nothing was.
        decision_id: the decision that the answer made; None where it made none.
        opened_at: when it was handed out, in epoch seconds.
        expires_at: when it runs out unless a heartbeat comes, in epoch seconds.
        heartbeat_at: the last heartbeat, in epoch seconds; None where there was none.
        revealed_at: when the person was shown what the machines found, in epoch seconds; None while blind.
        closed_at: when the lease ended, in epoch seconds; None while it is held.
        answer: the answer as ids and small values; None where none was given.
        reason: why it was declined, or what a vote that was taken back fell with; else None.
        suggestion: what the panel suggested, and whether it was seen, see `suggestions`; else None.
        checked: what was answered before a model read the answer, and what it said, see `checks`; else None.
    """

    id: str
    review_id: str
    actor: str
    state: str
    token: str
    draft_id: str | None
    decision_id: str | None
    opened_at: float
    expires_at: float
    heartbeat_at: float | None
    revealed_at: float | None
    closed_at: float | None
    answer: dict[str, Any] | None
    reason: str | None
    suggestion: dict[str, Any] | None
    checked: dict[str, Any] | None


def find_lease(connection: Connection, lease_id: str) -> Lease:
    """An assignment by its id.

    Raises:
        NotThere: there is none.
    """
    row = connection.execute(select(assignments).where(assignments.c.id == lease_id)).mappings().first()
    if row is None:
        raise NotThere("there is no such assignment", next_step="ask for the next review")
    return Lease(**row)


def lease_of_token(connection: Connection, actor: str, token: str) -> Lease:
    """A person's own assignment by the token under which it is answered.

    Raises:
        NotThere: there is none, or it is somebody else's.
    """
    wanted = select(assignments).where(assignments.c.token == token, assignments.c.actor == actor)
    row = connection.execute(wanted).mappings().first() if token else None
    if row is None:
        raise NotThere("this is no lease of yours", next_step="ask for the next review")
    return Lease(**row)


def own_lease(connection: Connection, lease_id: str, actor: str) -> Lease:
    """A person's own assignment by its id.

    Raises:
        NotThere: there is none, or it is somebody else's.
    """
    lease = find_lease(connection, lease_id)
    if lease.actor != actor:
        raise NotThere("there is no such assignment", next_step="ask for the next review")
    return lease


def save_draft(connection: Connection, lease_id: str, actor: str, draft: Mapping[str, Any]) -> Lease:
    """Keep what is typed, also where the lease ran out: nothing that was typed is lost.

    Raises:
        LeaseLost: the review was answered already. NotThere: this is no assignment of theirs.
    """
    lease = own_lease(connection, lease_id, actor)
    if lease.state not in ("leased", "expired", "released"):
        raise LeaseLost(
            f"this review was answered already ({lease.state})",
            next_step="ask for the next one",
            kept=lease.id,
        )
    write_draft(connection, lease.id, lease.review_id, draft)
    return find_lease(connection, lease.id)


def write_draft(connection: Connection, lease_id: str, review_id: str, draft: Mapping[str, Any]) -> None:
    """Store the draft of an assignment: one text, overwritten as its owner types, and forgotten with the seed."""
    body = storable(
        json.dumps(draft, ensure_ascii=False, sort_keys=True)
    )  # half an emoji cannot be sent back
    text_id = hash_id("draft", lease_id)
    change = update(texts).where(texts.c.id == text_id, texts.c.erased_at.is_(None)).values(body=body)
    if connection.execute(change).rowcount == 0:
        seed_id = connection.execute(
            select(items.c.seed_id)
            .join(reviews, reviews.c.item_id == items.c.id)
            .where(reviews.c.id == review_id)
        ).scalar_one()
        insert_rows(connection, [(Text, {"id": text_id, "seed_id": seed_id, "body": body})])
    connection.execute(update(assignments).where(assignments.c.id == lease_id).values(draft_id=text_id))


def undone_answer(connection: Connection, review: ReviewRow, actor: str) -> dict[str, Any] | None:
    """The answer that this person took back, with the candidate ids of the new attempt; None where there is none."""
    row = (
        connection.execute(
            select(decisions)
            .where(
                decisions.c.item_id == review.item_id,
                decisions.c.ordinal == review.ordinal,
                decisions.c.actor == actor,
                decisions.c.undone_at.is_not(None),
            )
            .order_by(decisions.c.undone_at.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )
    if row is None:
        return _undone_vote(connection, review, actor)
    return answer_of(connection, dict(row), review)


def _undone_vote(connection: Connection, review: ReviewRow, actor: str) -> dict[str, Any] | None:
    query = (
        select(assignments.c.answer)
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .where(
            reviews.c.item_id == review.item_id,
            reviews.c.ordinal == review.ordinal,
            assignments.c.actor == actor,
            assignments.c.state == "undone",
            assignments.c.decision_id.is_(None),
            assignments.c.answer.is_not(None),
        )
        .order_by(assignments.c.closed_at.desc())
        .limit(1)
    )
    vote = connection.execute(query).scalar_one_or_none()
    if not vote or not vote.get("choice"):
        return None
    texts_of = {"edit_id": "text", "guidance_id": "guidance", "rationale_id": "rationale"}
    named = {"candidate_id": vote.get("candidate"), **{name: vote.get(key) for name, key in texts_of.items()}}
    same = {
        name: vote.get(name) for name in ("choice", "flags", "principles", "scores", "strength", "evidence")
    }
    return answer_of(connection, {**named, **same}, review)


def answer_of(connection: Connection, decision: Mapping[str, Any], review: ReviewRow) -> dict[str, Any]:
    """A stored decision turned back into the answer that was given.

    Candidates are named by their ids in `review`: those of the same texts are the same.
    """
    shown = review.candidates
    evidence = decision["evidence"] or ()
    named = [
        decision["candidate_id"],
        *(decision["flags"] or {}),
        *(e["candidate"] for e in evidence),
        *shown,
    ]
    query = select(candidates.c.id, candidates.c.text_id).where(candidates.c.id.in_([n for n in named if n]))
    text_of = {row.id: row.text_id for row in connection.execute(query)}
    now_called = {text_of[name]: name for name in shown if name in text_of}

    def rename(name: str | None) -> str | None:
        return now_called.get(text_of.get(name or "", ""))

    def body(text_id: str | None) -> str | None:
        if text_id is None:
            return None
        return connection.execute(select(texts.c.body).where(texts.c.id == text_id)).scalar_one_or_none()

    answer = {
        "choice": decision["choice"],
        "candidate": rename(decision["candidate_id"]),
        "text": body(decision["edit_id"]),
        "guidance": body(decision["guidance_id"]),
        "rationale": body(decision["rationale_id"]),
        "principles": decision["principles"] or None,
        "flags": {rename(name): flags for name, flags in (decision["flags"] or {}).items() if rename(name)},
        "scores": decision["scores"] or None,
        "strength": decision["strength"],
        "evidence": [
            {**one, "candidate": rename(one["candidate"])} for one in evidence if rename(one["candidate"])
        ],
    }
    if rankings := stored_rankings(answer["text"], now_called) if answer["choice"] == "rank" else None:
        tiers = {question: [[*tier] for tier in one.tiers] for question, one in rankings.items()}
        answer |= {"text": None, "candidate": None, "ranking": tiers.get("", tiers)}
    elif answer["text"] and fields_of(review.response_schema) and answer["choice"] != "write":
        answer |= {"text": None, **read_fields(answer["text"])}
    return {name: value for name, value in answer.items() if name == "spans" or value not in (None, {}, [])}


def read_draft(connection: Connection, lease: Lease) -> dict[str, Any] | None:
    """The draft of an assignment; None where nothing was typed, or it was erased."""
    if lease.draft_id is None:
        return None
    body = connection.execute(select(texts.c.body).where(texts.c.id == lease.draft_id)).scalar_one_or_none()
    return json.loads(body) if body else None


def kept_draft(connection: Connection, review_id: str, actor: str) -> str | None:
    """Id of the text that this person had typed on a review before their lease ended; None where there is none."""
    query = (
        select(assignments.c.draft_id)
        .where(
            assignments.c.review_id == review_id,
            assignments.c.actor == actor,
            assignments.c.draft_id.is_not(None),
            assignments.c.state.in_(("expired", "released", "undone")),
        )
        .order_by(assignments.c.opened_at.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()
