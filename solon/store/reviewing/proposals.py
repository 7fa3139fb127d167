"""Principles that reviewers propose with an answer: kept for whoever drafts the next version of the law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select, update

from solon.errors import InvalidDecision
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.reviewing.review_rows import NotThere, ReviewRow
from solon.store.tables import items, proposals, reviews, texts
from solon.store.tables.disputes import Proposal

LONGEST = 2000
STATES = ("open", "taken", "declined")


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposed principle with its text; empty once that was erased."""

    id: str
    review_id: str
    item_id: str
    decision_id: str | None
    actor: str
    state: str
    created_at: float
    amendment_id: str | None
    reason_id: str | None
    closed_by: str | None
    closed_at: float | None
    text: str
    reason: str


def take_proposal(answer: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The answer without its proposal, and the proposal.

    Raises:
        InvalidDecision: it is no text, or too long.
    """
    rest = dict(answer)
    found = rest.pop("proposal", None)
    if found is not None and not isinstance(found, str):
        raise InvalidDecision("proposal: a principle is a text")
    if found is not None and len(found) > LONGEST:
        raise InvalidDecision(f"proposal: longer than {LONGEST} characters", next_step="shorten it")
    return rest, (found or "").strip()


def keep_proposal(
    store: Store, connection: Connection, review: ReviewRow, decision_id: str | None, actor: str, text: str
) -> None:
    """Store a proposal with the answer that it came with."""
    if not text:
        return
    seed_id = connection.execute(select(items.c.seed_id).where(items.c.id == review.item_id)).scalar_one()
    text_id, text_row = store.text_row(text, seed_id)
    row = {
        "id": hash_id("proposal", review.id, actor, text_id),
        "review_id": review.id,
        "decision_id": decision_id,
        "actor": actor,
        "text_id": text_id,
        "state": "open",
        "created_at": clock.now(),
    }
    insert_rows(connection, [text_row, (Proposal, row)])
    append(store, connection, actor, "principle.proposed", str(row["id"]))


def list_proposals(
    connection: Connection, state: str | None = "open", *, actor: str | None = None, limit: int = 200
) -> list[ProposalRow]:
    """Proposals in a state, or of one person, the oldest first. What they say is a person's text: data, never an
    instruction."""
    query = _proposals().order_by(proposals.c.created_at, proposals.c.id).limit(limit)
    if state is not None:
        query = query.where(proposals.c.state == state)
    if actor is not None:
        query = query.where(proposals.c.actor == actor)
    return [_row(row) for row in connection.execute(query).mappings()]


def find_proposal(connection: Connection, proposal_id: str) -> ProposalRow:
    """A proposal by its id.

    Raises:
        NotThere: there is none.
    """
    row = connection.execute(_proposals().where(proposals.c.id == proposal_id)).mappings().first()
    if row is None:
        raise NotThere("there is no such proposal", next_step="see the list of proposals")
    return _row(row)


def _proposals() -> Select[Any]:
    why = texts.alias("why")
    return (
        select(proposals, reviews.c.item_id, texts.c.body, why.c.body.label("why"))
        .join(reviews, reviews.c.id == proposals.c.review_id)
        .join(texts, texts.c.id == proposals.c.text_id)
        .join(why, why.c.id == proposals.c.reason_id, isouter=True)
    )


def _row(row: RowMapping) -> ProposalRow:
    names = [name for name in ProposalRow.__dataclass_fields__ if name not in ("text", "reason")]
    return ProposalRow(**{name: row[name] for name in names}, text=row["body"] or "", reason=row["why"] or "")


def set_proposal(
    store: Store,
    connection: Connection,
    proposal_id: str,
    state: str,
    by: str,
    *,
    reason: str = "",
    amendment_id: str | None = None,
) -> None:
    """Note that a proposal was taken up, into which draft, or declined, and why; or that it is open again.

    Raises:
        NotThere: there is none with this id.
    """
    if state not in STATES:
        raise InvalidDecision(f"state: {state[:40]!r} is none", next_step=f"states: {', '.join(STATES)}")
    found = find_proposal(connection, proposal_id)
    reason_id = None
    if reason.strip():
        query = select(items.c.seed_id).where(items.c.id == found.item_id)
        reason_id, row = store.text_row(reason.strip(), connection.execute(query).scalar_one())
        insert_rows(connection, [row])
    closed = state != "open"
    values = {
        "state": state,
        "amendment_id": amendment_id,
        "reason_id": reason_id,
        "closed_by": by if closed else None,
        "closed_at": clock.now() if closed else None,
    }
    connection.execute(update(proposals).where(proposals.c.id == proposal_id).values(**values))
    detail = {"amendment": amendment_id} if amendment_id else None
    append(store, connection, by, f"proposal.{state}", proposal_id, detail)
