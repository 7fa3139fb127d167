"""One contender in a process of its own, pinned to one core; prints one JSON object."""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from typing import Any

from benchmarks import growth, work
from benchmarks.growth import kilobytes
from benchmarks.postgres import private_server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=sorted({*CONTENDERS, *RESUMES}))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument(
        "--waiting", type=int, default=0, help="of resumes: items that wait, `--rows` at least"
    )
    parser.add_argument("--core", type=int, default=None)
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    if given.what in RESUMES:
        told = RESUMES[given.what](given.rows, max(given.rows, given.waiting), given.port)
    else:
        told = CONTENDERS[given.what](given.rows, given.port)
    work.tell({"what": given.what, **told})


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
        told["store_kb_per_row"] = kilobytes(folder, "store.db", rows)
        told["checkpoints_kb_per_row"] = kilobytes(folder, "store.checkpoints.db", rows)
    return told


def resumes(rows: int, waiting: int, port: int) -> dict[str, Any]:
    """Pause items at a review, decide some, and resume those: each with its decision, outbox row and record."""
    with tempfile.TemporaryDirectory() as folder:
        return _resume(f"sqlite:///{folder}/store.db", rows, waiting, port)


def postgres_resumes(rows: int, waiting: int, port: int) -> dict[str, Any]:
    """The same over a PostgreSQL server of its own, whose commits reach the disk."""
    with private_server(durable=True) as url:
        return _resume(url, rows, waiting, port)


def postgres(rows: int, port: int) -> dict[str, Any]:
    """The preference recipe into a fresh PostgreSQL store; the database server's own CPU time is not counted."""
    import psycopg

    from solon import Project

    told: dict[str, Any] = {}
    with private_server(durable=True) as url:
        with Project(url, config=work.config(port)) as project:
            project.run("preference", work.seeds(10))
            with work.measured(told, rows):
                summary = project.run("preference", work.seeds(rows))
        assert summary.accepted == rows, str(summary)
        with psycopg.connect(url) as connection:
            (size,) = connection.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
        told["store_kb_per_row"] = round(size / rows / 1024, 2)
    return told


def _resume(url: str, rows: int, waiting: int, port: int) -> dict[str, Any]:
    """Of so many items that wait, decide and resume some."""
    from solon import Project

    told: dict[str, Any] = {"waiting": waiting}
    with Project(url, config=work.config(port, policy="always")) as project:
        project.run("preference", work.seeds(waiting))
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


CONTENDERS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "raw": raw,
    "solon": solon,
    "growth": growth.grow,
    "postgres": postgres,
    "flood": flood,
    "stock_saver": saver("stock_saver"),
    "solon_saver": saver("solon_saver"),
}

RESUMES: dict[str, Callable[[int, int, int], dict[str, Any]]] = {
    "resumes": resumes,
    "postgres_resumes": postgres_resumes,
}


if __name__ == "__main__":
    main()
