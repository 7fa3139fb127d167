"""The reviews that a budget is spent on: those held, what was asked before, and writing down what was chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from solon.config.sections import RoutingConfig
from solon.store.database import clock
from solon.store.database.chunks import chunks
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.runs.items import FINAL
from solon.store.tables import items, reviews, seeds, texts

ASKED = ("waiting", "decided")


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run's budget was spent on so far."""

    reviews: int
    minutes: float


@dataclass(frozen=True, slots=True)
class BudgetRound:
    """Where a budget that is spent in rounds stands.

    Attributes:
        number: the round that is under way, or that was answered last; 0 before the first.
        of: so many rounds there are.
        open: its questions that wait for an answer.
        asked: questions that the budget was spent on, in all rounds so far.
    """

    number: int
    of: int
    open: int
    asked: int

    def __str__(self) -> str:
        if not self.number:
            return f"before the first of {self.of} rounds"
        left = f"{self.open} of its questions wait" if self.open else "all of its questions are answered"
        return f"round {self.number} of {self.of}: {left}, {self.asked} were asked in all so far"


@dataclass(frozen=True, slots=True)
class PickedReview:
    """A held review that is to enter the queue.

    Attributes:
        review: the held review.
        priority: its place in the queue; lower comes first.
        inclusion: the probability with which it was drawn; 1 for those taken because they are worth most, None for
            those that a round chose by what was decided before: nothing is known of how likely that was.
        reason: why it is asked, as `code`, `text` and `value`; added to the reasons of the review.
    """

    review: ReviewRow
    priority: float
    inclusion: float | None
    reason: Mapping[str, Any]


def spent_budget(connection: Connection, run_id: str) -> Spent:
    """How many reviews of the run its budget has opened, and the minutes that they were estimated to take."""
    query = select(func.count(), func.coalesce(func.sum(reviews.c.minutes), 0.0)).where(
        reviews.c.run_id == run_id,
        reviews.c.rule == "budget",
        reviews.c.kind == "interrupt",
        reviews.c.state.in_(ASKED),
    )
    n, minutes = connection.execute(query).one()
    return Spent(int(n), float(minutes))


def find_round(connection: Connection, run_id: str, routing: RoutingConfig) -> BudgetRound | None:
    """Which round of its budget a run is in; None where there are no rounds."""
    if not routing.in_rounds:
        return None
    spent = spent_budget(connection, run_id)
    number = routing.round_of(spent.reviews, spent.minutes)
    return BudgetRound(number, routing.rounds, open_reviews(connection, run_id), spent.reviews)


def count_held_back(connection: Connection, run_id: str) -> int:
    """How many items of a run are judged and held back under its budget: nobody is asked about them yet."""
    query = (
        select(func.count())
        .select_from(reviews)
        .join(items, items.c.id == reviews.c.item_id)
        .where(reviews.c.run_id == run_id, reviews.c.state == "held", items.c.state == "waiting")
    )
    return int(connection.execute(query).scalar_one())


def held_reviews(connection: Connection, run_id: str) -> list[ReviewRow]:
    """Reviews of judged items that are held back until all are judged, in a stable order."""
    query = (
        select(reviews)
        .join(items, items.c.id == reviews.c.item_id)
        .where(reviews.c.run_id == run_id, reviews.c.state == "held", items.c.state == "waiting")
        .order_by(reviews.c.id)
    )
    return [ReviewRow(**row) for row in connection.execute(query).mappings()]


def asked_items(connection: Connection, run_id: str, *, rule: str = "") -> list[str]:
    """Items of the run that people are or were asked about. `rule`: for this reason only."""
    query = (
        select(reviews.c.item_id)
        .where(reviews.c.run_id == run_id, reviews.c.kind == "interrupt", reviews.c.state.in_(ASKED))
        .distinct()
        .order_by(reviews.c.item_id)
    )
    query = query.where(reviews.c.rule == rule) if rule else query
    return list(connection.execute(query).scalars())


def open_reviews(connection: Connection, run_id: str) -> int:
    """How many reviews of the run that its budget has opened still wait for an answer."""
    query = select(func.count()).where(
        reviews.c.run_id == run_id,
        reviews.c.rule == "budget",
        reviews.c.kind == "interrupt",
        reviews.c.state == "waiting",
    )
    return int(connection.execute(query).scalar_one())


def pinned_consensus(connection: Connection, item_ids: Sequence[str]) -> dict[str, str]:
    """The consensus version that each item is pinned to."""
    pinned: dict[str, str] = {}
    for part in chunks(item_ids):
        query = select(items.c.id, items.c.consensus_id).where(items.c.id.in_(part))
        pinned |= {row[0]: row[1] for row in connection.execute(query)}
    return pinned


def requests_of(connection: Connection, item_ids: Sequence[str]) -> list[str]:
    """The request of each item, in the order of the ids; empty where it was forgotten."""
    requests: dict[str, str] = {}
    for part in chunks(item_ids):
        query = (
            select(items.c.id, texts.c.body)
            .join(seeds, seeds.c.id == items.c.seed_id)
            .join(texts, texts.c.id == seeds.c.text_id)
            .where(items.c.id.in_(part))
        )
        for item_id, body in connection.execute(query):
            requests[item_id] = str((json.loads(body) if body else {}).get("prompt") or "")
    return [requests.get(item_id, "") for item_id in item_ids]


def open_picked(connection: Connection, run_id: str, picked: Sequence[PickedReview]) -> None:
    """Put the picked reviews into the queue; one that is not held any more stays as it is.

    A crash may have left a review held although its item has ended: such reviews of the run are withdrawn, too.
    """
    ended = select(items.c.id).where(items.c.run_id == run_id, items.c.state.in_(FINAL))
    connection.execute(
        update(reviews)
        .where(reviews.c.run_id == run_id, reviews.c.state == "held", reviews.c.item_id.in_(ended))
        .values(state="withdrawn", resolved_at=clock.now())
    )
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


def withdraw_held(connection: Connection, review_id: str) -> None:
    """Withdraw a held review whose item has ended. Until then it stays held, so that a crash loses nothing."""
    connection.execute(
        update(reviews)
        .where(reviews.c.id == review_id, reviews.c.state == "held")
        .values(state="withdrawn", resolved_at=clock.now())
    )
