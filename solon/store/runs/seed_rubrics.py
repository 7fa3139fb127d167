"""The rubrics of seeds that items were judged by in place of the rubric in force. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection, select

from solon.law.seed_rubrics import SeedRubric, rubric_of_answer, seed_rubric_of
from solon.responses import RUBRIC
from solon.store.tables import configs, decisions, items, runs, seeds, texts

CHUNK = 500


def seed_rubrics_on(connection: Connection, item_ids: Iterable[str]) -> dict[str, SeedRubric]:
    """item -> the rubric of its own, which its seed brought or a person confirmed for it; without items whose run goes
    by none, that have none, or whose seed was forgotten.

    It is of the seed's request: a candidate with a request of its own was judged by the rubric in force.
    """
    ids = sorted(set(item_ids))
    found: dict[str, SeedRubric] = {}
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        part = items.c.id.in_(some)
        of_run = select(runs.c.id, configs.c.payload).join(configs, configs.c.id == runs.c.config_id)
        ran = select(items.c.run_id).where(part)
        wanted = {
            row.id: (row.payload.get("law") or {}).get("seed_rubrics", "off")
            for row in connection.execute(of_run.where(runs.c.id.in_(ran)))
        }
        going_by = [run_id for run_id, how in wanted.items() if how != "off"]
        if not going_by:
            continue
        if "drafted" in wanted.values():
            found |= confirmed_rubrics(connection, some)
        query = (
            select(items.c.id, texts.c.body)
            .join(seeds, seeds.c.id == items.c.seed_id)
            .join(texts, texts.c.id == seeds.c.text_id)
            .where(part, items.c.run_id.in_(going_by), texts.c.body.is_not(None))
        )
        for row in connection.execute(query):
            rubric = seed_rubric_of(json.loads(row.body).get("metadata"))
            if rubric is not None:
                found[row.id] = rubric
    return found


def confirmed_rubrics(connection: Connection, item_ids: Iterable[str]) -> dict[str, SeedRubric]:
    """item -> the rubric that a person confirmed for it, the newest where several stand; without items that have
    none."""
    query = (
        select(decisions.c.item_id, texts.c.body)
        .join(texts, texts.c.id == decisions.c.edit_id)
        .where(
            decisions.c.item_id.in_(list(item_ids)),
            decisions.c.response_schema == RUBRIC,
            decisions.c.undone_at.is_(None),
        )
        .order_by(decisions.c.decided_at, decisions.c.id)
    )
    read = {row.item_id: rubric_of_answer(row.body) for row in connection.execute(query)}
    return {item_id: rubric for item_id, rubric in read.items() if rubric is not None}
