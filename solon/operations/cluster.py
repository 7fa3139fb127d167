"""One run on many machines: Ray actors that claim items from the shared store until none is queued.

The store hands the items out (claims with `FOR UPDATE SKIP LOCKED`), so Ray moves no data. A worker that dies costs
the calls in flight: its items begin a new attempt, which shuts it out should it only have been cut off, and which the
journal replays. Imports Ray only when a cluster is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from solon.errors import ClaimLost, ConfigError, LimitReached, ModelUnavailable, SolonError, UsageError
from solon.observers import watched
from solon.store.database.engine import sqlite_path
from solon.store.runs.items import count_states, fence, owner
from solon.store.runs.run_row import RunRow
from solon.store.runs.runs import find_run
from solon.workspace.workspace import Workspace

if TYPE_CHECKING:
    from solon.workspace.views import RunSummary

LOST = 5
"""Workers that may die in a row without an item finished between."""

OnCounts = Callable[[Mapping[str, int]], None]


class Worker:
    """Lives in a Ray actor and keeps its store open."""

    def __init__(self, url: str, config: Mapping[str, Any], run_id: str) -> None:
        self._project = Workspace(url, config=dict(config), create=False)
        with self._project.store.connect() as connection:
            self._run = find_run(connection, run_id)

    def name(self) -> str:
        """Under what name it claims items."""
        return owner()

    async def work(self) -> dict[str, Any]:
        """Work until no item is queued. What stopped it, if anything, is told and not raised."""
        runner = self._project.make_runner(self._run)
        try:
            await runner.work()
        except LimitReached as limit:
            return {"stopped": limit.cause}
        except ClaimLost as lost:
            return {"lost": lost.item_id}
        except SolonError as error:
            return {"broken": error.cause, "next_step": error.next_step}
        finally:
            await runner.pool.aclose()
        return {}


@dataclass(slots=True)
class _Crew:
    """The workers of a run, and what each is busy with.

    Attributes:
        busy: task -> the worker that does it.
        names: worker -> under what name it claims items.
        lost: workers that died in a row.
        left: items that had not ended when the last one died.
        stopped: what stopped a worker; empty without.
    """

    ray: Any
    start: Callable[[], Any]
    busy: dict[Any, Any] = field(default_factory=dict)
    names: dict[Any, str] = field(default_factory=dict)
    lost: int = 0
    left: int = 0
    stopped: str = ""

    def hire(self) -> None:
        worker = self.start()
        self.busy[worker.name.remote()] = worker

    def finished(self, seconds: float) -> Any | None:
        """A task that has ended, or None after so many seconds."""
        done, _ = self.ray.wait(list(self.busy), num_returns=1, timeout=seconds)
        return done[0] if done else None


def run_on_ray(
    project: Workspace,
    run: RunRow,
    *,
    address: str | None = None,
    workers: int = 0,
    on_counts: OnCounts | None = None,
) -> RunSummary:
    """Work on a run with Ray and return its summary; `Project.resume` on this machine then applies what was learned.

    Args:
        address: of a Ray cluster; None starts one on this machine. A real cluster wants a PostgreSQL store.
        workers: actors, each on a CPU of its own; 0, or more than there are: one for each CPU that the cluster has.

    Raises:
        ConfigError: Ray is not installed. UsageError: a SQLite store and another machine.
        ModelUnavailable: the workers' models do not answer, or workers keep dying.
    """
    if address is not None and sqlite_path(project.store.url) is not None:
        raise UsageError(
            "the machines of a cluster cannot share a SQLite file",
            next_step="move the store: solon migrate --to postgresql://...",
        )
    ray, ours = _connect(address)
    actor = ray.remote(max_restarts=0, max_concurrency=2, num_cpus=1)(Worker)
    # Whole, with headers: it goes to workers, not to a store.
    given = project.config.model_dump(mode="json", by_alias=True)
    crew = _Crew(ray, lambda: actor.remote(project.store.url, given, run.id))
    try:
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        for _ in range(min(workers or cores, cores)):
            crew.hire()
        _drive(project, run, crew, watched("on_counts", on_counts))
    finally:
        for worker in crew.busy.values():  # of a run that broke off: they would work on to its end
            ray.kill(worker)
        if ours:
            ray.shutdown()
    return project.resume(run.id)


def _drive(project: Workspace, run: RunRow, crew: _Crew, on_counts: OnCounts | None) -> None:
    while crew.busy:
        task = crew.finished(1.0)
        counts = _count(project, run)
        if on_counts is not None:
            on_counts(counts)
        if task is None:
            continue
        worker = crew.busy.pop(task)
        if not _take_in(project, run, crew, task, worker):
            if not crew.busy:  # else the others do its work: its core may be gone, and an actor waits for one
                crew.hire()
        elif not crew.stopped and _count(project, run)["queued"]:
            crew.busy[worker.work.remote()] = worker


def _take_in(project: Workspace, run: RunRow, crew: _Crew, task: Any, worker: Any) -> bool:
    """What a task brought; False where its worker is dead.

    Raises:
        ModelUnavailable: a worker says that nothing works, or too many have died.
        ClaimLost: another process took over what a worker had in hand.
    """
    from ray.exceptions import RayActorError, RayTaskError

    try:
        told = crew.ray.get(task)
    except RayTaskError as error:
        raise ModelUnavailable(
            f"a worker cannot start: {str(error.cause)[:300]}",
            next_step="every machine needs the same Solon, the store and the models' keys; then `solon resume`",
        ) from None
    except RayActorError as error:
        counts = _count(project, run)
        left = counts["queued"] + counts["running"]
        crew.lost, crew.left = (crew.lost + 1 if left == crew.left else 1), left
        if crew.lost >= LOST:
            raise ModelUnavailable(
                f"{crew.lost} workers died one after the other: {str(error)[:200]}",
                next_step="look at the logs of Ray; what is done is stored, and `solon resume` goes on",
            ) from None
        name = crew.names.pop(worker, None)
        if name is not None:
            with project.store.transaction() as connection:
                fence(connection, run.id, name)
        return False
    if isinstance(told, str):
        crew.names[worker] = told
        return True
    if "lost" in told:
        raise ClaimLost(told["lost"])
    if "broken" in told:
        raise ModelUnavailable(told["broken"], next_step=told["next_step"])
    crew.stopped = crew.stopped or told.get("stopped", "")
    return True


def _count(project: Workspace, run: RunRow) -> dict[str, int]:
    with project.store.connect() as connection:
        return count_states(connection, run.id)


def _connect(address: str | None) -> tuple[Any, bool]:
    """Ray, and whether it was this that connected: a caller's own connection stays."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            f"--engine ray needs Ray, which cannot be imported: {error}", next_step="pip install 'solon[ray]'"
        ) from None
    ours = not ray.is_initialized()
    if ours:
        own: dict[str, Any] = {"include_dashboard": False} if address is None else {}
        ray.init(address=address, log_to_driver=False, **own)
    return ray, ours
