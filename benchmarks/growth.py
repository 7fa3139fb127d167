"""One run that grows: what an item costs in time, memory and disk near its beginning, and near its end.

Seeds are read from a file, as users' are. The server is the fake one, without delay: what is measured is what Solon
adds, not what a model takes.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import work

SLICES = 10


def grow(rows: int, port: int) -> dict[str, Any]:
    """A run of so many items. `slices`: for each tenth of them time an item, memory and write-ahead log at its end."""
    from solon import Project

    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        seeds, store = Path(folder, "seeds.jsonl"), Path(folder, "store.db")
        with seeds.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(seed) + "\n" for seed in _seeds(rows))
        with Project(f"sqlite:///{store}", config=work.config(port)) as project, work.measured(told, rows):
            begun = time.perf_counter()
            run = project.load("preference", seeds)
            watch = _Watch(rows, store)
            told["seconds_loading"] = round(time.perf_counter() - begun, 2)
            told["mb_loaded"] = _resident_mb()
            summary = project.resume(run.id, on_progress=watch)
        assert summary.accepted == rows, str(summary)
        told["slices"] = watch.slices
        told["last_to_second"] = watch.last_to_second()
        told["store_kb_per_row"] = kilobytes(folder, "store.db", rows)
        told["checkpoints_kb_per_row"] = kilobytes(folder, "store.checkpoints.db", rows)
    return told


class _Watch:
    """Notes CPU time, wall time and memory each time another tenth of the items has ended."""

    def __init__(self, rows: int, store: Path) -> None:
        self.slices: list[dict[str, Any]] = []
        self._wal = store.with_name(f"{store.name}-wal")
        self._step = max(1, rows // SLICES)
        self._at = self._now()

    def __call__(self, progress: Any) -> None:
        ended = progress.counts.get("accepted", 0)
        if ended < self._step * (len(self.slices) + 1):
            return
        cpu, wall = self._now()
        before_cpu, before_wall = self._at
        self._at = (cpu, wall)
        self.slices.append(
            {
                "items": ended,
                "cpu_ms_per_row": round(1000 * (cpu - before_cpu) / self._step, 3),
                "rows_per_s": round(self._step / (wall - before_wall), 1),
                "mb": _resident_mb(),
                "wal_mb": round(self._wal.stat().st_size / 2**20, 1) if self._wal.exists() else 0.0,
            }
        )

    def last_to_second(self) -> float | None:
        """CPU time an item in the last slice, by that in the second: the first holds what is done once."""
        if len(self.slices) < 3:
            return None
        return round(self.slices[-1]["cpu_ms_per_row"] / self.slices[1]["cpu_ms_per_row"], 3)

    @staticmethod
    def _now() -> tuple[float, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime, time.perf_counter()


def kilobytes(folder: str, name: str, rows: int) -> float:
    """Size on disk per row, write-ahead log included."""
    found = sum(path.stat().st_size for path in Path(folder).glob(f"{name}*"))
    return round(found / rows / 1024, 2)


def _seeds(rows: int) -> Iterator[dict[str, Any]]:
    for i in range(rows):
        yield work.seed(i, rows)


def _resident_mb() -> float:
    """Memory that the process holds now; its peak tells nothing of a later slice."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # no /proc: the peak is all there is
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)
