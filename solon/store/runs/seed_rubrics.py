"""The rubrics of seeds that items were judged by in place of the rubric in force. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection, select

from solon.law.seed_rubrics import SeedRubric, seed_rubric_of
from solon.store.tables import configs, items, runs, seeds, texts

CHUNK = 500


def seed_rubrics_on(connection: Connection, item_ids: Iterable[str]) -> dict[str, SeedRubric]:
    """item -> the rubric of its own; without items whose run goes by none, whose seed brought none, or was forgotten.

    It is of the seed's request: a candidate with a request of its own was judged by the rubric in force.
    """
    ids = sorted(set(item_ids))
    found = {}
    for start in range(0, len(ids), CHUNK):
        part = items.c.id.in_(ids[start : start + CHUNK])
        of_run = select(runs.c.id, configs.c.payload).join(configs, configs.c.id == runs.c.config_id)
        ran = select(items.c.run_id).where(part)
        given = [
            row.id
            for row in connection.execute(of_run.where(runs.c.id.in_(ran)))
            if (row.payload.get("law") or {}).get("seed_rubrics") == "given"
        ]
        if not given:
            continue
        query = (
            select(items.c.id, texts.c.body)
            .join(seeds, seeds.c.id == items.c.seed_id)
            .join(texts, texts.c.id == seeds.c.text_id)
            .where(part, items.c.run_id.in_(given), texts.c.body.is_not(None))
        )
        for row in connection.execute(query):
            rubric = seed_rubric_of(json.loads(row.body).get("metadata"))
            if rubric is not None:
                found[row.id] = rubric
    return found
