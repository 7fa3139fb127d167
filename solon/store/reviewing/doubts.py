"""Questions that are asked again because the panel is very sure of another answer than a person gave.

A second person is asked, blind, as by any overlap; who works alone is asked the same again later. Nobody is told what
the panel says. Both answers are kept, and a lead settles in which they differ. No chance chose these questions: only
answers against the panel are asked again, never those that agree with it. So nothing of them measures the panel or
people: in whatever measures, the first answer stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from solon.config.sections import ReviewersConfig
from solon.questions import question_of
from solon.responses import Response
from solon.store.database.ids import hash_id
from solon.store.database.writer import insert_rows
from solon.store.reviewing.experts import list_experts
from solon.store.reviewing.overlaps import DOUBT, overlap_row
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.tables import decisions, reviews
from solon.store.tables.people import Review


def ask_second(
    connection: Connection,
    review: ReviewRow,
    response: Response,
    actor: str,
    sure: float,
    reviewers: ReviewersConfig | None,
    match: str = "prefer",
) -> bool:
    """Ask a second person a question that was just answered, where the panel is at least so `sure` of another answer
    and somebody else can answer it. Returns whether it was asked again."""
    if not is_doubted(review, response.choice, response.candidate, sure) or _others_asked(connection, review):
        return False
    people = (one for one in list_experts(connection, revoked=False) if one.actor != actor)
    able = (one for one in people if one.can_answer(review.specialty, review.lang, match))
    if not any(one.believed(reviewers).final for one in able):
        return False
    row = overlap_row({name: getattr(review, name) for name in ReviewRow.__dataclass_fields__})
    insert_rows(connection, [(Review, {**row, "id": hash_id(DOUBT, review.id), "rule": DOUBT})])
    return True


def is_doubted(review: Any, choice: str, candidate_id: str | None, sure: float) -> bool:
    """Whether the panel is at least so sure of another outcome of a review than an answer names; 1: never."""
    if sure >= 1.0 or review.kind != "interrupt" or not review.best or (review.confidence or 0.0) < sure:
        return False
    question = question_of(review.response_schema)
    outcome = question.outcome_of(choice, candidate_id, review.candidates)
    return question.is_outcome(outcome) and outcome != review.best


def _others_asked(connection: Connection, review: ReviewRow) -> bool:
    """Is the question put to several people already? Then no doubt has to ask it of another."""
    asked = select(reviews.c.id).where(
        reviews.c.item_id == review.item_id,
        reviews.c.content_hash == review.content_hash,
        reviews.c.kind == "overlap",
    )
    return connection.execute(asked.limit(1)).first() is not None


@dataclass(frozen=True, slots=True)
class Doubted:
    """A doubted answer and the one that was given when the question was asked again.

    Attributes:
        same_person: the author of the first answer gave the second, too.
        stayed: both answers are the same.
        with_panel: the second answer is what the panel was sure of.
    """

    same_person: bool
    stayed: bool
    with_panel: bool


def doubted_answers(connection: Connection, run_ids: Sequence[str]) -> list[Doubted]:
    """What came of the questions that were asked again because the panel doubted an answer."""
    doubted = select(reviews.c.item_id).where(reviews.c.run_id.in_(list(run_ids)), reviews.c.rule == DOUBT)
    query = (
        select(
            decisions.c.actor,
            decisions.c.choice,
            decisions.c.candidate_id,
            reviews.c.item_id,
            reviews.c.attempt,
            reviews.c.rule,
            reviews.c.kind,
            reviews.c.best,
            reviews.c.candidates,
            reviews.c.response_schema,
        )
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(
            reviews.c.run_id.in_(list(run_ids)),
            decisions.c.undone_at.is_(None),
            (reviews.c.rule == DOUBT) | (reviews.c.kind == "interrupt"),
            reviews.c.item_id.in_(doubted),
        )
        .order_by(decisions.c.decided_at, decisions.c.id)
    )
    first: dict[tuple[str, int], tuple[str, str | None]] = {}
    found = []
    for row in connection.execute(query):
        outcome = question_of(row.response_schema).outcome_of(row.choice, row.candidate_id, row.candidates)
        question = (row.item_id, row.attempt)
        if row.rule != DOUBT:
            first.setdefault(question, (row.actor, outcome))
        elif question in first:
            actor, before = first[question]
            found.append(Doubted(row.actor == actor, outcome == before, outcome == row.best))
    return found
