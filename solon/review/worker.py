"""The worker inside the server: it carries decisions to their graphs, learns from them, and moves the items that this
concerns.

It starts no item that was never started: that is what `solon run` and `solon resume` are for.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from solon.agents.calls import Meter
from solon.config.pinned import config_of_run
from solon.errors import ClaimLost, LimitReached, OtherRecipe, SolonError
from solon.graphs.courier import Courier
from solon.learning import usable_decisions
from solon.store.database import clock
from solon.store.reviewing.worker_problems import note_worker, worker_said
from solon.store.runs import runs as run_store
from solon.store.runs.requeued import is_settled, runs_with_work

if TYPE_CHECKING:
    from solon.config.sections import LimitsConfig
    from solon.project import Project
    from solon.review.live import Live
    from solon.store.database.engine import Connection
    from solon.store.runs.run_row import RunRow

LOOK_FOR_BEGUN = 30.0
"""Seconds between two looks for items that another process left on their way, and for runs that could learn."""

LEARNS = ("waiting", "done", "stopped")
"""Statuses of runs that the worker learns for; a run that a process works on learns when it comes to rest."""


class Worker:
    """Applies decisions and learns from them, in the server's own event loop, until it is stopped.

    Args:
        project: the project; models are asked with its configuration.
        live: is told what stops the worker.
        poll_seconds: seconds between two looks at the store when nobody wakes it.
    """

    def __init__(self, project: Project, live: Live, poll_seconds: float) -> None:
        self._project, self._live, self._poll = project, live, poll_seconds
        self._wake = asyncio.Event()
        self._begun = True
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._runner: Courier | None = None
        self._failures = 0
        self.lost: ClaimLost | None = None
        """Set where another worker took over what this one had in hand: a process of its own ends then."""
        self._learned: dict[str, tuple[int, int]] = {}
        self._learning: asyncio.Task[str] | None = None
        self._left_out = ""

    def start(self) -> None:
        """Begin to work, as a task of the running event loop."""
        self._task = asyncio.create_task(self._work(), name="solon-review-worker")

    def wake(self, *, begun: bool = False) -> None:
        """Make the worker look for work now, instead of at its next look.

        Args:
            begun: look for items on their way too: one has to be brought back to its review.
        """
        self._begun = self._begun or begun
        self._wake.set()

    async def stop(self) -> None:
        """Finish what is in flight, then end."""
        self._stopping = True
        if self._runner is not None:
            self._runner.stop("the server stops")
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._learning is not None:
            await asyncio.gather(self._learning, return_exceptions=True)
        if not self._live.worker_says:
            await self._say("the last worker was stopped")

    async def _work(self) -> None:
        looked = 0.0
        while not self._stopping:
            if time.monotonic() - looked > LOOK_FOR_BEGUN:
                self._begun, looked = True, time.monotonic()
            try:
                await self._once()
                self._failures = 0
            except Exception as error:  # the loop must outlive one broken run; what failed stays queued
                self._failures += 1
                self.lost = error if isinstance(error, ClaimLost) else self.lost
                await self._say(self._spell(error))
            pause = min(60.0, self._poll * 2**self._failures)
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                pass
            self._wake.clear()

    async def _once(self) -> None:
        begun, self._begun = self._begun, False
        with self._project.store.connect() as connection:
            run_ids = runs_with_work(connection, begun=begun)
            said = worker_said(connection)
        left = ""
        for run_id in run_ids:
            if self._stopping:
                return
            try:
                await self._deliver(run_id)
            except OtherRecipe as error:  # other runs go on
                left = f"run {run_id}: {error.cause}"
        left = self._learn_beside(begun) or left
        if left:
            await self._say(left)
        elif (run_ids or begun) and (said is not None or self._live.worker_says):
            await self._say("")

    def _spell(self, error: Exception) -> str:
        """What stopped the worker, in words; without those of a foreign error where they may repeat a seed's."""
        if isinstance(error, SolonError):
            return error.cause[:300]
        kind = type(error).__name__
        return kind if self._project.config.privacy.guarded else f"{kind}: {error}"[:300]

    async def _say(self, why: str) -> None:
        """Tell what stops the worker: here, and in the store for `solon status` and other servers; empty: nothing."""
        self._live.worker_says = why
        with suppress(SolonError):  # the store itself may be what is away
            await self._project.store.writer.run(lambda connection: note_worker(connection, why))

    def _learn_beside(self, begun: bool) -> str:
        """Begin to learn, where nothing learns just now: decisions are delivered meanwhile. Says what was left out the
        last time."""
        if self._learning is not None and self._learning.done():
            ended, self._learning = self._learning, None
            self._left_out = ended.result()
        if begun and self._learning is None:
            self._learning = asyncio.create_task(self._learn(), name="solon-review-learning")
            self._learning.add_done_callback(lambda _: self._wake.set())
        return self._left_out

    async def _learn(self) -> str:
        """Learn where decisions have become old enough, or a session has ended, under the rule of `solon resume`. Says
        which run was left out, since its recipe is not here; empty where none was."""
        left = ""
        store = self._project.store
        with store.connect() as connection:
            open_runs = [run.id for run in run_store.all_runs(connection) if run.status in LEARNS]
        for run_id in open_runs:
            if self._stopping:
                return left
            usable = await asyncio.to_thread(usable_decisions, store, run_id)
            if usable == self._learned.get(run_id, (0, 0)):
                continue
            try:
                learned = await asyncio.to_thread(self._project.learn, run_id, everything=False)
                self._learned[run_id] = usable
                if learned.moved_items:
                    self.wake(begun=True)
            except OtherRecipe as error:
                left = f"run {run_id}: {error.cause}"
        return left

    async def _deliver(self, run_id: str) -> None:
        store = self._project.store
        with store.connect() as connection:
            run = run_store.find_run(connection, run_id)
            stored = run_store.config_payload(connection, run.config_id)
            config = config_of_run(stored, self._project.config, run_id)
            meter = _make_meter(connection, run, config.limits)
        recipe = self._project.recipes.of_run(run.recipe, config.plugins, run.id, config)
        pool = self._project.model_pool(config)
        self._runner = Courier(store, run, config, pool, meter, recipe=recipe)
        try:
            self._runner.learned = await asyncio.to_thread(self._project.close_round, run, config)
            await self._runner.work()
        except LimitReached:
            if not self._stopping:
                raise
        finally:
            self._runner = None
            await pool.aclose()
        await self._settle(run_id)

    async def _settle(self, run_id: str) -> None:
        """Note a run as done where its last review was answered."""
        with self._project.store.connect() as connection:
            settled = is_settled(connection, run_id)
        if settled:
            await self._project.store.writer.run(
                lambda c: run_store.set_run(c, run_id, status="done", finished_at=clock.now())
            )


def _make_meter(connection: Connection, run: RunRow, limits: LimitsConfig) -> Meter:
    """A meter with what the run has spent; where no limit asks for that, its journal is not read."""
    if not limits.any:
        return Meter.of(limits.model_copy(update={"time": ""}))
    return Meter.make(limits, run_store.spent(connection, run.id), run.active_seconds)
