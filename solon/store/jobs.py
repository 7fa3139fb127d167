"""Jobs: work that was asked for over the API and takes longer than a request."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from solon.store.ids import new_id
from solon.store.review_rows import NotThere
from solon.store.tables import Job
from solon.store.writer import insert_rows

jobs = Job.__table__  # type: ignore[attr-defined]

GIVE_UP_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job. States: queued, running, done, failed."""

    id: str
    kind: str
    state: str
    actor: str
    asked: dict[str, Any]
    result: dict[str, Any] | None
    problem: str | None
    created_at: float
    finished_at: float | None


def add_job(connection: Connection, kind: str, actor: str, asked: dict[str, Any]) -> str:
    """Queue a job; returns its id."""
    job_id = new_id()
    row = {"id": job_id, "kind": kind, "state": "queued", "actor": actor, "asked": asked}
    insert_rows(connection, [(Job, {**row, "created_at": time.time()})])
    return job_id


def find_job(connection: Connection, job_id: str) -> JobRow:
    """A job by its id."""
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().first()
    if row is None:
        raise NotThere("there is no such job", next_step="see the list of jobs")
    return JobRow(**row)


def list_jobs(connection: Connection, kind: str, limit: int = 100) -> list[JobRow]:
    """Jobs of a kind, the newest first."""
    query = select(jobs).where(jobs.c.kind == kind).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
    return [JobRow(**row) for row in connection.execute(query).mappings()]


def set_job(connection: Connection, job_id: str, state: str, **values: Any) -> None:
    """Move a job on; an end has its time."""
    if state in ("done", "failed"):
        values["finished_at"] = time.time()
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(state=state, **values))


def take_job(connection: Connection) -> JobRow | None:
    """Take the oldest job that is queued. What a dead server had in hand is given up after a while."""
    lost = (jobs.c.state == "running") & (jobs.c.created_at < time.time() - GIVE_UP_SECONDS)
    gone = {"state": "failed", "problem": "the server ended", "finished_at": time.time()}
    connection.execute(update(jobs).where(lost).values(**gone))
    query = (
        select(jobs)
        .where(jobs.c.state == "queued")
        .order_by(jobs.c.created_at, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    set_job(connection, row["id"], "running")
    return JobRow(**row)
