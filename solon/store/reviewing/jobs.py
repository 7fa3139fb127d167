"""Jobs: work that was asked for over the API and takes longer than a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from solon.store.database import clock
from solon.store.database.claims import has_run_out
from solon.store.database.ids import new_id
from solon.store.database.writer import insert_rows
from solon.store.reviewing.review_rows import NotThere
from solon.store.tables import jobs
from solon.store.tables.disputes import Job

GIVE_UP_SECONDS = 6 * 3600.0
LOST_SECONDS = 60.0
"""A server that has not said for so long that it works on a job is dead."""
RESUMED = ("impact", "rejudge")
"""Kinds that a later server goes on with: what was paid for is in the journal."""
MOST_TRIES = 5
"""A job that so many servers died of is given up."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it is stored.

    Attributes:
        id: its id.
        kind: what is to be done, such as `export`, `impact` or `rejudge`.
        state: queued, running, done or failed.
        actor: who asked for it.
        asked: what was asked for, in the terms of its kind.
        result: what came of it; None before it is done.
        problem: why it failed; None where it did not.
        created_at: when it was asked for, in epoch seconds.
        finished_at: when it ended, in epoch seconds; None before.
        progress: how far it is, and what it has spent; None where nothing was said yet.
        heartbeat_at: when its server last said that it works on it, in epoch seconds; None where none did.
        tries: how many servers began it.
    """

    id: str
    kind: str
    state: str
    actor: str
    asked: dict[str, Any]
    result: dict[str, Any] | None
    problem: str | None
    created_at: float
    finished_at: float | None
    progress: dict[str, Any] | None
    heartbeat_at: float | None
    tries: int

    @property
    def open(self) -> bool:
        """Is it still to be done, or being done?"""
        return self.state in ("queued", "running")


def add_job(connection: Connection, kind: str, actor: str, asked: dict[str, Any]) -> str:
    """Queue a job; returns its id."""
    job_id = new_id()
    row = {"id": job_id, "kind": kind, "state": "queued", "actor": actor, "asked": asked}
    insert_rows(connection, [(Job, {**row, "created_at": clock.now()})])
    return job_id


def find_job(connection: Connection, job_id: str) -> JobRow:
    """A job by its id.

    Raises:
        NotThere: there is none.
    """
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().first()
    if row is None:
        raise NotThere("there is no such job", next_step="see the list of jobs")
    return JobRow(**row)


def list_jobs(connection: Connection, kind: str, limit: int = 100) -> list[JobRow]:
    """Jobs of a kind, the newest first."""
    query = select(jobs).where(jobs.c.kind == kind).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
    return [JobRow(**row) for row in connection.execute(query).mappings()]


def set_job(connection: Connection, job_id: str, state: str, **values: Any) -> None:
    """Set the state of a job, and further columns of it; `done` and `failed` note the time, too."""
    if state in ("done", "failed"):
        values["finished_at"] = clock.now()
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(state=state, **values))


def beat(connection: Connection, job_id: str, progress: dict[str, Any] | None) -> None:
    """Say that a job is being worked on, and how far it is."""
    values: dict[str, Any] = {"heartbeat_at": clock.now(), "progress": progress}
    connection.execute(update(jobs).where(jobs.c.id == job_id, jobs.c.state == "running").values(**values))


def take_job(connection: Connection, kinds: Sequence[str], *, lost: float = LOST_SECONDS) -> JobRow | None:
    """Take the oldest queued job of these kinds; None where there is none.

    What a dead server had in hand is queued again, or given up where no other server can go on with it.

    Args:
        lost: seconds without a heartbeat after which a server counts as dead.
    """
    now = clock.now()
    dead = has_run_out(func.coalesce(jobs.c.heartbeat_at, jobs.c.created_at) + lost, lost)
    again = (jobs.c.state == "running") & jobs.c.kind.in_(RESUMED) & dead
    connection.execute(update(jobs).where(again, jobs.c.tries < MOST_TRIES).values(state="queued"))
    old = (jobs.c.state == "running") & (jobs.c.created_at < now - GIVE_UP_SECONDS)
    gone = {"state": "failed", "problem": "the server ended", "finished_at": now}
    tired = or_(again, old & jobs.c.kind.not_in(RESUMED))
    connection.execute(update(jobs).where(tired).values(**gone))
    query = (
        select(jobs)
        .where(jobs.c.state == "queued", jobs.c.kind.in_(kinds))
        .order_by(jobs.c.created_at, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    set_job(connection, row["id"], "running", heartbeat_at=now, tries=row["tries"] + 1)
    return find_job(connection, row["id"])
