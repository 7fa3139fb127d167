"""How people answered: in which time, which of the places shown, and with which suggestion in sight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from solon.questions import PAIR, question_of
from solon.store.database.ids import keyed_hash
from solon.store.tables import assignments, candidates, decisions, reviews, texts

CHUNK = 500
NEWEST = 200
"""Answers of a person that are looked at: how they work now."""
ON_THE_PAGE = ("page", "api")
"""Channels whose answers were given with the candidates in the order drawn for the person."""


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


def manners_of(connection: Connection, key: str, actors: Sequence[str]) -> list[Manner]:
    """How each of these people (`expert:ID`) gave their newest answers that stand; practice is left out."""
    kept: dict[str, list[dict[str, Any]]] = {actor: [] for actor in actors}
    for row in sorted(_answers(connection, actors), key=lambda row: (-row["at"], row["review"])):
        if len(kept[row["actor"]]) < NEWEST:
            kept[row["actor"]].append(row)
    rows = [row for of_one in kept.values() for row in of_one]
    lengths = _lengths(connection, sorted({name for row in rows for name in row["candidates"]}))
    return [_manner(key, row, lengths) for row in rows]


def _answers(connection: Connection, actors: Sequence[str]) -> Iterator[dict[str, Any]]:
    names = ("item_id", "attempt", "candidates", "response_schema")
    asked = (reviews.c.id.label("review"), *(reviews.c[name] for name in names))
    wanted = set(actors)
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
        .where(decisions.c.undone_at.is_(None), reviews.c.kind != "practice")
    )
    others = (
        select(
            *asked,
            assignments.c.actor,
            assignments.c.answer,
            assignments.c.closed_at.label("at"),
            assignments.c.suggestion,
        )
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .where(assignments.c.state.in_(("vote", "second")), assignments.c.closed_at.is_not(None))
    )
    for row in connection.execute(decided).mappings():
        if row["actor"] in wanted:
            yield dict(row)
    for row in connection.execute(others).mappings():
        answer = row["answer"] or {}
        if row["actor"] in wanted and answer.get("choice"):
            seconds = (answer.get("times") or {}).get("active_seconds")
            # a vote does not say how it came: only the page tells times
            channel = "page" if seconds is not None else ""
            given = {"choice": answer["choice"], "candidate_id": answer.get("candidate")}
            yield {**row, **given, "seconds": seconds, "channel": channel}


def _manner(key: str, row: dict[str, Any], lengths: dict[str, int]) -> Manner:
    question = question_of(row["response_schema"])
    shown, place = list(row["candidates"]), None
    if question == PAIR and row["choice"] == "prefer" and row["channel"] in ON_THE_PAGE:
        order = order_shown(key, row["review"], row["actor"].removeprefix("expert:"), shown)
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
