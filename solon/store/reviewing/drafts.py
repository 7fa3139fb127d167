"""Assignments and their drafts: what is typed is kept, whatever happens to the lease."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from solon.responses import fields_of
from solon.store.database.ids import hash_id
from solon.store.database.store import storable
from solon.store.database.writer import insert_rows
from solon.store.reviewing.review_rows import LeaseLost, NotThere, ReviewRow
from solon.store.tables import assignments, candidates, decisions, items, reviews, texts
from solon.store.tables.runs import Text

DONE_WITH = ("skipped", "declined", "escalated", "second", "decided", "vote")
"""States of an assignment after which its review is for others, but for what was skipped."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A review in someone's hands. `token` is both the precondition and the idempotency key of the decision."""

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


def find_lease(connection: Connection, lease_id: str) -> Lease:
    """An assignment by its id.

    Raises:
        NotThere: there is none.
    """
    row = connection.execute(select(assignments).where(assignments.c.id == lease_id)).mappings().first()
    if row is None:
        raise NotThere("there is no such assignment", next_step="ask for the next review")
    return Lease(**row)


def own_lease(connection: Connection, lease_id: str, actor: str) -> Lease:
    """One's own assignment; somebody else's does not exist for the caller."""
    lease = find_lease(connection, lease_id)
    if lease.actor != actor:
        raise NotThere("there is no such assignment", next_step="ask for the next review")
    return lease


def save_draft(connection: Connection, lease_id: str, actor: str, draft: Mapping[str, Any]) -> Lease:
    """Keep what is typed, also where the lease ran out: nothing that was typed is lost."""
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
    """One text per assignment, overwritten as its owner types, and forgotten with its seed."""
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
    """The answer that this person has taken back, in the candidates of the new attempt."""
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
    said = connection.execute(query).scalar_one_or_none()
    if not said or not said.get("choice"):
        return None
    texts_of = {"edit_id": "text", "guidance_id": "guidance", "rationale_id": "rationale"}
    named = {"candidate_id": said.get("candidate"), **{name: said.get(key) for name, key in texts_of.items()}}
    same = {name: said.get(name) for name in ("choice", "flags", "principles", "scores", "strength")}
    return answer_of(connection, {**named, **same}, review)


def answer_of(connection: Connection, decision: Mapping[str, Any], review: ReviewRow) -> dict[str, Any]:
    """A stored decision as the answer that was given, its candidates named as in the review: equal texts are equal."""
    shown = review.candidates
    named = [decision["candidate_id"], *(decision["flags"] or {}), *shown]
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
    }
    if answer["text"] and fields_of(review.response_schema):
        answer |= {"text": None, **json.loads(answer["text"])}
    return {name: value for name, value in answer.items() if value not in (None, {}, [])}


def read_draft(connection: Connection, lease: Lease) -> dict[str, Any] | None:
    """The draft of an assignment."""
    if lease.draft_id is None:
        return None
    body = connection.execute(select(texts.c.body).where(texts.c.id == lease.draft_id)).scalar_one_or_none()
    return json.loads(body) if body else None


def kept_draft(connection: Connection, review_id: str, actor: str) -> str | None:
    """What this person had typed before their lease ran out."""
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
