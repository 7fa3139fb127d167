"""What stops a worker is told by `solon status`, by other servers and after a restart, until one works again."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cases import build, seeds
from running import until
from sqlalchemy import select, update

from solon.cli.app import run_command
from solon.project import Project
from solon.review import serve
from solon.review.state import Options
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.worker_problems import note_worker, why_waiting, worker_said
from solon.store.tables import table_of
from solon.store.tables.runs import Run

RULES = {"otherwise": "split"}


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[tuple[Project, Path]]:
    """One decision waits, and the file that the run's model is made of has gone."""
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(RULES))
    url = build(tmp_path, seeds(2), models={"default": {"model": f"scripted:{rules}"}})
    with Project(url, config={}, create=False) as project:
        review = project.reviews()[0]
        project.decide(review.id, "prefer", review.candidates[0].id)
        rules.rename(tmp_path / "away.json")
        yield project, rules


def status(project: Project, capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, Any]]:
    at = ["--store", project.store.url]
    capsys.readouterr()
    run_command(["status", *at])
    told = capsys.readouterr().out
    run_command(["status", "--json", *at])
    (run,) = json.loads(capsys.readouterr().out.splitlines()[-1])["runs"]
    return " ".join(told.split()), run


def test_a_broken_model_is_told_by_status_and_another_server(
    broken: tuple[Project, Path],
    serving: Any,
    client: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project, rules = broken
    monkeypatch.chdir(rules.parent)
    assert status(project, capsys)[1]["worker"] is None, "nobody has tried"
    token = add_expert(project.store, "Lea", role="lead", by="local:test")[1]

    def said() -> bool:
        with project.store.connect() as connection:
            return worker_said(connection) is not None

    async def until_said() -> None:
        async with serving(project, work=True):
            await until(said)

    asyncio.run(until_said())
    told, run = status(project, capsys)
    assert "1 decisions wait for a worker" in told
    assert "they were not applied: scripted:" in told
    assert "cannot be read" in told
    assert "cannot be read" in run["worker"]["why"]
    assert abs(time.time() - run["worker"]["at"]) < 3600

    async def ask_another() -> dict[str, Any]:
        async with serving(project) as app, client(app, token) as http:
            return dict((await http.get("/api/v1/queue")).json())

    counts = asyncio.run(ask_another())
    assert (counts["to_apply"], "cannot be read" in counts["worker"]) == (1, True)
    (rules.parent / "away.json").rename(rules)
    assert run_command(["worker", "--once", "--seconds", "0.1", "--store", project.store.url]) == 0
    told, run = status(project, capsys)
    assert (run["worker"], run["decisions_to_apply"]) == (None, 0)
    assert "not applied" not in told


def test_a_server_without_a_worker_is_a_reason(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uvicorn = pytest.importorskip("uvicorn")
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: [one.close() for one in sockets])
    said: list[str] = []
    serve.serve(project, Options(work=False), host="127.0.0.1", port=0, say=said.append, by="local:test")
    port = said[0].rpartition(":")[2]
    person = project.experts.list()[0].name
    assert project.experts.link(person).startswith(f"http://127.0.0.1:{port}/login?link="), "where it runs"
    assert project.experts.link(person, address="https://x.example/").startswith("https://x.example/login?")
    assert status(project, capsys)[1]["worker"] is None, "no decision waits"
    review = project.reviews()[0]
    project.decide(review.id, "prefer", review.candidates[0].id)
    told, run = status(project, capsys)
    assert "was started with --no-work" in told
    assert "--no-work" in run["worker"]["why"]


def test_single_decisions_that_failed_are_a_reason_too(project: Project) -> None:
    from solon.store.tables import outbox

    review = project.reviews()[0]
    project.decide(review.id, "prefer", review.candidates[0].id)
    with project.store.transaction() as connection:
        connection.execute(update(outbox).values(problem="the graph has no such answer"))
        found = why_waiting(connection, connection.execute(select(table_of(Run).c.id)).scalar_one())
        assert found is not None
        assert (found.why, found.at) == ("the graph has no such answer", None)
        note_worker(connection, "first")
        note_worker(connection, "the disk is full")
        found = why_waiting(connection)
        assert found is not None
        assert found.why == "the disk is full; the graph has no such answer"
        assert why_waiting(connection, "no such run") == worker_said(connection)
        note_worker(connection, "")
        assert worker_said(connection) is None
