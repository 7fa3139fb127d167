"""Why decisions are not applied to their items: what a worker, or a server that runs without one, noted last.

It stands in the store, so that `solon status` and every server can tell it, also after the process that said it ended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from solon.store.database import clock
from solon.store.database.writer import insert_rows
from solon.store.reviewing.deliveries import delivery_problems
from solon.store.tables import meta
from solon.store.tables.runs import Meta

SAID = "worker.stopped"
MOST = 3
"""So many different problems of single decisions are told."""


@dataclass(frozen=True, slots=True)
class Stoppage:
    """Why decisions wait. `at`: epoch seconds when a worker said so; None where only single decisions failed."""

    why: str
    at: float | None


def note_worker(connection: Connection, why: str) -> None:
    """Note what stops the worker, in place of the note before; an empty `why` says that nothing does."""
    connection.execute(delete(meta).where(meta.c.name == SAID))
    if why:
        value = json.dumps({"why": why, "at": round(clock.now(), 3)})
        insert_rows(connection, [(Meta, {"name": SAID, "value": value})])


def worker_said(connection: Connection) -> Stoppage | None:
    """What a worker noted last; None where it noted that nothing stops it, or nothing at all."""
    value = connection.execute(select(meta.c.value).where(meta.c.name == SAID)).scalar_one_or_none()
    return Stoppage(**json.loads(value)) if value is not None else None


def why_waiting(connection: Connection, run_id: str | None = None) -> Stoppage | None:
    """Why the decisions of a run, or of all, were not applied yet; None where nothing is known of it."""
    stoppage = worker_said(connection)
    problems = [problem for problem, _ in delivery_problems(connection, run_id)[:MOST]]
    reasons = [stoppage.why, *problems] if stoppage is not None else problems
    if not reasons:
        return None
    return Stoppage("; ".join(dict.fromkeys(reasons)), stoppage.at if stoppage is not None else None)
