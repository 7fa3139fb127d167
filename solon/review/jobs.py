"""Work that takes longer than a request: exports, impact measurements, judging again. One job at a time, in a thread.

The files of exports live as long as the server. Where a server ends in the middle of a measurement or a rejudging, the
next one goes on with it: what was paid for is in the journal, and what is left of its limits is kept with the job.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.errors import SolonError
from solon.review.law_jobs import LAW_KINDS, Interruption, LawWork
from solon.store.reviewing.jobs import LOST_SECONDS, JobRow, beat, set_job, take_job

if TYPE_CHECKING:
    from solon.project import Project

LOOK_SECONDS = 1.0
"""How often a job's progress is written down."""
IDLE_SECONDS = 15.0
"""How often jobs of dead servers are looked for."""


class Jobs:
    """Works through the queue of jobs until it is stopped.

    Attributes:
        works: whether this server asks models; else it makes exports only.
        lost: seconds without a heartbeat after which the server that had a job counts as dead.
    """

    def __init__(self, project: Project, *, works: bool = True, lost: float = LOST_SECONDS) -> None:
        self.works, self.lost = works, lost
        self._project = project
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._folder: Path | None = None
        self._law: LawWork | None = None

    def start(self) -> None:
        """Begin to work through the queue, as a task of the running event loop."""
        self._task = asyncio.create_task(self._work(), name="solon-jobs")

    def wake(self) -> None:
        """Make it look for a job now; called when one was queued."""
        self._wake.set()

    async def stop(self) -> None:
        """Stop: finish the export in hand and delete its files, and leave other work for the next server."""
        self._stopping = True
        if self._law is not None:
            self._law.stop()
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def file(self, job: JobRow, place: int) -> Path | None:
        """Return the path of a file of a job that is done; None where it went with an earlier server.

        Args:
            place: which of the job's files, from 0.
        """
        files = (job.result or {}).get("files", ())
        if self._folder is None or not 0 <= place < len(files):
            return None
        path = self._folder / job.id / Path(files[place]["name"]).name
        return path if path.is_file() else None

    def written(self, job: JobRow) -> int:
        """Return how many bytes a running job has written so far; 0 where it does not run here."""
        if self._folder is None or job.state != "running":
            return 0
        try:
            return sum(part.stat().st_size for part in (self._folder / job.id).iterdir())
        except FileNotFoundError:  # not begun, or a file was just put in its place
            return 0

    async def _work(self) -> None:
        writer = self._project.store.writer
        kinds = ("export", *(LAW_KINDS if self.works else ()))
        while not self._stopping:
            self._wake.clear()
            job = await writer.run(partial(take_job, kinds=kinds, lost=self.lost))
            if job is None:
                try:
                    await asyncio.wait_for(self._wake.wait(), min(IDLE_SECONDS, self.lost))
                except TimeoutError:
                    pass
                continue
            state, values = await (self._judge(job) if job.kind in LAW_KINDS else self._export(job))
            await writer.run(partial(set_job, job_id=job.id, state=state, **values))

    async def _judge(self, job: JobRow) -> tuple[str, dict[str, Any]]:
        """Do work that asks models; while it lasts, write down how far it is, which is its heartbeat too."""
        work = self._law = LawWork(self._project, job)
        running = asyncio.create_task(asyncio.to_thread(work.run))
        noted: dict[str, Any] = {}
        written = time.monotonic()
        while not running.done():
            await asyncio.wait({running}, timeout=LOOK_SECONDS)
            now = work.progress()
            if now != noted or time.monotonic() - written > self.lost / 4:
                noted, written = now, time.monotonic()
                await self._project.store.writer.run(partial(beat, job_id=job.id, progress=now))
        self._law = None
        try:
            return "done", {"result": running.result(), "progress": work.progress()}
        except Interruption:
            return "queued", {"progress": work.progress(), "tries": job.tries - 1}
        except Exception as error:  # a job that breaks is told, and the next one goes on
            return "failed", {"problem": _problem(error), "progress": work.progress()}

    async def _export(self, job: JobRow) -> tuple[str, dict[str, Any]]:
        return await asyncio.to_thread(self._write_files, job)

    def _write_files(self, job: JobRow) -> tuple[str, dict[str, Any]]:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="solon-exports-"))
        folder = self._folder / job.id
        folder.mkdir(mode=0o700)
        asked = job.asked
        try:
            export = self._project.export(
                asked["format"],
                folder / asked["name"],
                run_id=asked["run"],
                recipe=asked["recipe"],
                all_runs=asked.get("all_runs", False),
                certified_only=asked["certified_only"],
            )
        except Exception as error:  # a job that breaks is told, and the next one goes on
            return "failed", {"problem": _problem(error)}
        files = [
            {"name": Path(one.path).name, "rows": one.rows, "bytes": one.bytes, "sha256": one.sha256}
            for one in export.files
        ]
        result = {
            "files": files,
            "written": export.written,
            "left_out": export.left_out,
            "runs": export.runs,
        }
        return "done", {"result": result}


def _problem(error: Exception) -> str:
    told = error.cause if isinstance(error, SolonError) else f"{type(error).__name__}: {error}"
    return told[:300]
