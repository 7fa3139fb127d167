"""What a person skipped comes back to them once nothing else waits: skipping says "not now", not "never"."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, select

from solon.store.reviewing.drafts import DONE_WITH
from solon.store.tables import Assignment, Review

reviews = Review.__table__  # type: ignore[attr-defined]
assignments = Assignment.__table__  # type: ignore[attr-defined]

RESTS = 3600.0
"""Seconds before it does: or the last ones of a queue would go round and round."""


def find_skipped(connection: Connection, actor: str, open_to: Collection[ColumnElement[bool]]) -> str | None:
    """The free review that a person skipped the longest ago, and whose question they have not answered since."""
    before = time.time() - RESTS
    skipped = assignments.alias("skipped")
    same: Any = reviews.alias("same")
    more = (
        exists()
        .where(
            same.c.content_hash == reviews.c.content_hash,
            assignments.c.review_id == same.c.id,
            assignments.c.actor == actor,
            assignments.c.state.in_((*DONE_WITH, "leased")),
            (assignments.c.state != "skipped") | (assignments.c.closed_at >= before),
        )
        .correlate(reviews)
    )
    query = (
        select(reviews.c.id)
        .join(skipped, skipped.c.review_id == reviews.c.id)
        .where(
            skipped.c.actor == actor,
            skipped.c.state == "skipped",
            skipped.c.closed_at < before,
            reviews.c.state == "waiting",
            reviews.c.leased.is_(False),
            reviews.c.escalated.is_(False),
            ~more,
            *open_to,
        )
        .order_by(skipped.c.closed_at, reviews.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=reviews)
    )
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else str(found)
