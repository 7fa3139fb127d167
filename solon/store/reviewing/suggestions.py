"""What the panel found, as a suggestion to whoever answers: whether it is shown, and what was seen of it.

An answer that was given with a suggestion in sight teaches, and is no blind evidence: it neither certifies nor measures
anyone. Questions that were drawn at random carry none, since they alone certify.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import Connection, and_, select, update

from solon.questions import question_of
from solon.store.database import clock
from solon.store.database.ids import keyed_hash
from solon.store.reviewing.drafts import Lease
from solon.store.reviewing.overlaps import CERTIFIES
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.tables import assignments, decisions, reviews

How = Literal["hidden", "after", "shown", "randomised"]


def may_carry(review: ReviewRow) -> bool:
    """Whether a suggestion may be shown with a review: a graph waits for it, its panel has found something, and it was
    not drawn at random."""
    drawn = review.rule in ("pilot", CERTIFIES) or (review.inclusion is not None and review.inclusion < 1.0)
    return review.kind == "interrupt" and bool(review.best) and not drawn


def suggest(connection: Connection, key: str, lease: Lease, review: ReviewRow, how: How) -> str:
    """The outcome to show with a review before the answer; empty where none is shown. What is shown is noted with the
    person's turn, and stays as it was first shown to them.

    Args:
        key: of the store; draws the half that sees it.
        how: as configured.
    """
    noted = lease.suggestion
    if noted is None and how in ("shown", "randomised") and may_carry(review) and lease.revealed_at is None:
        half = int(keyed_hash(key, "suggestion", review.content_hash, lease.actor)[:8], 16) % 2
        noted = {"outcome": review.best, "how": how, "seen": how == "shown" or half == 1}
        seen = {"revealed_at": clock.now()} if noted["seen"] else {}
        connection.execute(
            update(assignments).where(assignments.c.id == lease.id).values(suggestion=noted, **seen)
        )
    return str(noted["outcome"]) if noted and noted["seen"] else ""


def forget_suggestion(connection: Connection, lease: Lease) -> None:
    """Whoever opens all that the panel found before answering has seen more than a suggestion."""
    if lease.state == "leased" and lease.suggestion is not None:
        connection.execute(update(assignments).where(assignments.c.id == lease.id).values(suggestion=None))


def note_on_decision(connection: Connection, decision_id: str, lease: Lease) -> None:
    """Keep with a decision which suggestion there was, and whether it was seen."""
    if lease.suggestion is not None:
        connection.execute(
            update(decisions).where(decisions.c.id == decision_id).values(suggestion=lease.suggestion)
        )


def anchored(connection: Connection, run_ids: Sequence[str]) -> dict[bool, list[bool]]:
    """By whether a suggestion was seen: of each decision, whether it is what the panel suggested. Only of those whose
    half was drawn, and that stand."""
    query = (
        select(
            decisions.c.suggestion, decisions.c.choice, decisions.c.candidate_id, reviews.c.candidates,
            reviews.c.response_schema,
        )
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(
            and_(decisions.c.suggestion.is_not(None), decisions.c.undone_at.is_(None)),
            reviews.c.run_id.in_(list(run_ids)),
        )
    )  # fmt: skip
    found: dict[bool, list[bool]] = {True: [], False: []}
    for row in connection.execute(query):
        if row.suggestion["how"] == "randomised":
            outcome = question_of(row.response_schema).outcome_of(
                row.choice, row.candidate_id, row.candidates
            )
            found[bool(row.suggestion["seen"])].append(outcome == row.suggestion["outcome"])
    return found
