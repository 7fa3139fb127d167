"""What a reviewer's requests ask of the database: every statement finds its rows by an index, however long the queue."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from solon.project import Project
from solon.store import queue

LARGE = ("reviews", "assignments", "decisions", "items", "outbox", "texts", "audit_log", "verdicts", "candidates")
SCAN = re.compile(rf"SCAN ({'|'.join(LARGE)}|same|asked)\b(?! USING COVERING INDEX)")


@contextmanager
def listening(project: Project) -> Iterator[dict[str, Any]]:
    """Statements by their text, with the parameters of one of their calls."""
    heard: dict[str, Any] = {}

    def hear(_connection: Any, _cursor: Any, statement: str, given: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            heard[statement] = given[0] if many else given

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


def problems(project: Project, heard: dict[str, Any]) -> list[str]:
    found = []
    for statement, given in heard.items():
        told = plan(project, statement, given)
        if any(SCAN.search(step) for step in told):
            found.append(f"{told}\n{statement}")
        elif "LIMIT" in statement and "reviews.priority" in statement and any("B-TREE" in s for s in told):
            found.append(f"sorts the queue: {told}\n{statement}")
    return found


def test_no_request_of_a_reviewer_reads_the_whole_queue(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    people = [
        person("Any"),
        person("Doc", specialties=["medicine"], languages=["en", "de"]),
        person("Lea", role="lead"),
        person("Wim", role="worker"),
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
    doctor = person("Doc", specialties=["surgery"], languages=["sv"])[0]
    with listening(project) as heard, project.store.transaction() as connection:
        queue.lease_next(connection, doctor, match="require")
    assert not (found := problems(project, heard)), "\n\n".join(found)
