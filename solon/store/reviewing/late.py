"""Answers that come after their review was decided elsewhere: kept, and never counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.reviewing.citations import read_answer
from solon.store.reviewing.review_rows import find_review
from solon.store.reviewing.voting import kept_answer
from solon.store.tables import decisions, items
from solon.store.tables.people import Assignment

LATE = "late"
_SAID = (
    decisions.c.actor,
    decisions.c.choice,
    decisions.c.candidate_id,
    decisions.c.label,
    decisions.c.edit_id,
    decisions.c.guidance_id,
)
"""What makes an answer the same as another; why it was given does not count."""


def keep_late(store: Store, review_id: str, answer: Mapping[str, Any], *, actor: str) -> bool:
    """Keep an answer to a decided review under a state of its own. Returns whether it is the decision itself, given
    once more by its author, of which nothing is kept.

    It is no blind evidence: whoever gives it may have seen what was decided.

    Raises:
        InvalidDecision: it is no answer to this review.
    """
    with store.transaction() as connection:
        review = find_review(connection, review_id)
        response = read_answer(connection, review, answer)
        seed_id = connection.execute(select(items.c.seed_id).where(items.c.id == review.item_id)).scalar_one()
        texts = (
            store.text_row(body, seed_id)[0] if (body or "").strip() else None
            for body in (response.text or "", response.guidance or "")
        )
        said = (actor, response.choice, response.candidate, response.label, *texts)
        made = connection.execute(select(*_SAID).where(decisions.c.id == review.decision_id)).first()
        if made is not None and tuple(made) == said:
            return True
        now = clock.now()
        row = {
            "id": hash_id(LATE, review.id, actor, *map(str, said)),
            "review_id": review.id,
            "actor": actor,
            "state": LATE,
            "token": "",
            "opened_at": now,
            "expires_at": now,
            "closed_at": now,
            "answer": kept_answer(store, connection, review.id, response),
        }
        insert_rows(connection, [(Assignment, row)])
        append(store, connection, actor, "review.late", review.id, {"assignment": row["id"]})
        return False
