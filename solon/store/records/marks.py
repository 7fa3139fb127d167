"""What was marked in texts: by each reading, as it was proposed, and by people. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from solon.questions import MARKED, STANDS
from solon.spans import Span, read_spans
from solon.store.records.evaluation import Answer
from solon.store.tables import assignments, candidates, decisions, items, texts


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A person's answer to marked spans.

    Attributes:
        answer: the answer.
        proposed: the spans that were proposed.
        given: those that the person left standing or marked.
        readings: author and spans of each reading that the proposal was merged from.
    """

    answer: Answer
    proposed: tuple[Span, ...]
    given: tuple[Span, ...]
    readings: tuple[tuple[str, tuple[Span, ...]], ...]


def marked_texts(connection: Connection, answers: Iterable[Answer]) -> list[MarkedText]:
    """Answers to marked spans with what they speak of, in their order; without those whose texts were erased."""
    asked = [one for one in answers if one.question.kind == MARKED and one.shown]
    bodies = _bodies(connection, [one.shown[0] for one in asked])
    told = said_texts(connection, [one.id for one in asked])
    said = {name: spans for name, body in told.items() if (spans := read_spans(body)) is not None}
    readings = _readings(connection, [one.item_id for one in asked])
    found = []
    for one in asked:
        proposed = bodies.get(one.shown[0])
        given = proposed if one.choice == STANDS else said.get(one.id)
        if proposed is not None and given is not None:
            found.append(
                MarkedText(one, proposed, given, tuple(readings.get((one.item_id, one.attempt), ())))
            )
    return found


def _bodies(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[Span, ...]]:
    query = (
        select(candidates.c.id, texts.c.body)
        .join(texts, texts.c.id == candidates.c.text_id)
        .where(candidates.c.id.in_(ids))
    )
    return {row.id: spans for row in connection.execute(query) if (spans := read_spans(row.body)) is not None}


def said_texts(connection: Connection, ids: Sequence[str]) -> dict[str, str | None]:
    """The texts that decisions and second opinions bring, by their ids; None where one was erased."""
    decided = select(decisions.c.id, decisions.c.edit_id).where(decisions.c.id.in_(ids))
    named = {row.id: row.edit_id for row in connection.execute(decided)}
    beside = select(assignments.c.id, assignments.c.answer).where(assignments.c.id.in_(ids))
    named |= {row.id: (row.answer or {}).get("text") for row in connection.execute(beside)}
    query = select(texts.c.id, texts.c.body).where(texts.c.id.in_([one for one in named.values() if one]))
    body_of = {row.id: row.body for row in connection.execute(query)}
    return {name: body_of[text] for name, text in named.items() if text in body_of}


def _readings(
    connection: Connection, item_ids: Sequence[str]
) -> dict[tuple[str, int], list[tuple[str, tuple[Span, ...]]]]:
    query = (
        select(candidates.c.item_id, candidates.c.attempt, candidates.c.author, texts.c.body)
        .join(texts, texts.c.id == candidates.c.text_id)
        .where(candidates.c.item_id.in_(item_ids), candidates.c.kind == "draft")
        .order_by(candidates.c.ordinal)
    )
    found: dict[tuple[str, int], list[tuple[str, tuple[Span, ...]]]] = {}
    for row in connection.execute(query):
        spans = read_spans(row.body)
        if spans is not None:
            found.setdefault((row.item_id, row.attempt), []).append((row.author, spans))
    return found


def count_placed(
    connection: Connection, run_ids: Sequence[str], *, among: Select[Any] | None = None
) -> dict[str, int]:
    """Over all readings of these runs: how many spans `stood` where the model said, were `repaired`, or `dropped`; of
    the items that `among` selects the ids of alone, where it is given."""
    query = (
        select(texts.c.body)
        .select_from(candidates.join(items, items.c.id == candidates.c.item_id))
        .join(texts, texts.c.id == candidates.c.text_id)
        .where(items.c.run_id.in_(run_ids), candidates.c.kind == "draft")
        .where(texts.c.body.like('{"dropped":%'))
    )
    if among is not None:
        query = query.where(items.c.id.in_(among))
    counts = {"stood": 0, "repaired": 0, "dropped": 0}
    for body in connection.execute(query).scalars():
        told = json.loads(body)
        counts["stood"] += len(told["spans"]) - told["repaired"]
        counts["repaired"] += told["repaired"]
        counts["dropped"] += told["dropped"]
    return counts
