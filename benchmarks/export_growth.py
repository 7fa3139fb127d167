"""Exports, reports and suites of ever larger stores: peak memory and records a second.

`python -m benchmarks.export_growth`. Two items are really run (one settled by the panel, one decided by an expert; the
model is the scripted fake), and their rows are copied with new ids until the store holds as many records as asked. Both
runs name their seeds alike, so that they can be compared. Each export runs in a process of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default"}},
    "generator": {"revise": False},
    "resolver": {"enabled": False},
}
BATCH = 5_000
OWN = (
    "seeds",
    "items",
    "candidates",
    "calls",
    "critiques",
    "verdicts",
    "reviews",
    "decisions",
    "precedents",
    "records",
)
"""Tables of which every record gets rows of its own; the texts of calls and critiques are shared."""
LISTS = ("candidates", "shown")
"""Columns with lists of such ids."""
LANGUAGES = ("en", "de", "fr")
FORMATS = ("jsonl", "csv", "parquet", "trl-preference", "folder", "release")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000", help="records of the stores")
    parser.add_argument(
        "--formats",
        default=",".join(FORMATS),
        help="what to write: release also verifies; report; eval-SUITE",
    )
    parser.add_argument(
        "--decided", type=int, default=10, help="one record in so many is decided by an expert"
    )
    parser.add_argument("--keep", type=Path, help="a folder for the stores; what is there is used again")
    parser.add_argument("--export", help=argparse.SUPPRESS)
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.export or given.fill:
        told = (
            measure(given.export, given.store)
            if given.export
            else fill(given.store, given.fill, given.decided)
        )
        print(json.dumps(told))
        return
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="solon-growth-") as scratch:
        for size in (int(part) for part in given.sizes.split(",")):
            folder = (given.keep or Path(scratch)) / str(size)
            told: dict[str, Any] = {}
            if not (folder / "solon.db").exists():
                told = _in_child(folder, "--fill", str(size), "--decided", str(given.decided))
                print(f"{size:>9,} filled in {told['fill_seconds']} s", file=sys.stderr, flush=True)
            told["store_mb"] = round((folder / "solon.db").stat().st_size / 1e6)
            for name in given.formats.split(","):
                told[name] = _in_child(folder, "--export", name)
                print(f"{size:>9,} {name:<16} {_spell(told[name])}", file=sys.stderr, flush=True)
            found[str(size)] = told
            if given.keep is None:
                shutil.rmtree(folder)
    print(json.dumps(found))


def fill(folder: Path, size: int, decided: int = 10) -> dict[str, float]:
    """Make a store with `size` finished records in `folder`, one in `decided` of them by an expert; the seconds."""
    begun = time.monotonic()
    making = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    _run_two(f"sqlite:///{making}/solon.db")
    connection = sqlite3.connect(making / "solon.db", isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF", "cache_size = -2000000"):
        connection.execute(f"PRAGMA {pragma}")
    later = _drop_indexes(connection)
    models = [_rows_of(connection, item) for (item,) in connection.execute("SELECT id FROM items").fetchall()]
    panel, person = (_mould(model) for model in sorted(models, key=lambda rows: len(rows["decisions"])))
    for start in range(0, size - 2, BATCH):
        batch: dict[str, list[Any]] = {name: [] for name in ("texts", *OWN)}
        for number in range(start, min(start + BATCH, size - 2)):
            by_person, asked = number % decided == 0, number // decided
            name = f"s{asked if by_person else number - asked - 1}"
            _copy(person if by_person else panel, number, name, batch)
        connection.execute("BEGIN")
        for table, rows in batch.items():
            if rows:
                marks = ",".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        connection.execute("COMMIT")
    for statement in later:
        connection.execute(statement)
    connection.close()
    making.rename(folder)
    return {"fill_seconds": round(time.monotonic() - begun, 1)}


def _run_two(url: str) -> None:
    from solon import Project

    answers = [
        {"text": "A first answer of some length."},
        {"text": "A second answer, longer than the first."},
    ]
    for name, policy in (("panel", "never"), ("person", "always")):
        config = {**CONFIG, "routing": {"policy": policy, "audit_share": 0.0}}
        with Project(url, config=config) as project:
            row = {
                "id": name,
                "prompt": f"A question for the {name}.",
                "responses": answers,
                "licence": "CC0-1.0",
            }
            project.run("preference", [row], new_run=True)
            for review in project.reviews():
                token = project.add_expert("An Expert", ready=True)
                why = "It answers what was asked."
                project.decide(review.id, "prefer", review.candidates[0], expert=token, rationale=why)
            assert project.resume().accepted == 1


def _drop_indexes(connection: sqlite3.Connection) -> list[str]:
    """Take the secondary indexes away; the statements that make them again, sorted and so in a fraction of the time."""
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    found = connection.execute(query).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    return [statement for _, statement in found]


def _rows_of(connection: sqlite3.Connection, item: str) -> dict[str, list[dict[str, Any]]]:
    """Table -> rows of one item."""

    def read(query: str, *values: str) -> list[dict[str, Any]]:
        cursor = connection.execute(query, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    found = {name: read(f"SELECT * FROM {name} WHERE item_id = ?", item) for name in OWN[2:]}
    found["items"] = read("SELECT * FROM items WHERE id = ?", item)
    found["seeds"] = read("SELECT * FROM seeds WHERE id = ?", found["items"][0]["seed_id"])
    own = [row["text_id"] for name in ("seeds", "candidates") for row in found[name]]
    found["texts"] = [row for text in own for row in read("SELECT * FROM texts WHERE id = ?", text)]
    return found


@dataclass(frozen=True, slots=True)
class _Mould:
    """A row to copy. `ids`: (column, which of the record's ids) of what is replaced; `lists`: those in JSON lists."""

    table: str
    values: tuple[Any, ...]
    columns: dict[str, int]
    ids: tuple[tuple[int, int], ...]
    lists: tuple[tuple[int, tuple[int, ...]], ...]


def _mould(model: dict[str, list[dict[str, Any]]]) -> list[_Mould]:
    order = [(table, row) for table in ("texts", *OWN) for row in model[table]]
    places = {row["id"]: place for place, (_, row) in enumerate(order)}
    found = []
    for table, row in order:
        values = tuple(row.values())
        ids = tuple((column, places[value]) for column, value in enumerate(values) if value in places)
        shown = ((column, json.loads(row[name])) for column, name in enumerate(row) if name in LISTS)
        lists = tuple((column, tuple(places[one] for one in listed)) for column, listed in shown)
        found.append(_Mould(table, values, {name: column for column, name in enumerate(row)}, ids, lists))
    return found


def _copy(moulds: list[_Mould], number: int, name: str, batch: dict[str, list[Any]]) -> None:
    """Append the rows of one more record: ids are as scattered as hashes, texts are new."""
    stem = hashlib.blake2b(str(number).encode(), digest_size=10).hexdigest()
    ids = [f"{stem}{place:04x}" for place in range(len(moulds))]
    for mould in moulds:
        row, columns = list(mould.values), mould.columns
        for column, place in mould.ids:
            row[column] = ids[place]
        for column, listed in mould.lists:
            row[column] = json.dumps([ids[place] for place in listed])
        if mould.table == "texts":
            row[columns["body"]] = _lengthened(row[columns["body"]], number)
        elif mould.table == "seeds":
            row[columns["external_id"]], row[columns["group"]] = name, f"g{number // 3}"
            row[columns["source"]], row[columns["lang"]] = f"source {number % 999}", LANGUAGES[number % 3]
        elif mould.table == "items":
            row[columns["position"]], row[columns["row_key"]] = number + 1, stem
        elif mould.table == "records":
            row[columns["pair_key"]] = stem
        elif mould.table in ("reviews", "decisions"):
            row[columns["content_hash"]] = stem
            if "decided_at" in columns:
                row[columns["decided_at"]] += 60.0 * number
        batch[mould.table].append(row)


_FILLER = " ".join(str(number * 7919 % 100_003) for number in range(20_000))


def _lengthened(body: str, number: int) -> str:
    """A text of some hundred characters that no other record has."""
    begin = number * 13 % 100_000
    if body.startswith("{"):
        return body.replace('"prompt": "', f'"prompt": "Number {number}: {_FILLER[begin : begin + 150]}. ', 1)
    return f"{body} Number {number}: {_FILLER[begin : begin + 400]}"


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Export the store of `folder` in this process and tell time and memory."""
    from solon import Project

    with (
        tempfile.TemporaryDirectory(dir=folder) as scratch,
        Project(f"sqlite:///{folder}/solon.db") as project,
    ):
        begun, cpu, before = time.monotonic(), time.process_time(), _peak_mb()
        work = _evaluate if name.startswith("eval-") else EXPORTS.get(name, _export)
        records = work(project, name, Path(scratch))
        seconds = time.monotonic() - begun
        return {
            "records": records,
            "seconds": round(seconds, 1),
            "cpu_seconds": round(time.process_time() - cpu, 1),
            "records_per_second": round(records / seconds),
            "mb_before": before,
            "peak_mb": _peak_mb(),
        }


def _export(project: Any, name: str, scratch: Path) -> int:
    suffix = {"csv": ".csv", "parquet": ".parquet"}.get(name, ".jsonl")
    extra = {"test_fraction": 0.1, "extra_columns": ("id", "margin")} if name.startswith("trl-") else {}
    return int(project.export(name, scratch / f"out{suffix}", **extra).read)


def _export_folder(project: Any, _name: str, scratch: Path) -> int:
    return int(project.export("trl-preference", scratch / "set", folder=True, test_fraction=0.1).read)


def _release(project: Any, _name: str, scratch: Path) -> int:
    from solon.eval.releases.releases import create_release, verify_release

    manifest = create_release(project.store, f"growth-{time.time():.0f}", scratch / "release")
    found = verify_release(project.store, scratch / "release")
    assert found.passed, found
    return int(manifest["rows"]["records"])


def _report(project: Any, _name: str, scratch: Path) -> int:
    return int(project.report(scratch / "report.html").records)


def _evaluate(project: Any, name: str, _scratch: Path) -> int:
    suite = name.removeprefix("eval-")
    runs = [run.run_id for run in project.runs()] if suite == "compare" else ()
    return int(project.evaluate(suite, runs).n)


EXPORTS: dict[str, Callable[[Any, str, Path], int]] = {
    "folder": _export_folder,
    "release": _release,
    "report": _report,
}


def _peak_mb() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3))


def _in_child(folder: Path, *asked: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.export_growth", *asked, "--store", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode and "--fill" in asked:
        raise SystemExit(ended.stderr)
    if ended.returncode:
        return {"failed": ended.stderr.strip()[-500:]}
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told


def _spell(told: dict[str, Any]) -> str:
    if "failed" in told:
        return f"failed: {told['failed']}"
    return (
        f"{told['records']:>9,} records, {told['seconds']} s ({told['cpu_seconds']} s of CPU), "
        f"{told['records_per_second']:,} records/s, peak {told['peak_mb']} MB ({told['mb_before']} before)"
    )


if __name__ == "__main__":
    main()
