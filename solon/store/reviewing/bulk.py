"""Deciding many reviews at once: only by leads, with one answer that names no candidate, never those that measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Case, Connection, case, exists, func, or_, select

from solon.errors import InvalidDecision
from solon.responses import choices_of
from solon.store.database.store import Store
from solon.store.reviewing.citations import read_answer
from solon.store.reviewing.experts import ExpertRow
from solon.store.reviewing.overlaps import CERTIFIES
from solon.store.reviewing.review_lists import Filters, filtered
from solon.store.reviewing.review_rows import PERSONAL, find_review
from solon.store.reviewing.reviews import store_decision
from solon.store.tables import assignments, reviews

BARE = ("tie", "both_bad", "accept", "reject")
MOST = 5000
MEASURING = ("pilot", "audit", CERTIFIES)
"""Rules that draw at random: their answers are a sample, and must be given one by one."""


FITS = "fits"
LEFT_OUT = {
    "audit": "random checks of what the panel accepted",
    "known": "known questions (golden, practice, calibration)",
    "overlap": "questions that several people are asked",
    "sample": "random samples, which measure the panel",
    "held": "in the hands of somebody",
    "begun": "somebody has begun to write about it",
    "no_such_choice": "reviews that know no such choice",
    "over_the_limit": f"more than {MOST} at once",
}
"""Why a review that fits the filters is not decided with the others."""


@dataclass(frozen=True, slots=True)
class BulkCount:
    """Ids of the reviews that one answer would decide, the oldest first, and by reason how many others are left out."""

    ids: list[str]
    left_out: dict[str, int]


def count_bulk(connection: Connection, filters: Filters, choice: str) -> BulkCount:
    """What one answer to all waiting reviews that fit would decide; `MOST` at most, and never what measures.

    Raises:
        InvalidDecision: the choice names a candidate or a text.
    """
    if choice not in BARE:
        raise InvalidDecision(
            f"choice: {choice[:40]!r} cannot be given to many", next_step=f"choices: {', '.join(BARE)}"
        )
    query = (
        filtered(select(reviews.c.id, reviews.c.response_schema, _why_not().label("why")), filters)
        .where(reviews.c.state == "waiting")
        .order_by(reviews.c.created_at, reviews.c.id)
    )
    ids: list[str] = []
    left_out = Counter[str]()
    for row in connection.execute(query):
        why = row.why
        if why == FITS:
            why = _further(row.response_schema, choice, len(ids))
        if why == FITS:
            ids.append(row.id)
        else:
            left_out[why] += 1
    return BulkCount(ids, {why: left_out[why] for why in LEFT_OUT if left_out[why]})


def _why_not() -> Case[str]:
    same = reviews.alias("same")
    overlapped = exists().where(same.c.content_hash == reviews.c.content_hash, same.c.id != reviews.c.id)
    begun = exists().where(assignments.c.review_id == reviews.c.id, assignments.c.draft_id.is_not(None))
    return case(
        (reviews.c.kind == "audit", "audit"),
        (reviews.c.kind.in_(PERSONAL), "known"),
        (or_(reviews.c.kind != "interrupt", overlapped), "overlap"),
        (reviews.c.rule.in_(MEASURING), "sample"),
        (reviews.c.leased.is_(True), "held"),
        (begun, "begun"),
        else_=FITS,
    )


def _further(schema: str, choice: str, before: int) -> str:
    if choice not in choices_of(schema):
        return "no_such_choice"
    return "over_the_limit" if before >= MOST else FITS


def bulk_decide(
    store: Store, connection: Connection, expert: ExpertRow, ids: Sequence[str], answer: dict[str, Any]
) -> int:
    """Decide these reviews in the caller's transaction; returns how many still waited and were decided.

    The decisions do not count as blind evidence.
    """
    done = 0
    for review_id in ids:
        review = find_review(connection, review_id)
        if review.state != "waiting" or review.leased:
            continue
        response = read_answer(connection, review, answer)
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


def _count_by_field(connection: Connection) -> Counter[tuple[str | None, str | None]]:
    """Waiting reviews that are not made for one person, by specialty and language: all of them, which an index counts,
    less the few that are."""
    by = (reviews.c.leased, reviews.c.escalated, reviews.c.specialty, reviews.c.lang)  # as the index has them
    waits = reviews.c.state == "waiting"
    found = Counter[tuple[str | None, str | None]]()
    for row in connection.execute(select(*by, func.count().label("n")).where(waits).group_by(*by)):
        found[row.specialty, row.lang] += row.n
    # Both values each, so that the index of kinds is followed down to them.
    both = (reviews.c.leased.in_((False, True)), reviews.c.escalated.in_((False, True)))
    personal = select(reviews.c.specialty, reviews.c.lang).where(waits, *both, reviews.c.kind.in_(PERSONAL))
    found.subtract((row.specialty, row.lang) for row in connection.execute(personal))
    return +found


def count_too_few(
    connection: Connection,
    people: Sequence[ExpertRow],
    needed: int = 2,
    match: str = "prefer",
) -> list[dict[str, Any]]:
    """Waiting reviews by specialty and language that fewer than `needed` people can answer.

    Args:
        people: everyone who is given reviews.
        match: how the queue is handed out; with `prefer`, everyone is handed every field in the end, and only
            languages say who can answer.
    """
    too_few = []
    for (specialty, lang), n in _count_by_field(connection).items():
        able = sum(one.can_answer(specialty, lang, match) for one in people)
        if able < needed:
            too_few.append({"specialty": specialty, "lang": lang, "reviews": n, "people": able})
    return sorted(too_few, key=lambda one: (one["people"], -one["reviews"]))
