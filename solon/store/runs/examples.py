"""The examples that the drafts of an item are shown: what there is to draw from, what was drawn, and its texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select, update

from solon.store.database.store import Store
from solon.store.tables import candidates, items, records, seeds, texts


@dataclass(frozen=True, slots=True)
class ExampleId:
    """What an example was taken from.

    Attributes:
        seed_id: the seed, or that of the record.
        record_id: the record; None of a seed.
    """

    seed_id: str
    record_id: str | None = None

    def is_record_of(self, seed_id: str) -> bool:
        """Whether it is a record of that seed."""
        return self.record_id is not None and self.seed_id == seed_id


@dataclass(frozen=True, slots=True)
class Example:
    """A task that is there already.

    Attributes:
        prompt: the request.
        input: what it speaks of; empty where there is nothing.
        response: the answer that was accepted; empty of a seed.
    """

    prompt: str
    input: str = ""
    response: str = ""


def accepted_before(connection: Connection, run_id: str, place: int) -> list[ExampleId]:
    """The records in force of a run's items before a place, in the order of the items; ties have no answer to show."""
    query = (
        select(items.c.seed_id, records.c.id)
        .join(records, records.c.item_id == items.c.id)
        .join(candidates, candidates.c.id == records.c.chosen_id)
        .where(items.c.run_id == run_id, items.c.position < place, items.c.state == "accepted")
        .where(records.c.superseded_at.is_(None))
        .order_by(items.c.position)
    )
    return [ExampleId(row.seed_id, row.id) for row in connection.execute(query)]


def seeds_of_run(connection: Connection, run_id: str) -> list[ExampleId]:
    """The seeds of a run that were not forgotten, in their order."""
    query = (
        select(items.c.seed_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .where(items.c.run_id == run_id, items.c.number == 0, texts.c.body.is_not(None))
        .order_by(items.c.position)
    )
    return [ExampleId(seed_id) for seed_id in connection.execute(query).scalars()]


def decided_before(
    connection: Connection, recipe: str, seed_id: str, group: str | None
) -> list[tuple[ExampleId, str]]:
    """Of every record in force of a recipe that people decided on, the example that it is and the content of its seed
    as JSON; none of a seed, nor of its group, is among its own.

    Args:
        seed_id, group: of the item that is to be shown some.
    """
    answer = texts.alias("answer")
    query = (
        select(records.c.id, seeds.c.id.label("seed"), texts.c.body)
        .select_from(records.join(items, items.c.id == records.c.item_id))
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .join(candidates, candidates.c.id == records.c.chosen_id)
        .join(answer, answer.c.id == candidates.c.text_id)
        .where(records.c.recipe == recipe, records.c.route.in_(("decided", "voted")))
        .where(records.c.superseded_at.is_(None), texts.c.body.is_not(None), answer.c.body.is_not(None))
        .where(seeds.c.id != seed_id)
        .order_by(records.c.created_at, records.c.id)
    )
    if group:
        query = query.where(seeds.c.group.is_(None) | (seeds.c.group != group))
    return [(ExampleId(row.seed, row.id), row.body) for row in connection.execute(query)]


def keep_examples(connection: Connection, item_id: str, drawn: Sequence[ExampleId]) -> tuple[ExampleId, ...]:
    """Note what was drawn for an item, once: returns what stands."""
    rows = [asdict(one) for one in drawn]
    first = update(items).where(items.c.id == item_id, items.c.examples.is_(None))
    connection.execute(first.values(examples=rows))
    kept = connection.execute(select(items.c.examples).where(items.c.id == item_id)).scalar_one()
    return tuple(ExampleId(**row) for row in kept)


def load_examples(store: Store, drawn: Sequence[ExampleId]) -> tuple[Example, ...]:
    """The texts of what was drawn; what was erased since is left out."""
    with store.connect() as connection:
        found = [_record(connection, one) if one.record_id else _seed(connection, one) for one in drawn]
    return tuple(example for example in found if example is not None)


def _seed(connection: Connection, drawn: ExampleId) -> Example | None:
    query = select(texts.c.body).join(seeds, seeds.c.text_id == texts.c.id).where(seeds.c.id == drawn.seed_id)
    body = connection.execute(query).scalar_one_or_none()
    content = json.loads(body) if body else None
    return Example(content["prompt"], content.get("input") or "") if content else None


def _record(connection: Connection, drawn: ExampleId) -> Example | None:
    answer, prompt, given = texts.alias("answer"), texts.alias("prompt"), texts.alias("given")
    query = (
        select(answer.c.body.label("answer"), prompt.c.body.label("prompt"), given.c.body.label("input"))
        .select_from(records.join(candidates, candidates.c.id == records.c.chosen_id))
        .join(answer, answer.c.id == candidates.c.text_id)
        .join(prompt, prompt.c.id == candidates.c.prompt_text_id, isouter=True)
        .join(given, given.c.id == candidates.c.input_text_id, isouter=True)
        .where(records.c.id == drawn.record_id)
    )
    row = connection.execute(query).one_or_none()
    if row is None or row.answer is None:
        return None
    task = Example(row.prompt, row.input or "") if row.prompt else _seed(connection, drawn)
    return Example(task.prompt, task.input, row.answer) if task else None
