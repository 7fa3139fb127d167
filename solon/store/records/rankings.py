"""The rankings that people gave of the answers to an item. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from solon.consensus.rankings import Ranking, pairs_of
from solon.store.records.evaluation import Answer
from solon.store.records.marks import said_texts
from solon.store.reviewing.disagreements import SHARED, text_ids
from solon.store.reviewing.rankings import stored_rankings
from solon.store.tables import adjudications, assignments, decisions, reviews, texts


@dataclass(frozen=True, slots=True)
class RankedItem:
    """What people ranked of one item by one question.

    Attributes:
        item_id: the item.
        question: the name of the question; empty where it has none.
        rankings: one of each person, of the ids of candidates: those of the same text are one.
    """

    item_id: str
    question: str
    rankings: tuple[Ranking, ...]


def ranked_items(connection: Connection, answers: Iterable[Answer]) -> list[RankedItem]:
    """The rankings among these answers by item and question, in their order; without those whose texts were erased."""
    ranked = [one for one in answers if one.choice == "rank"]
    bodies = said_texts(connection, [one.id for one in ranked])
    text_of = text_ids(connection, sorted({name for one in ranked for name in one.shown}))
    called: dict[str, dict[str, str]] = {}
    found: dict[tuple[str, str], dict[str, Ranking]] = {}
    for one in ranked:
        names = called.setdefault(one.item_id, {text_of[name]: name for name in one.shown})
        for question, ranking in stored_rankings(bodies.get(one.id), names, one.actor).items():
            found.setdefault((one.item_id, question), {}).setdefault(one.actor, ranking)
    return [RankedItem(item, question, tuple(by.values())) for (item, question), by in found.items()]


def reversed_by_others(
    connection: Connection, pairs: Iterable[Mapping[str, Any]], as_of: float | None = None
) -> set[str]:
    """Ids of those records, each a pair of a ranking, whose two answers somebody else whose answer stands orders the
    other way by the same question. None of an item for which a lead has ruled.

    Args:
        pairs: rows of the table of records.
        as_of: by what had been answered at this time (epoch seconds); None: by now.
    """
    of_item: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in pairs:
        if row["weight"] is not None and row["rejected_id"] is not None:
            of_item[row["item_id"]].append(row)
    rankings = _rankings_of(connection, list(of_item), as_of)
    sides = {row[side] for item in rankings for row in of_item[item] for side in ("chosen_id", "rejected_id")}
    text_of = text_ids(connection, sorted(sides))
    found = set[str]()
    for item, bodies in rankings.items():
        named = (text_of[row[side]] for row in of_item[item] for side in ("chosen_id", "rejected_id"))
        called = {text: text for text in named}
        theirs = {
            (question, pair.better, pair.worse)
            for body in bodies
            for question, ranking in stored_rankings(body, called).items()
            for pair in pairs_of(ranking)
        }
        found |= {
            row["id"]
            for row in of_item[item]
            if (row["question"] or "", text_of[row["rejected_id"]], text_of[row["chosen_id"]]) in theirs
        }
    return found


def _rankings_of(
    connection: Connection, item_ids: Sequence[str], as_of: float | None
) -> dict[str, list[str | None]]:
    """The texts of the rankings that stand, by item; of no item for which a lead has ruled."""
    ruled = select(adjudications.c.item_id).where(adjudications.c.state.in_(("decided", "contested")))
    query = (
        select(reviews.c.item_id, assignments.c.answer, decisions.c.choice, decisions.c.edit_id)
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .join(decisions, decisions.c.id == assignments.c.decision_id, isouter=True)
        .where(reviews.c.item_id.in_(item_ids), reviews.c.item_id.not_in(ruled), reviews.c.kind.in_(SHARED))
        .where(assignments.c.state.in_(("decided", "second")), decisions.c.undone_at.is_(None))
    )
    if as_of is not None:
        query = query.where(assignments.c.closed_at <= as_of)
    said = []
    for row in connection.execute(query) if item_ids else ():
        given = row.answer or {}
        if (row.choice or given.get("choice")) == "rank":
            said.append((row.item_id, row.edit_id or given.get("text")))
    bodies = select(texts.c.id, texts.c.body).where(texts.c.id.in_({text for _, text in said}))
    body_of = {row.id: row.body for row in connection.execute(bodies)} if said else {}
    found: dict[str, list[str | None]] = defaultdict(list)
    for item, text in said:
        found[item].append(body_of.get(text))
    return found
