"""Questions that were drawn at random to be asked, in the order they are asked in, answered or not. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select

from solon.questions import Question, question_of
from solon.store.reviewing.overlaps import half_of
from solon.store.runs.items import FORGOTTEN
from solon.store.tables import items, reviews, seeds


@dataclass(frozen=True, slots=True)
class DrawnQuestion:
    """A question of the pilot, or of the random part of a budget.

    Attributes:
        item_id: the item that the question is about.
        attempt: the attempt of the item in which it was asked.
        shown: ids of the candidates, in the order in which they were shown.
        question: what was asked about them.
        group: group of its seed; a seed without one is a group of its own.
        size: how many items of the run are in the group, those of one seed among them.
        chance: the probability with which it was drawn.
        pilot: it belongs to the pilot; all questions of the pilot were drawn with the same chance.
        held_out: it is in the half that only tests, and never teaches.
    """

    item_id: str
    attempt: int
    shown: tuple[str, ...]
    question: Question
    group: str
    size: int
    chance: float
    pilot: bool
    held_out: bool


def drawn_questions(connection: Connection, key: str, run_id: str) -> list[DrawnQuestion]:
    """Every question that was drawn at random and put to people, one for each item, the first to be asked first.

    Items that were judged again under newer law, and those forgotten, are left out.
    """
    query = (
        select(
            reviews.c.item_id,
            reviews.c.attempt,
            reviews.c.candidates,
            reviews.c.response_schema,
            reviews.c.inclusion,
            reviews.c.rule,
            seeds.c.id,
            seeds.c.group,
        )
        .join(items, items.c.id == reviews.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .where(
            reviews.c.run_id == run_id,
            reviews.c.kind == "interrupt",
            reviews.c.state.in_(("waiting", "decided")) | (items.c.attempt > reviews.c.attempt),
            or_(reviews.c.rule == "pilot", (reviews.c.rule == "budget") & (reviews.c.inclusion < 1.0)),
            items.c.carried.is_(None),
            items.c.state != FORGOTTEN,
        )
        .order_by(reviews.c.priority, reviews.c.created_at, reviews.c.id)
    )
    rows = {row.item_id: row for row in connection.execute(query)}
    sizes = group_sizes(connection, run_id)
    total, pilot = _counts(connection, run_id)
    return [
        DrawnQuestion(
            row.item_id,
            row.attempt,
            tuple(row.candidates),
            question_of(row.response_schema),
            row.group or row.id,
            sizes.get(row.group or row.id, 1),
            pilot / total if row.rule == "pilot" else row.inclusion,
            row.rule == "pilot",
            half_of(key, row.group or row.id) == "held_out",
        )
        for row in rows.values()
    ]


def group_sizes(connection: Connection, run_id: str) -> dict[str, int]:
    """Items of the run by group, of the groups that have several."""
    group = func.coalesce(seeds.c.group, seeds.c.id)
    query = (
        select(group, func.count())
        .join(items, items.c.seed_id == seeds.c.id)
        .where(items.c.run_id == run_id)
        .group_by(group)
        .having(func.count() > 1)
    )
    return {row[0]: int(row[1]) for row in connection.execute(query)}


def _counts(connection: Connection, run_id: str) -> tuple[int, int]:
    """Items of the run, and of its pilot."""
    own = select(func.count()).select_from(items).where(items.c.run_id == run_id)
    total, pilot = (int(connection.execute(query).scalar_one()) for query in (own, own.where(items.c.pilot)))
    return max(total, 1), max(pilot, 1)
