"""One run on PostgreSQL by one process, by two, and by two workers of a Ray cluster: `python -m benchmarks.workers`.

The server of models is the fake one, which takes `--latency` for each answer, so that two processes have something to
wait for at the same time; the private PostgreSQL server commits to the disk. Everything runs on this machine: what
counts is how its cores are shared. Seconds are from the end of the item that completes the first tenth to the last
one, so that the start of processes (told apart) is not taken for work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import work
from benchmarks.postgres import private_server
from benchmarks.run import fake_server

Told = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--latency", type=float, default=0.5, help="seconds of an answer")
    parser.add_argument("--only", default=",".join(WAYS), help="some of " + ",".join(WAYS))
    given = parser.parse_args()
    told: Told = {
        "rows": given.rows,
        "latency": given.latency,
        "cores": os.cpu_count(),
        "in_flight": work.IN_FLIGHT,
    }
    with fake_server(given.latency) as port:
        for name in given.only.split(","):
            told[name] = measure(WAYS[name], given.rows, port)
            print(f"{name}: {told[name]}", file=sys.stderr, flush=True)
    print(json.dumps(told))


def measure(work_on: Callable[[str, str], None], rows: int, port: int) -> Told:
    """Load a run and have it worked on: rows a second between its tenth and its last item, and seconds in all."""
    import psycopg

    from solon import Project

    with private_server(durable=True) as url:
        with Project(url, config=work.config(port)) as project:
            run = project.load("preference", work.seeds(rows))
        begun = time.time()
        work_on(url, run.id)
        seconds = time.time() - begun
        with psycopg.connect(url) as connection:
            found = connection.execute(
                "SELECT count(*), min(created_at), max(created_at),"
                " percentile_disc(0.1) WITHIN GROUP (ORDER BY created_at) FROM records"
            ).fetchone()
            [(committed,)] = connection.execute(
                "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
            ).fetchall()
            [(written,)] = connection.execute("SELECT wal_bytes FROM pg_stat_wal").fetchall()
    assert found is not None
    count, first, last, tenth = found
    assert count == rows, f"{count} of {rows} rows"
    return {
        "rows_per_s": round(0.9 * rows / (last - tenth), 1),
        "seconds": round(seconds, 1),
        "seconds_to_first": round(first - begun, 1),
        "commits_per_row": round(committed / rows, 1),
        "wal_kb_per_row": round(int(written) / rows / 1024, 1),
    }


def processes(number: int) -> Callable[[str, str], None]:
    """Several `solon resume` of one run at the same time."""

    def run(url: str, run_id: str) -> None:
        command = [sys.executable, "-m", "solon", "resume", run_id, "--store", url]
        started = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(number)]
        ended = [process.wait() for process in started]
        # who finds nothing left while another is still at work ends with 4
        assert set(ended) <= {0, 4}, f"exit codes {ended}"

    return run


def ray_workers(url: str, run_id: str) -> None:
    """`solon resume RUN --engine ray` on a cluster that it starts here, of two workers."""
    from solon import Project
    from solon.operations.cluster import run_on_ray
    from solon.store.runs.runs import find_run

    with Project(url) as project:
        with project.store.connect() as connection:
            run = find_run(connection, run_id)
        run_on_ray(project, run, workers=2)


WAYS: dict[str, Callable[[str, str], None]] = {
    "one": processes(1),
    "two": processes(2),
    "ray": ray_workers,
}


if __name__ == "__main__":
    main()
