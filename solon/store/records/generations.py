"""How far tasks are from people's: what each was evolved from, by what, and what its drafts were shown. Reads only."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from solon.store.runs.examples import ExampleId
from solon.store.runs.journal import DRAWS
from solon.store.tables import calls, candidates, items, records, texts

FEW_AT_ONCE = 500
"""Ids of one query."""


@dataclass(frozen=True, slots=True)
class Descent:
    """What an item's drafts were made of.

    Attributes:
        generation: 1 where it was made of a seed, one more than that of the record where it was made of one.
        seeds: seeds that they were shown, the one that they were made of among them.
        records: records that they were shown, so that texts of models.
    """

    generation: int
    seeds: int
    records: int


@dataclass(frozen=True, slots=True)
class DraftedTask:
    """A task that was drafted.

    Attributes:
        item_id: its item.
        candidate_id: the candidate that it is the request of.
        kind: `draft`, or why it was dropped; of an accepted one how the answer came to be.
        prompt: the request; empty where it was not asked for.
    """

    item_id: str
    candidate_id: str
    kind: str
    prompt: str = ""


def descents(connection: Connection, item_ids: Collection[str]) -> dict[str, Descent]:
    """item id -> what its drafts were made of, for those that were shown examples."""
    drawn: dict[str, tuple[int, int]] = {}
    origins: dict[str, str] = {}
    left = set(item_ids)
    while left:
        made_of: dict[str, str] = {}
        for part in _parts(left):
            query = select(items.c.id, items.c.seed_id, items.c.examples).where(items.c.id.in_(part))
            for row in connection.execute(query.where(items.c.examples.is_not(None))):
                of_models = [one["record_id"] for one in row.examples if one["record_id"]]
                own = [one["record_id"] for one in row.examples if ExampleId(**one).is_record_of(row.seed_id)]
                drawn[row.id] = len(row.examples) - len(of_models) + (not own), len(of_models)
                made_of.update((row.id, name) for name in own)
        made_in = _items_of(connection, set(made_of.values()))
        found = {item: made_in[name] for item, name in made_of.items() if name in made_in}
        origins |= found
        left = set(found.values()) - set(drawn)

    def generation(item: str) -> int:
        return 1 + (generation(origins[item]) if item in origins else 0)

    return {item: Descent(generation(item), *drawn[item]) for item in item_ids if item in drawn}


def drawn_for(connection: Connection, candidate_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """candidate id -> what was drawn for it or for what it revises (operator, attributes, persona, `filled` slots), of
    a dialogue also the `turns` of its draft and, unless a person edited it, by what it `ended`; only of those for which
    something was."""
    parent, call, draw, answer = (
        candidates.alias("parent"), calls.alias("call"), calls.alias("draw"), texts.alias("answer"),
    )  # fmt: skip
    query = (
        select(candidates.c.id, candidates.c.kind, answer.c.body)
        .join(parent, parent.c.id == candidates.c.parent_id, isouter=True)
        .join(call, call.c.id == func.coalesce(candidates.c.call_id, parent.c.call_id))
        .join(
            draw,
            (draw.c.item_id == call.c.item_id)
            & (draw.c.round == call.c.round)
            & (draw.c.sample == call.c.sample),
        )
        .join(answer, answer.c.id == draw.c.answer_id)
        .where(draw.c.role == DRAWS, answer.c.body.is_not(None))
    )
    found: dict[str, dict[str, Any]] = {}
    for part in _parts(candidate_ids):
        for row in connection.execute(query.where(candidates.c.id.in_(part))):
            drawn = json.loads(row.body)
            if isinstance(drawn, dict):  # a maker of one's own may keep anything
                if row.kind == "edit":  # a person ended it
                    drawn.pop("ended", None)
                found.setdefault(row.id, {}).update(drawn)
    return found


def covered_before(connection: Connection, run_id: str, place: int) -> dict[str, dict[str, int]]:
    """attribute -> value -> how many records in force it has, of a run's items before a place."""
    query = (
        select(records.c.chosen_id)
        .join(items, items.c.id == records.c.item_id)
        .where(items.c.run_id == run_id, items.c.position < place, items.c.state == "accepted")
        .where(records.c.superseded_at.is_(None), records.c.chosen_id.is_not(None))
    )
    return count_values(drawn_for(connection, list(connection.execute(query).scalars())).values())


def count_values(drawn: Collection[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """attribute -> value -> how often it was drawn."""
    found: dict[str, Counter[str]] = {}
    for one in drawn:
        for name, value in one.get("attributes", {}).items():
            found.setdefault(name, Counter())[value] += 1
    return {name: dict(counts) for name, counts in found.items()}


def drafted_tasks(connection: Connection, run_ids: Sequence[str]) -> list[DraftedTask]:
    """The tasks that were drafted for items that were shown examples, dropped ones too; revisions are none."""
    query = (
        select(candidates.c.item_id, candidates.c.id, candidates.c.kind)
        .join(items, items.c.id == candidates.c.item_id)
        .where(items.c.run_id.in_(run_ids), items.c.examples.is_not(None))
        .where(candidates.c.prompt_text_id.is_not(None), candidates.c.parent_id.is_(None))
    )
    return [DraftedTask(row.item_id, row.id, row.kind) for row in connection.execute(query)]


def accepted_tasks(connection: Connection, run_ids: Sequence[str]) -> list[DraftedTask]:
    """The accepted ones among these with their requests, in the order of the items; without those that were
    forgotten."""
    query = (
        select(records.c.item_id, candidates.c.id, candidates.c.kind, texts.c.body)
        .join(items, items.c.id == records.c.item_id)
        .join(candidates, candidates.c.id == records.c.chosen_id)
        .join(texts, texts.c.id == candidates.c.prompt_text_id)
        .where(items.c.run_id.in_(run_ids), items.c.examples.is_not(None), items.c.state == "accepted")
        .where(records.c.superseded_at.is_(None), texts.c.body.is_not(None))
        .order_by(items.c.run_id, items.c.position)
    )
    return [DraftedTask(row.item_id, row.id, row.kind, row.body) for row in connection.execute(query)]


def _items_of(connection: Connection, record_ids: Collection[str]) -> dict[str, str]:
    query = select(records.c.id, records.c.item_id)
    return {
        row.id: row.item_id
        for part in _parts(record_ids)
        for row in connection.execute(query.where(records.c.id.in_(part)))
    }


def _parts(names: Collection[str]) -> list[list[str]]:
    ordered = sorted(names)
    return [ordered[start : start + FEW_AT_ONCE] for start in range(0, len(ordered), FEW_AT_ONCE)]
