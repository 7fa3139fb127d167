"""How people answered: in which time, which of the places shown, and with which suggestion in sight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from solon.questions import PAIR, question_of
from solon.store.database.ids import keyed_hash
from solon.store.reviewing.disagreements import text_ids
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.tables import assignments, candidates, decisions, events, reviews, texts

CHUNK = 500
NEWEST = 200
"""Answers of a person that are looked at: how they work now."""
ON_THE_PAGE = ("page", "api")
"""Channels whose answers were given with the candidates in the order drawn for the person."""
SAME_SIDES = "same_sides"
"""In the event of an answer taken back: the person who sees its candidates at the same places when asked again."""
ASKED = ("id", "item_id", "attempt", "ordinal", "content_hash", "candidates")


@dataclass(frozen=True, slots=True)
class Manner:
    """How one answer was given.

    Attributes:
        actor: who answered.
        question: what was asked, as `item:attempt`.
        schema: form of the answer.
        outcome: what it says; None where it names no outcome.
        place: place on the page of the candidate preferred, from 0; None where that is not known, or none was.
        seconds: time that the person was active on it; None where not known.
        characters: length of the candidates shown.
        suggestion: `outcome` suggested by the panel and whether it was `seen`; None without.
    """

    actor: str
    question: str
    schema: str
    outcome: str | None
    place: int | None
    seconds: float | None
    characters: int
    suggestion: dict[str, Any] | None


def order_shown(key: str, review_id: str, expert_id: str, shown: Sequence[str]) -> list[str]:
    """The candidates' ids in an order drawn for this review and this person, the same whenever they look."""
    return sorted(shown, key=lambda name: keyed_hash(key, "side", review_id, expert_id, name))


def order_seen(connection: Connection, key: str, review: ReviewRow, actor: str) -> list[str]:
    """The candidates' ids in the order in which a person (`expert:ID`) sees, or saw, them; see `orders_seen`."""
    asked = {name: getattr(review, name) for name in ASKED}
    return orders_seen(connection, key, [{**asked, "actor": actor}])[0]


def orders_seen(connection: Connection, key: str, asked: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The candidates' ids in the order in which each `actor` sees them, by the columns `ASKED` of a review.

    Whoever took an answer back, so that a new attempt asks again, sees the places that they saw before.
    """
    first = _first_seen(connection, [row["item_id"] for row in asked])
    orders = []
    for row in asked:
        person = row["actor"].removeprefix("expert:")
        order = order_shown(key, row["id"], person, row["candidates"])
        before = first.get(_question(row, row["actor"]))
        if before is not None and before["attempt"] < row["attempt"]:
            seen = order_shown(key, before["id"], person, before["candidates"])
            order = _renamed(connection, seen, row["candidates"]) or order
        orders.append(order)
    return orders


def _question(row: Mapping[str, Any], person: str) -> tuple[str, ...]:
    return person, row["item_id"], str(row["ordinal"]), row["content_hash"]


def _first_seen(connection: Connection, item_ids: Sequence[str]) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """The first review whose answer a person took back and whose places they keep, by `_question`."""
    found: dict[tuple[str, ...], Mapping[str, Any]] = {}
    ids = sorted(set(item_ids))
    for start in range(0, len(ids), CHUNK):
        query = (
            select(*(reviews.c[name] for name in ASKED), events.c.detail)
            .join(events, events.c.subject == reviews.c.id)
            .where(
                reviews.c.item_id.in_(ids[start : start + CHUNK]),
                events.c.kind.in_(("decision.undone", "vote.undone")),
            )
            .order_by(reviews.c.attempt)
        )
        for row in map(dict, connection.execute(query).mappings()):
            person = (row["detail"] or {}).get(SAME_SIDES)
            if person is not None:
                found.setdefault(_question(row, person), row)
    return found


def _renamed(connection: Connection, order: Sequence[str], shown: Sequence[str]) -> list[str]:
    """The candidates `shown` in the order of those of the same texts; empty where the texts are others."""
    text_of = text_ids(connection, [*order, *shown])
    now_called = {text_of[name]: name for name in shown}
    renamed = [now_called.get(text_of[name], "") for name in order]
    return renamed if sorted(renamed) == sorted(shown) else []


def manners_of(connection: Connection, key: str, actors: Sequence[str]) -> list[Manner]:
    """How each of these people (`expert:ID`) gave their newest answers that stand; practice is left out."""
    rows = [row for actor in actors for row in _newest_answers(connection, actor)]
    lengths = _lengths(connection, sorted({name for row in rows for name in row["candidates"]}))
    orders = orders_seen(connection, key, rows)
    return [_manner(row, order, lengths) for row, order in zip(rows, orders, strict=True)]


def _newest_answers(connection: Connection, actor: str) -> list[dict[str, Any]]:
    answers = sorted(_answers(connection, actor), key=lambda row: (-row["at"], row["id"]))
    return answers[:NEWEST]


def _answers(connection: Connection, actor: str) -> Iterator[dict[str, Any]]:
    """The newest decisions, votes and second opinions of a person, `NEWEST` of each at least, where there are so
    many."""
    asked = [reviews.c[name] for name in (*ASKED, "response_schema")]
    decided = (
        select(
            *asked,
            decisions.c.actor,
            decisions.c.channel,
            decisions.c.choice,
            decisions.c.candidate_id,
            decisions.c.active_seconds.label("seconds"),
            decisions.c.decided_at.label("at"),
            decisions.c.suggestion,
        )
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(decisions.c.actor == actor, decisions.c.undone_at.is_(None), reviews.c.kind != "practice")
        .order_by(decisions.c.decided_at.desc(), reviews.c.id)
        .limit(NEWEST)
    )
    votes = (assignments.c.state.in_(("vote", "second")), assignments.c.closed_at.is_not(None))
    others = (
        select(
            *asked,
            assignments.c.actor,
            assignments.c.answer,
            assignments.c.closed_at.label("at"),
            assignments.c.suggestion,
        )
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .where(assignments.c.actor == actor, *votes)
        .order_by(assignments.c.closed_at.desc(), reviews.c.id)
        .limit(2 * NEWEST)  # those without a choice are left out
    )
    for row in connection.execute(decided).mappings():
        yield dict(row)
    for row in connection.execute(others).mappings():
        answer = row["answer"] or {}
        if answer.get("choice"):
            seconds = (answer.get("times") or {}).get("active_seconds")
            # a vote does not say how it came: only the page tells times
            channel = "page" if seconds is not None else ""
            given = {"choice": answer["choice"], "candidate_id": answer.get("candidate")}
            yield {**row, **given, "seconds": seconds, "channel": channel}


def _manner(row: dict[str, Any], order: list[str], lengths: dict[str, int]) -> Manner:
    question = question_of(row["response_schema"])
    shown, place = list(row["candidates"]), None
    if question == PAIR and row["choice"] == "prefer" and row["channel"] in ON_THE_PAGE:
        place = order.index(row["candidate_id"]) if row["candidate_id"] in order else None
    outcome = question.outcome_of(row["choice"], row["candidate_id"], shown)
    return Manner(
        row["actor"],
        f"{row['item_id']}:{row['attempt']}",
        row["response_schema"],
        outcome if question.is_outcome(outcome) else None,
        place,
        row["seconds"],
        sum(lengths.get(name, 0) for name in shown),
        row["suggestion"],
    )


def _lengths(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(ids), CHUNK):
        query = (
            select(candidates.c.id, func.coalesce(func.length(texts.c.body), 0))
            .join(texts, texts.c.id == candidates.c.text_id)
            .where(candidates.c.id.in_(ids[start : start + CHUNK]))
        )
        found |= {name: int(length) for name, length in connection.execute(query)}
    return found
