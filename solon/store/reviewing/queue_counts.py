"""How much waits: in all, and for one person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, exists, func, select

from solon.store.review_rows import PERSONAL
from solon.store.reviewing.drafts import DONE_WITH
from solon.store.reviewing.queue import spoken
from solon.store.tables import Assignment, Review

if TYPE_CHECKING:
    from solon.store.reviewing.experts import ExpertRow

reviews = Review.__table__  # type: ignore[attr-defined]
assignments = Assignment.__table__  # type: ignore[attr-defined]


def count_for(connection: Connection, expert: ExpertRow) -> int:
    """How many reviews a person could be handed now, in their fields and languages, and was not asked yet."""
    if expert.stage != "proven":
        return 0
    asked = exists().where(
        assignments.c.actor == expert.actor,
        assignments.c.review_id == reviews.c.id,
        assignments.c.state.in_(DONE_WITH),
    )
    fields = reviews.c.specialty.is_(None) | reviews.c.specialty.in_(expert.specialties)
    query = select(func.count()).where(
        reviews.c.state == "waiting",
        reviews.c.leased.is_(False),
        reviews.c.kind.not_in(PERSONAL),
        ~asked,
        *([fields] if expert.specialties else []),
        *([spoken(expert)] if expert.languages else []),
        *([] if expert.may("lead") else [reviews.c.escalated.is_(False)]),
    )
    return int(connection.execute(query).scalar_one())


def count_waiting(connection: Connection) -> dict[str, int]:
    """How many reviews are free, leased, escalated, still being prepared, and held back under a budget; without those
    made for one person."""
    query = (
        select(reviews.c.state, reviews.c.leased, reviews.c.escalated, func.count())
        .where(reviews.c.state.in_(("waiting", "opening", "held")), reviews.c.kind.not_in(PERSONAL))
        .group_by(reviews.c.state, reviews.c.leased, reviews.c.escalated)
    )
    counts = {"free": 0, "leased": 0, "escalated": 0, "opening": 0, "held": 0}
    for state, leased, escalated, n in connection.execute(query):
        waits = "leased" if leased else "escalated" if escalated else "free"
        counts[waits if state == "waiting" else state] += n
    return counts


def count_in_hand(connection: Connection, actor: str) -> tuple[int, int]:
    """Reviews that others have open, and those that were handed to a lead and nobody has open."""
    by = (
        select(assignments.c.actor)
        .where(assignments.c.review_id == reviews.c.id, assignments.c.state == "leased")
        .limit(1)
        .scalar_subquery()
    )
    theirs = reviews.c.leased.is_(True) & (by != actor)
    query = (
        select(reviews.c.leased, func.count())
        .where(reviews.c.state == "waiting", reviews.c.kind.not_in(PERSONAL))
        .where(theirs | (reviews.c.leased.is_(False) & reviews.c.escalated.is_(True)))
        .group_by(reviews.c.leased)
    )
    found = {bool(leased): int(n) for leased, n in connection.execute(query)}
    return found.get(True, 0), found.get(False, 0)
