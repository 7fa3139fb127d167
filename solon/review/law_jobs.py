"""Impact measurements and rejudging that leads begin on the page: the work within its limits, and how far it is."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from solon.store.reviewing.jobs import JobRow, list_jobs

if TYPE_CHECKING:
    from solon.agents.calls import Meter
    from solon.project import Project
    from solon.store.database.engine import Connection

LAW_KINDS = ("impact", "rejudge")
STOPPED = "the server stops"


class Interruption(Exception):
    """The server ended before the work did; the next one goes on with it."""


class LawWork:
    """One job in its own thread and event loop. Limits hold over all servers that had it in hand."""

    def __init__(self, project: Project, job: JobRow) -> None:
        self._project, self._job = project, job
        self._stopping = False
        before = job.progress or {}
        self._spent = {"calls": int(before.get("calls", 0)), "cost": float(before.get("cost") or 0.0)}
        self._seen: tuple[int, int] = (0, 0)
        self._meter: Meter | None = None
        self._task: asyncio.Task[Any] | None = None
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End the work. A rejudging finishes what it has begun to move; a measurement drops the calls in flight."""
        with self._lock:
            self._stopping = True
            if self._job.kind == "rejudge" and self._meter is not None:
                self._meter.stop(STOPPED)
            elif self._job.kind == "impact" and self._task is not None:
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    def progress(self) -> dict[str, Any]:
        """Return how many are judged (`done`), of how many that this server began with (`of`), and calls and cost.

        Calls and cost count all servers that had the job in hand; cost is None where a price is unknown.
        """
        done, of = self._seen
        meter = self._meter
        calls = self._spent["calls"] + (meter.calls if meter else 0)
        cost = None if meter and meter.unknown_cost else self._spent["cost"] + (meter.cost if meter else 0.0)
        return {"done": done, "of": of, "calls": calls, "cost": None if cost is None else round(cost, 6)}

    def run(self) -> dict[str, Any]:
        """Do the work to its end and return what came of it, as plain values.

        Raises:
            Interruption: the server ends before the work does. SolonError: it cannot be done, or a model fails.
        """
        try:
            return asyncio.run(self._do())
        except asyncio.CancelledError:
            raise Interruption from None

    async def _do(self) -> dict[str, Any]:
        with self._lock:
            if self._stopping:
                raise Interruption
            self._task = asyncio.current_task()
        try:
            return await (self._impact() if self._job.kind == "impact" else self._rejudge())
        finally:
            with self._lock:
                self._task = None

    async def _impact(self) -> dict[str, Any]:
        from solon.lawmaking.drafting import measure_impact

        asked = self._job.asked
        amendment = await measure_impact(
            self._project.store,
            self._project.config,
            asked["amendment"],
            by=self._job.actor,
            models=self._project.models,
            recipes=self._project.recipes,
            sample=asked["sample"],
            tell=self._tell,
            **self._limits(),
        )
        return {"verdict": amendment.verdict, "stopped": (amendment.impact or {}).get("stopped")}

    async def _rejudge(self) -> dict[str, Any]:
        from solon.lawmaking.rejudging import rejudge

        done = await rejudge(
            self._project.store,
            self._project.config,
            by=self._job.actor,
            models=self._project.models,
            recipes=self._project.recipes,
            plugins=self._project.plugins,
            tell=self._tell,
            **self._limits(),
        )
        if self._stopping and done.left:
            raise Interruption
        result = done.to_json()
        del result["changes"]
        return result

    def _limits(self) -> dict[str, Any]:
        """What is left of what was asked for."""
        calls, cost = self._job.asked["max_calls"], self._job.asked["max_cost"]
        return {
            "max_calls": None if calls is None else max(0, calls - self._spent["calls"]),
            "max_cost": None if cost is None else max(0.0, cost - self._spent["cost"]),
        }

    def _tell(self, done: int, of: int, meter: Meter) -> None:
        with self._lock:
            self._seen, self._meter = (done, of), meter
            if self._stopping:
                meter.stop(STOPPED)


def last_job(connection: Connection, kind: str, amendment_id: str | None = None) -> JobRow | None:
    """Return the newest job of a kind, for one amendment where that is named; None where there is none."""
    for job in list_jobs(connection, kind):
        if amendment_id is None or job.asked.get("amendment") == amendment_id:
            return job
    return None


def show_job(job: JobRow) -> dict[str, Any]:
    """Return a job as plain values, for a page or an answer of the API."""
    names = ("id", "kind", "state", "problem", "created_at", "finished_at", "result", "progress")
    limits = {name: job.asked.get(name) for name in ("sample", "max_calls", "max_cost")}
    return {**{name: getattr(job, name) for name in names}, "limits": limits, "open": job.open}
