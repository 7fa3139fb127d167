"""Exports as jobs: one at a time, in a thread, into a folder that lives as long as the server."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.errors import SolonError
from solon.store.jobs import JobRow, set_job, take_job

if TYPE_CHECKING:
    from solon.project import Project


class Jobs:
    """Works through the queue of jobs until it is stopped."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._folder: Path | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work(), name="solon-jobs")

    def wake(self) -> None:
        self._wake.set()

    async def stop(self) -> None:
        """Finish the job in hand; its files go with the server."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def file(self, job: JobRow, place: int) -> Path | None:
        """A file of a job that is done; None where it went with an earlier server."""
        files = (job.result or {}).get("files", ())
        if self._folder is None or not 0 <= place < len(files):
            return None
        path = self._folder / job.id / Path(files[place]["name"]).name
        return path if path.is_file() else None

    def written(self, job: JobRow) -> int:
        """Bytes that a running job has written so far."""
        if self._folder is None or job.state != "running":
            return 0
        try:
            return sum(part.stat().st_size for part in (self._folder / job.id).iterdir())
        except FileNotFoundError:  # not begun, or a file was just put in its place
            return 0

    async def _work(self) -> None:
        while not self._stopping:
            self._wake.clear()
            job = await self._project.store.writer.run(take_job)
            if job is None:
                await self._wake.wait()
                continue
            state, values = await asyncio.to_thread(self._export, job)
            job_id = job.id
            await self._project.store.writer.run(lambda c, j=job_id, s=state, v=values: set_job(c, j, s, **v))  # type: ignore[misc]

    def _export(self, job: JobRow) -> tuple[str, dict[str, Any]]:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="solon-exports-"))
        folder = self._folder / job.id
        folder.mkdir(mode=0o700)
        asked = job.asked
        try:
            made = self._project.export(
                asked["format"],
                folder / asked["name"],
                run_id=asked["run"],
                recipe=asked["recipe"],
                certified_only=asked["certified_only"],
            )
        except SolonError as error:
            return "failed", {"problem": error.cause[:300]}
        except Exception as error:  # a job that breaks is told, and the next one goes on
            return "failed", {"problem": f"{type(error).__name__}: {error}"[:300]}
        files = [
            {"name": Path(one.path).name, "rows": one.rows, "bytes": one.bytes, "sha256": one.sha256}
            for one in made.files
        ]
        return "done", {"result": {"files": files, "written": made.written, "left_out": dict(made.left_out)}}
