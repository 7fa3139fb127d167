"""Making golden questions of questions that people have answered surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from solon.questions import question_of
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.database.writer import Row, insert_rows
from solon.store.learning.sure import Sure
from solon.store.reviewing.known_import import known_run
from solon.store.runs.run_row import RunRow
from solon.store.runs.runs import PREVIEW, Pins
from solon.store.tables import candidates, items
from solon.store.tables.disputes import Known
from solon.store.tables.runs import Item
from solon.store.tables.work import Candidate

FRESH = ("row_key", "route", "reason", "carried", "examples", "finished_at", "claimed_by", "claimed_until")
"""Columns of an item that say how its work went: a known question has none."""


def add_picked(store: Store, pins: Mapping[str, Pins], chosen: Sequence[Sure], by: str) -> None:
    """Make golden questions; each has an item of its own, with the texts of the question that it was picked from.

    Args:
        pins: of each recipe.
    """
    with store.transaction() as connection:
        for recipe in dict.fromkeys(one.asked.recipe for one in chosen):
            run = known_run(connection, recipe, pins[recipe], by)
            picked = [one for one in chosen if one.asked.recipe == recipe]
            for one in picked:
                insert_rows(connection, _rows(connection, run, one))
            detail = {"purpose": "golden", "n": len(picked)}
            append(store, connection, by, "known.picked", run.id, detail)


def _rows(connection: Connection, run: RunRow, sure: Sure) -> list[tuple[type, Row]]:
    asked, now = sure.asked, clock.now()
    item_id = hash_id("picked", asked.content_hash)
    found = connection.execute(select(items).where(items.c.id == asked.item_id)).mappings().one()
    item: dict[str, Any] = {
        **found,
        **dict.fromkeys(FRESH),
        "id": item_id,
        "run_id": run.id,
        "state": PREVIEW,  # counted nowhere, and claimed by no run
        "attempt": 0,
        "pilot": False,
        "starts": 0,
        "created_at": now,
    }
    shown = connection.execute(select(candidates).where(candidates.c.id.in_(asked.shown))).mappings()
    by_id = {row["id"]: row for row in shown}
    ids = {name: hash_id("known", item_id, place) for place, name in enumerate(asked.shown)}
    copies: list[tuple[type, Row]] = [
        (
            Candidate,
            {
                **by_id[name],
                "id": ids[name],
                "item_id": item_id,
                "attempt": 0,
                "round": 0,
                "ordinal": place,
                "kind": "given",
                "parent_id": None,
                "call_id": None,
                "author": "",
                "created_at": now,
            },
        )
        for place, name in enumerate(asked.shown)
    ]
    answer = question_of(asked.schema).answer(sure.outcome, [ids[name] for name in asked.shown])
    known = {
        "id": hash_id("known", "golden", item_id),
        "item_id": item_id,
        "purpose": "golden",
        "content_hash": asked.content_hash,
        "response_schema": asked.schema,
        "candidates": list(ids.values()),
        "choice": answer["choice"],
        # as of an imported question: a single text is the whole question, and names no side
        "candidate_id": answer.get("candidate") if answer["choice"] == "prefer" else None,
        "reason_id": None,
        "created_at": now,
    }
    return [(Item, item), *copies, (Known, known)]
