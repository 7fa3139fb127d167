"""The work that every contender does: so many seeds, six calls each, one preference row; 64 items and calls at once
(`SOLON_BENCH_IN_FLIGHT`: another number).

Two drafts, two critiques, two judge calls (one seat, both orders, the letter's log probability in one token).
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

IN_FLIGHT = int(os.environ.get("SOLON_BENCH_IN_FLIGHT", "64"))
CALLS = 6


def seeds(n: int) -> list[dict[str, Any]]:
    """`n` requests, all different."""
    return [seed(i, n) for i in range(n)]


def seed(i: int, n: int) -> dict[str, Any]:
    """The i-th of `n` requests."""
    degrees = f"{90 + i / n:.7f}"
    return {
        "id": f"s{i}",
        "prompt": f"Explain in a few sentences why water boils at {degrees} degrees up here.",
    }


def config(port: int, *, policy: str = "threshold") -> dict[str, Any]:
    """Solon's configuration for the work."""
    return {
        "models": {
            "default": {
                "model": "openai:fake",
                "base_url": f"http://127.0.0.1:{port}/v1",
                "concurrency": IN_FLIGHT,
            }
        },
        "judges": [{}],
        "routing": {"policy": policy},
        "run": {"concurrency": IN_FLIGHT},
    }


@contextmanager
def measured(told: dict[str, Any], rows: int) -> Iterator[None]:
    """Add wall and CPU time of the block, per row, and the peak memory of the process."""
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    yield
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told |= {
        "rows": rows,
        "seconds": round(wall, 4),
        "rows_per_s": round(rows / wall, 1),
        "cpu_ms_per_row": round(1000 * cpu / rows, 3),
        "peak_mb": round(after.ru_maxrss / 1024, 1),
    }


def tell(told: dict[str, Any]) -> None:
    """One JSON object on one line: what the parent process reads."""
    print(json.dumps(told), flush=True)
