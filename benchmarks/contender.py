"""One contender in a process of its own, pinned to one core; prints one JSON object."""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=sorted(CONTENDERS))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--core", type=int, default=None)
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    work.tell({"what": given.what, **CONTENDERS[given.what](given.rows, given.port)})


def raw(rows: int, port: int) -> dict[str, Any]:
    """Bare aiohttp."""
    from benchmarks.raw import prompts, run

    told: dict[str, Any] = {}
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    made = prompts()
    asyncio.run(run(work.seeds(10), url, made))
    with work.measured(told, rows):
        found = asyncio.run(run(work.seeds(rows), url, made))
    assert len(found) == rows, f"{len(found)} of {rows} rows"
    return told


def solon(rows: int, port: int) -> dict[str, Any]:
    """The preference recipe into a fresh SQLite store with all that Solon keeps: journal, lineage, checkpoints."""
    from solon import Project

    told: dict[str, Any] = {}
    config = work.config(port)
    with tempfile.TemporaryDirectory() as folder:
        with Project(f"sqlite:///{folder}/warm.db", config=config) as project:
            project.run("preference", work.seeds(10))
        with Project(f"sqlite:///{folder}/store.db", config=config) as project, work.measured(told, rows):
            summary = project.run("preference", work.seeds(rows))
        assert summary.accepted == rows, str(summary)
        assert summary.model_calls == work.CALLS * rows, str(summary)
        assert (asked := _requests(f"{folder}/store.db")) == work.CALLS * rows, (
            f"{asked} requests, repairs included"
        )
        told["store_kb_per_row"] = _kilobytes(folder, "store.db", rows)
        told["checkpoints_kb_per_row"] = _kilobytes(folder, "store.checkpoints.db", rows)
    return told


def resumes(rows: int, port: int) -> dict[str, Any]:
    """Pause every item at a review, decide all, and resume them: each with its decision, outbox row and record."""
    from solon import Project

    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        with Project(f"sqlite:///{folder}/store.db", config=work.config(port, policy="always")) as project:
            project.run("preference", work.seeds(rows))
            for review in project.reviews(limit=rows):
                project.decide(review, "prefer", review.candidates[0])
            with work.measured(told, rows):
                summary = project.resume()
        assert summary.accepted == rows, str(summary)
    return told


def flood(rows: int, port: int) -> dict[str, Any]:
    """Requests as fast as the server takes them, over 16 connections; rows are requests here."""
    body = b'{"model":"fake","messages":[{"role":"user","content":"' + b"x" * 1500 + b'"}]}'
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def connection(n: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(n):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.rsplit(b"Content-Length: ", 1)[1]))
        writer.close()

    async def all_at_once() -> None:
        await asyncio.gather(*(connection(rows // 16) for _ in range(16)))

    told: dict[str, Any] = {}
    with work.measured(told, rows // 16 * 16):
        asyncio.run(all_at_once())
    return told


def saver(which: str) -> Callable[[int, int], dict[str, Any]]:
    """A checkpointer with a small graph; no server takes part."""

    def run(rows: int, _port: int) -> dict[str, Any]:
        from benchmarks.savers import measure

        asyncio.run(measure(which, 20))
        return asyncio.run(measure(which, rows))

    return run


def _requests(file: str) -> int:
    """Requests that were sent for the journal's calls, repairs and retries included."""
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("SELECT sum(attempts) FROM calls").fetchone()[0])


def _kilobytes(folder: str, name: str, rows: int) -> float:
    """Size on disk per row, write-ahead log included."""
    found = sum(path.stat().st_size for path in Path(folder).glob(f"{name}*"))
    return round(found / rows / 1024, 2)


CONTENDERS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "raw": raw,
    "solon": solon,
    "resumes": resumes,
    "flood": flood,
    "stock_saver": saver("stock_saver"),
    "solon_saver": saver("solon_saver"),
}

if __name__ == "__main__":
    main()
