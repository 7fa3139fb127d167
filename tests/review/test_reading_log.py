"""The audit log holds who read what: on the page, over the API and on the command line."""

from __future__ import annotations

import asyncio
import getpass
from typing import Any

from solon.cli.app import run_command
from solon.project import Project
from solon.store.database import audit_log
from solon.store.database.audit_log import list_entries, verify


def logged(project: Project, action: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Actor, subject and detail of an action's entries, the oldest first."""
    with project.store.connect() as connection:
        rows = list_entries(connection, action=action)
    return [(row["actor"], row["subject"], row["detail"]) for row in reversed(rows)]


def test_reading_on_the_command_line_is_logged(project: Project, tmp_path: Any) -> None:
    me, review = f"local:{getpass.getuser()}", project.reviews()[0]
    project.decide(review.id, "prefer", review.candidates[0].id)
    project.resume()
    at = ["--store", project.store.url]
    assert run_command(["review", "list", "--limit", "3", *at]) == 0
    ((actor, _, detail),) = logged(project, "queue.read")
    assert actor == me
    assert detail["items"] == [one.item_id for one in project.reviews(limit=3)]
    assert run_command(["review", "show", review.id, *at]) == 0, "read blind"
    assert [subject for _, subject, _ in logged(project, "review.read")] == [review.id]
    assert run_command(["review", "show", review.id, "--unblind", *at]) == 0
    assert run_command(["show", review.item_id, "--json", *at]) == 0
    assert logged(project, "item.read") == [
        (me, review.item_id, {"review": review.id, "channel": "cli"}),
        (me, review.item_id, {"channel": "cli"}),
    ]
    out = str(tmp_path / "records.jsonl")
    assert run_command(["export", "--format", "jsonl", "--output", out, *at]) == 0
    ((actor, _, detail),) = logged(project, "export.written")
    assert (actor, detail["of"], detail["files"]) == (me, "records", 2)
    assert run_command(["review", "show", "no-such-review", *at]) != 0
    assert len(logged(project, "item.read")) == 2, "what was not read is not logged"
    assert verify(project.store).intact


def test_a_store_that_cannot_be_written_can_still_be_read(project: Project, monkeypatch: Any) -> None:
    from solon.errors import StoreError

    def refuse(*_: Any, **__: Any) -> str:
        raise StoreError("the disk is full")

    monkeypatch.setattr(audit_log, "append", refuse)
    assert (
        run_command(["review", "show", project.reviews()[0].id, "--unblind", "--store", project.store.url])
        == 0
    )
    assert logged(project, "item.read") == []


def test_drafts_and_diffs_are_logged_and_take_nothing_from_the_answer(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    """Whoever looks at the diff of their own item stays blind; drafts are noted once, heartbeats never."""
    ada, token = person("Ada")

    async def go() -> tuple[str, str]:
        async with serving(project) as app, client(app, token) as http:
            item = (await http.post("/api/v1/next", json={})).json()["item"]
            own = f"/api/v1/assignments/{item['assignment']}"
            for n in range(3):
                saved = await http.put(f"{own}/draft", json={"draft": {"rationale": f"{n}"}})
                assert saved.status_code == 200
            assert (await http.post(f"{own}/heartbeat")).status_code == 200
            assert (await http.get(f"/page/diff/{item['assignment']}")).status_code == 200
            assert (await http.get("/page/diff/abcdef")).status_code == 404
            answer = {"choice": "prefer", "candidate": item["candidates"][0]["id"], "rationale": "r"}
            body = {"token": item["token"], "answer": answer}
            done = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=body)
            assert done.status_code == 200, done.text
            return item["review"], item["assignment"]

    review, assignment = asyncio.run(go())
    told = (ada.actor, review, {"assignment": assignment})
    assert logged(project, "draft.saved") == [told]
    assert logged(project, "diff.read") == [told]
    with project.store.connect() as connection:
        actions = {row["action"] for row in list_entries(connection)}
        counted = connection.exec_driver_sql("SELECT counts FROM decisions").scalars().all()
    assert not any("heartbeat" in action for action in actions)
    assert [bool(one) for one in counted] == [True]


def test_what_a_lead_reads_is_logged(project: Project, person: Any, serving: Any, client: Any) -> None:
    lea, token = person("Lea", role="lead")

    async def go() -> tuple[str, list[str], str]:
        async with serving(project) as app, client(app, token) as http:
            done = []
            for _ in range(12):
                item = (await http.post("/api/v1/next", json={})).json()["item"]
                chosen = item["candidates"][0]["id"]
                answer = {"choice": "prefer", "candidate": chosen, "rationale": "r", "proposal": "Name it."}
                body = {"token": item["token"], "answer": answer}
                path = f"/api/v1/reviews/{item['review']}/decision"
                assert (await http.post(path, json=body)).status_code == 200
                done.append(item["review"])
            shown = []
            for review in done:
                similar = (await http.get(f"/api/v1/reviews/{review}/similar")).json()
                shown.append([one["item"] for one in similar])
            with_some = next(n for n, items in enumerate(shown) if items)
            (first, *_) = (await http.get("/api/v1/proposals")).json()
            assert (await http.get("/lead/proposals?state=declined")).status_code == 200
            return done[with_some], shown[with_some], str(first["id"])

    review, items, proposal = asyncio.run(go())
    assert (lea.actor, review, {"items": items}) in logged(project, "similar.read")
    assert len(logged(project, "similar.read")) == 12
    api, page = logged(project, "proposals.read")
    assert (api[0], api[2]["state"], proposal in api[2]["proposals"]) == (lea.actor, "open", True)
    assert (page[0], page[2]) == (lea.actor, {"state": "declined", "proposals": []})
