"""Questions that were drawn at random to be asked, in the order they are asked in, answered or not. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal_column, or_, select, union

from solon.questions import Question, question_of
from solon.store.reviewing.overlaps import DOUBT
from solon.store.runs.items import FORGOTTEN
from solon.store.runs.pilot import count_items, count_pilot
from solon.store.tables import items, reviews, seeds

WAS_DRAWN = reviews.c.inclusion < literal_column("1.0")
"""A review whose item was drawn with a known probability. The number is written out so that their index is followed."""


def is_drawn_as(kind: str) -> ColumnElement[bool]:
    """The condition on a review that it is of a kind for which no graph waits, such as audits; said so that SQLite
    reads the index of what was drawn, and not all reviews of a run."""
    return and_(
        reviews.c.kind == kind, reviews.c.kind != literal_column("'interrupt'"), reviews.c.item_id > ""
    )


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
        asked: how many people it was put to.
    """

    item_id: str
    attempt: int
    shown: tuple[str, ...]
    question: Question
    group: str
    size: int
    chance: float
    pilot: bool
    asked: int


def drawn_questions(connection: Connection, run_id: str) -> list[DrawnQuestion]:
    """Every question that was drawn at random and put to people, one for each item, the pilot in the order in which it
    was drawn, in which it is asked, too.

    An item that was put to people before it was drawn is there as it was asked. Items that were judged again under
    newer law, and those forgotten, are left out.
    """
    query = (
        select(
            reviews.c.item_id,
            reviews.c.attempt,
            reviews.c.candidates,
            reviews.c.response_schema,
            reviews.c.inclusion,
            items.c.pilot,
            seeds.c.id,
            seeds.c.group,
        )
        .join(items, items.c.id == reviews.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .where(*_drawn(run_id))
        .order_by(
            case((items.c.pilot, items.c.random_seed), else_=0),
            reviews.c.priority,
            reviews.c.created_at,
            reviews.c.id,
        )
    )
    rows = {row.item_id: row for row in connection.execute(query)}
    sizes = group_sizes(connection, run_id)
    asked = _asked(connection, run_id)
    total, pilot = _counts(connection, run_id)
    return [
        DrawnQuestion(
            row.item_id,
            row.attempt,
            tuple(row.candidates),
            question_of(row.response_schema),
            row.group or row.id,
            sizes.get(row.group or row.id, 1),
            pilot / total if row.pilot else row.inclusion,
            bool(row.pilot),
            asked.get((row.item_id, row.attempt), 1),
        )
        for row in rows.values()
    ]


def drawn_items(connection: Connection, run_id: str) -> dict[str, bool]:
    """The item of each of the `drawn_questions` -> whether it belongs to the pilot."""
    query = select(reviews.c.item_id, items.c.pilot).join(items, items.c.id == reviews.c.item_id)
    found = query.where(*_drawn(run_id))
    either = union(found.where(items.c.run_id == run_id, items.c.pilot), found.where(WAS_DRAWN))
    return {row.item_id: bool(row.pilot) for row in connection.execute(either)}


def _drawn(run_id: str) -> tuple[ColumnElement[bool], ...]:
    """Conditions on a review, and the item joined to it, under which the question was drawn at random."""
    return (
        reviews.c.run_id == run_id,
        reviews.c.kind == "interrupt",
        reviews.c.state.in_(("waiting", "decided")) | (items.c.attempt > reviews.c.attempt),
        or_(items.c.pilot, (reviews.c.rule == "budget") & WAS_DRAWN),
        items.c.carried.is_(None),
        items.c.state != FORGOTTEN,
    )


def _asked(connection: Connection, run_id: str) -> dict[tuple[str, int], int]:
    """How many people each question was put to, by item and attempt, of those that were put to several."""
    query = (
        select(reviews.c.item_id, reviews.c.attempt, func.count())
        .where(
            reviews.c.run_id == run_id,
            reviews.c.kind.in_(("interrupt", "overlap")),
            reviews.c.rule != DOUBT,
        )
        .group_by(reviews.c.item_id, reviews.c.attempt)
        .having(func.count() > 1)
    )
    return {(row[0], row[1]): int(row[2]) for row in connection.execute(query)}


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
    return max(count_items(connection, run_id), 1), max(count_pilot(connection, run_id), 1)
