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
from solon.store.tables import decisions
from solon.store.tables.people import Assignment

LATE = "late"


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
        columns = (decisions.c.actor, decisions.c.choice, decisions.c.candidate_id, decisions.c.label)
        made = connection.execute(select(*columns).where(decisions.c.id == review.decision_id)).first()
        said = (actor, response.choice, response.candidate, response.label)
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
