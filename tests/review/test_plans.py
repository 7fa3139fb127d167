"""What a reviewer's requests ask of the database: rows are found by an index, and the work is that of a short queue."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import event, update

from benchmarks.review_fill import fill
from solon.project import Project
from solon.store.reviewing import queue
from solon.store.tables import reviews

pytestmark = pytest.mark.sqlite("its query plans and its machine's steps")

LARGE = (
    "reviews",
    "assignments",
    "decisions",
    "items",
    "outbox",
    "texts",
    "verdicts",
    "candidates",
    "same",
    "asked",
)
SCAN = re.compile(rf"SCAN ({'|'.join(LARGE)})\b(?! USING COVERING INDEX)")
UNIT = 100
"""Steps of SQLite's machine that are counted as one."""
WAITING = 3000


@dataclass(slots=True)
class Heard:
    """A statement: the parameters of one of its calls, and the most steps that one took."""

    given: Any
    steps: int = 0
    most: int = 0


@contextmanager
def listening(project: Project) -> Iterator[dict[str, Heard]]:
    """Every reading or changing statement that the store is asked, by its text."""
    heard: dict[str, Heard] = {}

    def hear(_connection: Any, cursor: Any, statement: str, given: Any, _context: Any, many: bool) -> None:
        if not statement.startswith(("SELECT", "UPDATE", "DELETE")):
            cursor.connection.set_progress_handler(None, UNIT)
            return
        one = heard.setdefault(statement, Heard(None))
        one.given, one.steps = (given[0] if many else given), 0

        def step() -> None:
            one.steps += 1
            one.most = max(one.most, one.steps)

        cursor.connection.set_progress_handler(step, UNIT)

    engine = project.store.engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(engine, "before_cursor_execute", hear)


def plan(project: Project, statement: str, given: Any) -> list[str]:
    with project.store.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
    return [str(row[-1]) for row in rows]


def problems(project: Project, heard: dict[str, Heard]) -> list[str]:
    """Statements that read a table through, sort the queue, or do more than a short queue asks for.

    Counting the queue is the one thing that grows with it: the server does it once a second, over an index alone.
    """
    found = []
    for statement, one in heard.items():
        told = plan(project, statement, one.given)
        counts = "count(" in statement
        if "FROM precedents" in statement:  # decided items that resemble one, for after its answer
            continue
        if any(SCAN.search(step) for step in told):
            found.append(f"reads all of it: {told}\n{statement}")
        elif "reviews.priority, " in statement and "LIMIT" in statement and any("B-TREE" in s for s in told):
            found.append(f"sorts the queue: {told}\n{statement}")
        elif one.most * UNIT > (40 if counts else 3) * WAITING:
            found.append(f"{one.most * UNIT} steps: {told}\n{statement}")
    return found


def test_no_request_of_a_reviewer_reads_the_whole_queue(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    fill(project, WAITING, decided=WAITING)
    people = [
        person("Any"),
        person("Doc", specialties=["medicine"], languages=["en", "de"]),
        person("Lea", role="lead"),
        person("Wim", role="worker"),
        person("None", specialties=["surgery"], languages=["fi"]),
    ]

    async def ask(http: Any) -> None:
        item = (await http.post("/api/v1/next", json={})).json()["item"]
        url = f"/api/v1/assignments/{item['assignment']}"
        await http.put(f"{url}/draft", json={"draft": {"choice": "tie"}})
        await http.post(f"{url}/heartbeat")
        body = {"token": item["token"], "answer": {"choice": "tie", "rationale": "r"}, "next": True}
        taken = (await http.post(f"/page/decide/{item['review']}", json=body)).json()
        assert taken["kind"] in ("decided", "vote")
        assert (await http.get(f"{url}/explanation")).status_code in (200, 404)
        for path in ("/me", "/me/answers", "/queue"):
            assert (await http.get(f"/api/v1{path}")).status_code == 200
        if taken["decision"]:
            assert (await http.post(f"/api/v1/decisions/{taken['decision']}/undo")).status_code == 200

    async def go() -> None:
        async with serving(project) as app:
            for _, token in people:
                async with client(app, token) as http:
                    await ask(http)

    with listening(project) as heard:
        asyncio.run(go())
    assert len(heard) > 40
    assert not (found := problems(project, heard)), "\n\n".join(found)


def test_whoever_has_no_field_here_reads_no_queue_either(project: Project, person: Any) -> None:
    """With `require`, an empty answer costs as little as a full one."""
    fill(project, WAITING)
    doctor = person("Doc", specialties=["surgery"], languages=["fi"])[0]
    with project.store.transaction() as connection:
        connection.execute(update(reviews).values(specialty="law", created_at=reviews.c.created_at - 10**6))
    with listening(project) as heard, project.store.transaction() as connection:
        assert queue.lease_next(connection, doctor, match="require") is None
    assert not (found := problems(project, heard)), "\n\n".join(found)


def test_require_holds_for_what_waits_long(project: Project, person: Any) -> None:
    """A redraft whose author stays away is offered to others after a day, but only to those of its field."""
    with project.store.transaction() as connection:
        old = {"specialty": "law", "prefer_actor": "expert:gone", "created_at": 1.0}
        connection.execute(update(reviews).values(**old))
    for field, wanted in (("surgery", False), ("law", True)):
        expert = person(field, specialties=[field])[0]
        with project.store.transaction() as connection:
            assert (queue.lease_next(connection, expert, match="require") is not None) is wanted
