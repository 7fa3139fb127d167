"""Deciding many reviews at once: by leads, with one answer that names no candidate, never on what measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, exists, func, select

from solon.errors import InvalidDecision
from solon.responses import choices_of, parse_response
from solon.store.experts import ExpertRow
from solon.store.review_lists import Filters, filtered
from solon.store.reviews import find_review, store_decision
from solon.store.store import Store
from solon.store.tables import Assignment, Review

reviews = Review.__table__  # type: ignore[attr-defined]
assignments = Assignment.__table__  # type: ignore[attr-defined]

BARE = ("tie", "both_bad", "accept", "reject")
MOST = 5000
MEASURING = ("pilot", "audit")
"""Rules that draw at random: their answers are a sample, and must be given one by one."""


def bulk_ids(connection: Connection, filters: Filters, choice: str) -> list[str]:
    """Reviews that one answer would decide, the oldest first; `MOST` at most.

    Left out: audits, golden and overlapped questions, random samples, what someone holds or has begun to write about,
    and reviews that know no such choice.

    Raises:
        InvalidDecision: the choice names a candidate or a text.
    """
    if choice not in BARE:
        raise InvalidDecision(
            f"choice: {choice[:40]!r} cannot be given to many", next_step=f"choices: {', '.join(BARE)}"
        )
    same = reviews.alias("same")
    overlapped = exists().where(same.c.content_hash == reviews.c.content_hash, same.c.id != reviews.c.id)
    begun = exists().where(assignments.c.review_id == reviews.c.id, assignments.c.draft_id.is_not(None))
    query = (
        filtered(select(reviews.c.id, reviews.c.response_schema), filters)
        .where(
            reviews.c.state == "waiting",
            reviews.c.kind == "interrupt",
            reviews.c.rule.not_in(MEASURING),
            reviews.c.leased.is_(False),
            ~overlapped,
            ~begun,
        )
        .order_by(reviews.c.created_at, reviews.c.id)
        .limit(MOST)
    )
    return [row.id for row in connection.execute(query) if choice in choices_of(row.response_schema)]


def bulk_decide(
    store: Store, connection: Connection, expert: ExpertRow, ids: Sequence[str], answer: dict[str, Any]
) -> int:
    """Decide these reviews in the caller's transaction, as no blind evidence; returns how many still waited."""
    done = 0
    for review_id in ids:
        review = find_review(connection, review_id)
        if review.state != "waiting" or review.leased:
            continue
        response = parse_response(review.response_schema, answer, review.candidates)
        store_decision(
            store,
            connection,
            review,
            response,
            actor=expert.actor,
            channel="bulk",
            counts=False,
            times={},
        )
        done += 1
    return done


def count_too_few(
    connection: Connection, fields: Sequence[tuple[Sequence[str], Sequence[str]]]
) -> list[dict[str, Any]]:
    """Waiting reviews by specialty and language that fewer than two people can answer.

    Args:
        fields: specialties and languages of everyone who may answer; no languages: any.
    """
    query = (
        select(reviews.c.specialty, reviews.c.lang, func.count().label("n"))
        .where(reviews.c.state == "waiting")
        .group_by(reviews.c.specialty, reviews.c.lang)
    )
    found = []
    for row in connection.execute(query):
        able = sum(
            (row.specialty is None or row.specialty in specialties)
            and (row.lang is None or not languages or row.lang in languages)
            for specialties, languages in fields
        )
        if able < 2:
            found.append({"specialty": row.specialty, "lang": row.lang, "reviews": row.n, "people": able})
    return sorted(found, key=lambda one: (one["people"], -one["reviews"]))
