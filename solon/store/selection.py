"""The reviews that a budget is spent on: those held, what was asked before, and writing down what was chosen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from solon.store.review_rows import ReviewRow
from solon.store.tables import Item, Review, Seed, Text

items = Item.__table__  # type: ignore[attr-defined]
reviews = Review.__table__  # type: ignore[attr-defined]
seeds = Seed.__table__  # type: ignore[attr-defined]
texts = Text.__table__  # type: ignore[attr-defined]
ASKED = ("waiting", "decided")
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run's budget was spent on so far."""

    reviews: int
    minutes: float


@dataclass(frozen=True, slots=True)
class Picked:
    """A held review that enters the queue: its place there, the probability that it was drawn with, and why."""

    review: ReviewRow
    priority: float
    inclusion: float
    reason: Mapping[str, Any]


def spent_budget(connection: Connection, run_id: str) -> Spent:
    """Reviews of the run that its budget opened, and the minutes that they were taken to need."""
    query = select(func.count(), func.coalesce(func.sum(reviews.c.minutes), 0.0)).where(
        reviews.c.run_id == run_id,
        reviews.c.rule == "budget",
        reviews.c.kind == "interrupt",
        reviews.c.state.in_(ASKED),
    )
    n, minutes = connection.execute(query).one()
    return Spent(int(n), float(minutes))


def held_reviews(connection: Connection, run_id: str) -> list[ReviewRow]:
    """Reviews of judged items that are held back until all are judged, in a stable order."""
    query = (
        select(reviews).where(reviews.c.run_id == run_id, reviews.c.state == "held").order_by(reviews.c.id)
    )
    return [ReviewRow(**row) for row in connection.execute(query).mappings()]


def asked_items(connection: Connection, run_id: str) -> list[str]:
    """Items of the run that people are or were asked about."""
    query = (
        select(reviews.c.item_id)
        .where(reviews.c.run_id == run_id, reviews.c.kind == "interrupt", reviews.c.state.in_(ASKED))
        .distinct()
        .order_by(reviews.c.item_id)
    )
    return list(connection.execute(query).scalars())


def requests_of(connection: Connection, item_ids: Sequence[str]) -> list[str]:
    """The request of each item; empty where it was forgotten."""
    found: dict[str, str] = {}
    for part in _chunks(item_ids):
        query = (
            select(items.c.id, texts.c.body)
            .join(seeds, seeds.c.id == items.c.seed_id)
            .join(texts, texts.c.id == seeds.c.text_id)
            .where(items.c.id.in_(part))
        )
        for item_id, body in connection.execute(query):
            found[item_id] = str((json.loads(body) if body else {}).get("prompt") or "")
    return [found.get(item_id, "") for item_id in item_ids]


def open_picked(connection: Connection, picked: Sequence[Picked], others: Sequence[ReviewRow]) -> None:
    """The picked ones enter the queue, the others leave it; what is no longer held stays as it is."""
    held = update(reviews).where(reviews.c.id == bindparam("of_review"), reviews.c.state == "held")
    if picked:
        chosen = held.values(
            state="waiting",
            priority=bindparam("new_priority"),
            inclusion=bindparam("new_inclusion"),
            reasons=bindparam("new_reasons", type_=reviews.c.reasons.type),
        )
        values = [
            {
                "of_review": p.review.id,
                "new_priority": p.priority,
                "new_inclusion": p.inclusion,
                "new_reasons": [*(p.review.reasons or ()), dict(p.reason)],
            }
            for p in picked
        ]
        connection.execute(chosen, values)
    for part in _chunks([review.id for review in others]):
        connection.execute(
            update(reviews).where(reviews.c.id.in_(part), reviews.c.state == "held").values(state="withdrawn")
        )


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
