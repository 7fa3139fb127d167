"""The rankings that people gave of the answers to an item. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from solon.consensus.rankings import Ranking
from solon.store.records.evaluation import Answer
from solon.store.records.marks import said_texts
from solon.store.reviewing.disagreements import text_ids
from solon.store.reviewing.rankings import stored_rankings


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
