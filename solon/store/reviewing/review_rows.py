"""Reviews as they are stored, and finding them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from solon.errors import NotPending, ReviewError
from solon.store.database.ids import begins
from solon.store.tables import reviews

VOTES = "votes"
"""Actor and channel of a decision that the votes of reviewers made who are not proven."""
KNOWN = ("golden", "practice", "calibration")
"""Kinds of reviews with a known answer."""
REPEAT = "repeat"
"""A question that its person has answered before: the answer tells whether they moved, and nothing else."""
PERSONAL = (*KNOWN, REPEAT)
"""Kinds of reviews made for one person: for nobody else, and no precedent."""


class NotThere(NotPending):
    """Nothing of the caller's has this id."""


class LeaseLost(ReviewError):
    """The time for a review ran out, or it was answered. `kept`: the assignment whose draft is still there."""

    def __init__(self, cause: str, *, next_step: str = "", kept: str | None = None) -> None:
        super().__init__(cause, next_step=next_step)
        self.kept = kept


def fell_with(decision_id: str) -> str:
    """Reason of a vote that was taken back, and with it the decision that votes had made."""
    return f"fell with it: {decision_id}"


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
    value: float | None
    minutes: float | None
    priority: float
    inclusion: float | None
    specialty: str | None
    lang: str | None
    escalated: bool
    leased: bool


def list_reviews(
    connection: Connection, *, state: str = "waiting", run_id: str | None = None, limit: int = 100
) -> list[ReviewRow]:
    """Reviews in a state, those that wait in the order of the queue, others the oldest first; without those that are
    made for one person."""
    query = (
        select(reviews)
        .where(reviews.c.state == state, reviews.c.kind.not_in(PERSONAL))
        .order_by(*([reviews.c.priority] if state == "waiting" else []), reviews.c.created_at, reviews.c.id)
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
    exact = connection.execute(select(reviews).where(reviews.c.id == review_id)).mappings().first()
    if exact is not None:
        return ReviewRow(**exact)
    # SQLite reads the whole table for this: only people abbreviate ids.
    query = select(reviews).where(begins(reviews.c.id, review_id, "a review")).limit(2)
    found = connection.execute(query).mappings().all()
    if len(found) != 1:
        problem = "fits several reviews" if found else "is no review of this store"
        raise NotThere(f"{review_id!r} {problem}", next_step="see `solon review list`")
    return ReviewRow(**found[0])
