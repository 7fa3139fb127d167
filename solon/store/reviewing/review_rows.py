"""Reviews as they are stored, and finding them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, cast, select, tuple_

from solon.errors import NotPending, ReviewError
from solon.responses import fields_of
from solon.store.database.ids import begins
from solon.store.tables import adjudications, reviews

VOTES = "votes"
"""Actor and channel of a decision that the votes of reviewers made who are not proven."""
KNOWN = ("golden", "practice", "calibration")
"""Kinds of reviews with a known answer."""
REPEAT = "repeat"
"""A question that its person has answered before: the answer tells whether they moved, and nothing else."""
PERSONAL = (*KNOWN, REPEAT)
"""Kinds of reviews made for one person: for nobody else, and no precedent."""


class NotThere(NotPending):
    """There is nothing with this id, or nothing of the caller's."""


class LeaseLost(ReviewError):
    """The time for a review ran out, or it was answered. `kept`: the assignment whose draft is still there."""

    def __init__(self, cause: str, *, next_step: str = "", kept: str | None = None) -> None:
        super().__init__(cause, next_step=next_step)
        self.kept = kept


def fell_with(decision_id: str) -> str:
    """The reason that is noted on a vote when a decision by votes falls because that vote was taken back."""
    return f"fell with it: {decision_id}"


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A review as it is stored.

    Attributes:
        id: its id.
        item_id: the item that it is about.
        run_id: the run of the item.
        recipe: recipe of the item.
        attempt: the attempt of the item in which it is asked.
        ordinal: which of the reviews of the attempt it is, from 0; negative where no graph waits for it.
        kind: interrupt (a graph waits), audit, overlap, repeat, golden, practice or calibration.
        state: opening, held (back under a budget), waiting, decided or withdrawn.
        response_schema: name of the closed set of answers.
        candidates: ids of the candidates, in the order in which the panel saw them.
        reasons: why an expert is asked, each as `code`, `text` and perhaps `value`.
        rule: what sent it to an expert, such as `pilot`, `budget` or `audit`.
        margin: the panel's best outcome minus the second, in probability; None without a panel.
        confidence: probability that an expert agrees with the panel's best outcome; None without a panel.
        thread_id: thread of the item's graph; empty for known questions and repeats.
        interrupt_id: interrupt of the graph that waits; None before it waits, or where none does.
        prefer_actor: whom it is offered to first, or made for; None: anyone.
        content_hash: hash of recipe, seed and texts of the candidates in any order: the same question has the same.
        decision_id: the decision that it ended with; None before.
        created_at: when it was made, in epoch seconds.
        resolved_at: when it was decided or withdrawn, in epoch seconds; None before.
        value: how many records a decision here is expected to put right; None where that was not estimated.
        minutes: how long a decision is expected to take; None where that was not estimated.
        priority: its place in the queue; lower comes first.
        inclusion: the known probability with which the item was drawn; None where there is none.
        best: the outcome that the panel found best; None without a verdict, or without a panel.
        specialty: field of the seed, in lower case; None where none is stated.
        lang: language of the seed, in lower case; None where none is stated.
        escalated: it is for leads only.
        leased: somebody has it in hand.
    """

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
    best: str | None
    specialty: str | None
    lang: str | None
    escalated: bool
    leased: bool


DISPUTED = "disputed"
"""Asked for like a state: the reviews on which people differ, until a lead settles it."""
STATES = ("waiting", "decided", "opening", "held", "withdrawn", DISPUTED)
"""States of a review by which reviews can be asked for."""


def list_reviews(
    connection: Connection, *, state: str = "waiting", run_id: str | None = None, limit: int = 100
) -> list[ReviewRow]:
    """The first reviews of `each_review`, at most `limit`."""
    return list(each_review(connection, state=state, run_id=run_id, limit=limit))


def has_reason(code: str) -> ColumnElement[bool]:
    """The condition on a review that one of its reasons has this code."""
    return cast(reviews.c.reasons, String).contains(f'"code": {json.dumps(code)}', autoescape=True)


def each_review(
    connection: Connection,
    *,
    state: str = "waiting",
    run_id: str | None = None,
    reason: str | None = None,
    limit: int | None = None,
    after: ReviewRow | None = None,
) -> Iterator[ReviewRow]:
    """Reviews in a state, those that wait in the order of the queue, others the oldest first; without those that are
    made for one person. Each is read where it is asked for, so that whoever passes some over need not read all.

    Args:
        reason: code of one of their reasons; limit: at most so many; after: those behind this one.
    """
    differ = select(adjudications.c.review_id).where(adjudications.c.state == "open")
    order = [*([reviews.c.priority] if state == "waiting" else []), reviews.c.created_at, reviews.c.id]
    query = (
        select(reviews)
        .where(reviews.c.id.in_(differ) if state == DISPUTED else reviews.c.state == state)
        .where(reviews.c.kind.not_in(PERSONAL))
        .order_by(*order)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(*(getattr(after, column.name) for column in order)))
    if run_id is not None:
        query = query.where(reviews.c.run_id == run_id)
    if reason is not None:
        query = query.where(has_reason(reason))
    for row in connection.execute(query).mappings():
        yield ReviewRow(**row)


def what_is_asked(review: ReviewRow) -> str:
    """What has to be decided about a request of which nothing is drafted yet, with the rubric that was drafted for it;
    empty of other reviews."""
    if review.candidates:
        return ""
    return "\n".join([str(review.reasons[0]["text"]), *(f"- {line}" for line in drafted_criteria(review))])


def drafted_criteria(review: ReviewRow) -> list[str]:
    """The lines of a drafted rubric that a review asks a person to correct; empty where nothing was drafted, and of
    other reviews."""
    return list(review.reasons[0].get("criteria") or ()) if review.reasons else []


def form_of(review: ReviewRow) -> dict[str, dict[str, Any]]:
    """The fields that an answer to a review may hold beyond those of every answer, see `fields_of`, with what was
    drafted as their default."""
    fields = fields_of(review.response_schema)
    drafted = drafted_criteria(review)
    return fields | ({"criteria": {**fields["criteria"], "default": drafted}} if drafted else {})


def waiting_review(connection: Connection, item_id: str) -> ReviewRow | None:
    """The review for whose answer the graph of an item waits; None where it waits for none."""
    query = select(reviews).where(
        reviews.c.item_id == item_id, reviews.c.kind == "interrupt", reviews.c.state == "waiting"
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else ReviewRow(**row)


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
    rows = connection.execute(query).mappings().all()
    if len(rows) != 1:
        problem = "fits several reviews" if rows else "is no review of this store"
        raise NotThere(f"{review_id!r} {problem}", next_step="see `solon review list`")
    return ReviewRow(**rows[0])
