"""kill -9 at random moments of a run, then a new process goes on: nothing is lost, doubled or paid for twice.

As a program, it does the same at a larger scale and prints the figures: `python tests/graphs/test_kill.py 200 6`.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from solon.project import Project
from solon.store.database.store import Store

GATE = 16
"""Calls in flight."""
ITEMS = 12
"""Items in flight."""
WIDEST = 4
"""Calls of the node that makes most: two judges, both orders."""

WORKER = """
import json, sys
from solon.project import Project

url, log, items = sys.argv[1], sys.argv[2], int(sys.argv[3])
options = {"latency": 0.02, "log": log}
config = {
    "models": {"default": {"model": "scripted:default", "concurrency": int(sys.argv[4]), "options": options}},
    "routing": {"policy": "threshold", "audit_share": 0.0},
    "run": {"concurrency": int(sys.argv[6])},
    "judges": json.loads(sys.argv[5]),
}
with Project(url, config=config) as project:
    seeds = [{"id": f"seed-{i}", "prompt": f"Explain thing number {i} of the long list."} for i in range(items)]
    print("ready", flush=True)
    project.run("preference", seeds)
    print("done", flush=True)
"""


PANEL = ({"persona": "a careful expert"}, {"persona": "the person who asked"})
CASCADE = ({"persona": "a quick reader"}, {"persona": "a careful expert", "tier": 1})


def kill_and_resume(
    folder: Path,
    items: int,
    kills: int,
    *,
    seed: int,
    spread: int,
    judges: tuple[dict[str, Any], ...] = PANEL,
) -> dict[str, Any]:
    """Run, kill at random moments, let experts answer in between, resume to the end; check and count.

    Args:
        spread: a session is killed when it has made so many calls, at the latest.
    """
    url, log = f"sqlite:///{folder / 'store.db'}", folder / "calls.jsonl"
    log.touch()
    draw = random.Random(seed)
    paid: set[str] = set()
    killed, decided = 0, 0
    while True:
        before = len(log.read_text().splitlines())
        with (folder / "worker.err").open("w") as errors:
            worker = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    WORKER,
                    url,
                    str(log),
                    str(items),
                    str(GATE),
                    json.dumps(judges),
                    str(ITEMS),
                ],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        ended = False
        if killed < kills:
            wait_for_calls(log, before + draw.randint(1, spread), worker)
            worker.send_signal(signal.SIGKILL)
        ended = "done" in worker.stdout.read()
        worker.stdout.close()
        told = (folder / "worker.err").read_text()
        assert worker.wait() == (0 if ended else -signal.SIGKILL), told
        made = [json.loads(line)["key"] for line in log.read_text().splitlines()[before:]]
        assert paid.isdisjoint(made), "a finished call was made again"
        paid = journalled(folder)
        check_states(folder, items)
        if ended:
            break
        killed += 1
        decided += decide_some(url, draw)
    figures = {"items": items, "kills": killed, "decided_while_dead": decided, "gate": GATE}
    return {**figures, **check_the_end(url, folder, log, items)}


def wait_for_calls(log: Path, many: int, worker: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 300
    while len(log.read_text().splitlines()) < many and worker.poll() is None:
        assert time.monotonic() < until, "the worker makes no call"
        time.sleep(0.01)


def ask(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with Store(f"sqlite:///{folder / 'store.db'}") as store, store.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def check_file(folder: Path) -> None:
    with Store(f"sqlite:///{folder / 'store.db'}") as store, store.connect() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []


def journalled(folder: Path) -> set[str]:
    return {row[0].removeprefix("scripted-") for row in ask(folder, "SELECT request_id FROM calls")}


def check_states(folder: Path, items: int) -> None:
    """Right after a kill, too: as many items as seeds, each in one of the known states; the files are whole."""
    states = dict(ask(folder, "SELECT state, count(*) FROM items GROUP BY state"))
    known = {"queued", "running", "waiting", "accepted", "rejected"}
    assert set(states) <= known
    loaded = dict(ask(folder, "SELECT status, 1 FROM runs"))
    assert sum(states.values()) == items or "loading" in loaded
    check_file(folder)


def decide_some(url: str, draw: random.Random) -> int:
    """Experts answer while no worker lives."""
    with Project(url, create=False) as project:
        waiting = project.reviews()
        for review in draw.sample(waiting, min(4, len(waiting))):
            if draw.random() < 0.3:
                project.decide(review, "redraft", guidance="shorter")
            else:
                project.decide(review, "prefer", draw.choice(review.candidates))
        return min(4, len(waiting))


def check_the_end(url: str, folder: Path, log: Path, items: int) -> dict[str, Any]:
    with Project(url, create=False) as project:
        summary = project.summarize()
        assert summary.accepted + summary.rejected + summary.pending_review == summary.items == items
        assert (summary.failed, summary.queued, summary.decisions_to_apply) == (0, 0, 0)
        rest = project.reviews(limit=items)
        assert len(rest) == summary.pending_review
        for review in rest:
            project.decide(review, "prefer", review.candidates[0])
    lines = log.read_text().splitlines()
    rows = ask(folder, "SELECT count(*), count(DISTINCT content_key) FROM calls")[0]
    assert rows[0] == rows[1], "the journal has a call twice"
    assert summary.model_calls == rows[0]
    seeds = ask(folder, "SELECT external_id FROM items JOIN seeds ON seeds.id = items.seed_id")
    assert Counter(seeds) == Counter((f"seed-{i}",) for i in range(items))
    records = Counter(ask(folder, "SELECT item_id FROM records WHERE superseded_at IS NULL"))
    assert set(records.values()) <= {1}
    assert len(records) == summary.accepted
    return {
        "calls_made": len(lines),
        "calls_journalled": rows[0],
        "calls_repeated": len(lines) - rows[0],
        "accepted": summary.accepted,
        "rejected": summary.rejected,
        "waiting": summary.pending_review,
    }


def resume_with_decisions(folder: Path, items: int) -> dict[str, int]:
    """Every review that killed processes left is answered; all of it must end."""
    with Project(f"sqlite:///{folder / 'store.db'}", create=False) as project:
        summary = project.resume()
        assert (summary.pending_review, summary.decisions_to_apply, summary.queued) == (0, 0, 0)
        assert summary.accepted + summary.rejected == items
        assert len(ask(folder, "SELECT DISTINCT item_id FROM records")) == summary.accepted
        return {"accepted_in_the_end": summary.accepted, "rejected_in_the_end": summary.rejected}


@pytest.mark.parametrize("judges", [PANEL, CASCADE], ids=["at once", "cascade"])
def test_killed_at_random_moments(tmp_path: Path, judges: tuple[dict[str, Any], ...]) -> None:
    figures = kill_and_resume(tmp_path, items=60, kills=2, seed=7, spread=120, judges=judges)
    # A call is finished once its row is committed. What was in flight may repeat, and what was on its way into the
    # journal: an item is never further ahead of the disk than one node.
    assert figures["calls_repeated"] <= figures["kills"] * (GATE + ITEMS * WIDEST)
    assert figures["kills"] == 2
    resume_with_decisions(tmp_path, 60)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        count, times = int(sys.argv[1]), int(sys.argv[2])
        found = kill_and_resume(Path(place), count, times, seed=int(time.time()), spread=4 * count // times)
        print(json.dumps({**found, **resume_with_decisions(Path(place), count)}))
