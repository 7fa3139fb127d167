"""The pages of a lead's desk: proposals, one answer to many, exports; and what the queue tells whom."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from running import until
from sqlalchemy import select, update

from solon.project import Project
from solon.store.reviewing.bulk import LEFT_OUT
from solon.store.reviewing.proposals import list_proposals
from solon.store.tables import reviews, table_of
from solon.store.tables.experts import AuditEntry
from solon.store.tables.people import Decision


async def log_in(http: Any, token: str) -> str:
    """Log a browser in; the CSRF token of its pages."""
    assert (await http.post("/login", data={"token": token})).status_code == 303
    return str((await http.get("/page/csrf")).json()["csrf"])


async def answer_one(http: Any, **more: Any) -> dict[str, Any]:
    item = (await http.post("/api/v1/next", json={})).json()["item"]
    answer = {"choice": "prefer", "candidate": item["candidates"][0]["id"], "rationale": "safer", **more}
    body = {"token": item["token"], "answer": answer}
    taken = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=body)
    assert taken.status_code == 200, taken.text
    return dict(taken.json())


def proposals_of(project: Project, state: str) -> list[Any]:
    with project.store.connect() as connection:
        return list_proposals(connection, state)


def test_a_proposal_becomes_a_draft_or_is_declined(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, lead = person("Lea", role="lead")
    _, expert = person("Ada")

    async def go() -> None:
        async with serving(project) as app, client(app, expert) as api, client(app) as http:
            for words in ("Names the interaction before the dose.", "Is polite."):
                await answer_one(api, proposal=words)
            csrf = await log_in(http, lead)
            first, second = proposals_of(project, "open")
            told = (await http.get("/lead/proposals")).text
            assert first.text in told
            assert "Ada" in told
            url = f"/lead/proposals/{first.id}"
            assert (await http.post(f"{url}/draft", data={"reason": "r"})).status_code == 403
            refused = await http.post(f"{url}/draft", data={"csrf": csrf, "text": first.text})
            assert refused.status_code == 422
            assert "reason" in refused.text
            made = await http.post(
                f"{url}/draft", data={"csrf": csrf, "text": first.text, "reason": "Often asked."}
            )
            assert made.status_code == 303
            (taken,) = proposals_of(project, "taken")
            assert made.headers["location"] == f"/lead/amendments/{taken.amendment_id}"
            assert first.text in (await http.get(made.headers["location"])).text
            again = await http.post(f"{url}/draft", data={"csrf": csrf, "text": "x", "reason": "y"})
            assert "taken already" in again.text
            url = f"/lead/proposals/{second.id}/decline"
            assert (await http.post(url, data={"csrf": csrf})).status_code == 422
            assert (await http.post(url, data={"csrf": csrf, "why": "Said already."})).status_code == 303
            assert "Said already." in (await http.get("/lead/proposals?state=declined")).text
        async with serving(project) as app, client(app) as http:
            await log_in(http, expert)
            told = (await http.get("/outcomes")).text
            assert "taken up as a draft" in told
            assert "Said already." in told

    asyncio.run(go())


def test_many_are_counted_then_decided(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, lead = person("Lea", role="lead")
    ids = [review.id for review in project.reviews()]
    with project.store.transaction() as connection:
        for review_id, values in (
            (ids[0], {"kind": "audit"}),
            (ids[1], {"kind": "golden"}),
            (ids[2], {"kind": "overlap"}),
            (ids[3], {"rule": "pilot"}),
            (ids[4], {"leased": True}),
        ):
            connection.execute(update(reviews).where(reviews.c.id == review_id).values(**values))

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            csrf = await log_in(http, lead)
            form = {"csrf": csrf, "choice": "both_bad", "rationale": "A withdrawn source."}
            assert (await http.get("/lead/bulk")).status_code == 200
            told = (await http.post("/lead/bulk", data=form)).text
            assert "7 reviews would be decided" in told
            for why in ("audit", "known", "overlap", "sample", "held"):
                assert f"{LEFT_OUT[why]}: <b>1</b>" in told
            stale = await http.post("/lead/bulk", data={**form, "expected": "9"})
            assert (stale.status_code, "nothing was changed" in stale.text) == (422, True)
            wrong = await http.post("/lead/bulk", data={**form, "min_margin": "much"})
            assert (wrong.status_code, "min_margin" in wrong.text) == (422, True)
            (expected,) = re.findall(r'name="expected" value="(\d+)"', told)
            told = (await http.post("/lead/bulk", data={**form, "expected": expected})).text
            assert "<b>7</b> of 7 reviews are decided" in told

    asyncio.run(go())
    with project.store.connect() as connection:
        found = connection.execute(select(table_of(Decision).c.review_id)).scalars().all()
    assert set(found) == set(ids[5:])


def test_an_export_is_begun_watched_and_fetched(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, lead = person("Lea", role="lead")

    async def go() -> None:
        async with serving(project) as app, client(app, lead) as api, client(app) as http:
            csrf = await log_in(http, lead)
            form = {"csrf": csrf, "format": "jsonl"}
            assert (await http.post("/lead/exports", data={**form, "format": "gif"})).status_code == 422
            assert (await http.post("/lead/exports", data=form)).status_code == 303

            async def ended() -> bool:
                (job,) = (await api.get("/api/v1/exports")).json()
                return job["state"] in ("done", "failed")

            await until(ended)
            told = (await http.get("/lead/exports")).text
            (link,) = re.findall(r'href="(/api/v1/exports/[^"]+)"', told)
            assert (await http.get(link)).status_code == 200
            assert "<b>0</b> records written" in told
        async with serving(project) as app, client(app) as http:
            await log_in(http, lead)
            assert "went with an earlier server" in (await http.get("/lead/exports")).text

    asyncio.run(go())


@pytest.mark.parametrize("path", ["/lead/proposals", "/lead/bulk", "/lead/exports", "/lead/queue"])
def test_the_desk_is_for_leads(project: Project, person: Any, serving: Any, client: Any, path: str) -> None:
    _, expert = person("Ada")

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            csrf = await log_in(http, expert)
            assert (await http.get(path)).status_code == 403
            if path != "/lead/queue":
                posted = path if path != "/lead/proposals" else f"{path}/{'0' * 24}/decline"
                assert (await http.post(posted, data={"csrf": csrf})).status_code == 403

    asyncio.run(go())


def test_the_queue_tells_why_on_request_and_notes_it(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    """Whoever has seen why an item is here is no blind reviewer of it; whoever saw only the list still is."""
    lead, token = person("Lea", role="lead")
    counted = []

    async def go() -> None:
        async with serving(project) as app, client(app, token) as api, client(app) as http:
            await log_in(http, token)
            told = (await http.get("/lead/queue")).text
            assert "Why here" not in told
            await answer_one(api)
            told = (await http.get("/lead/queue?why=1")).text
            assert "Why here" in told
            assert "Why here" in (await http.get("/lead/queue?max_margin=0.9")).text
            assert (await http.get("/lead/queue?max_margin=wide")).status_code == 422
            await answer_one(api)

    asyncio.run(go())
    with project.store.connect() as connection:
        query = select(table_of(Decision).c.counts).order_by(table_of(Decision).c.decided_at)
        counted = list(connection.execute(query).scalars())
        log = select(table_of(AuditEntry).c.action).where(table_of(AuditEntry).c.actor == lead.actor)
        actions = list(connection.execute(log).scalars())
    assert counted == [True, False]
    assert actions.count("queue.read") == 3
    assert actions.count("item.read") == 11


def test_what_too_few_can_answer_stands_above_the_queue(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Lea", role="lead")
    with project.store.transaction() as connection:
        connection.execute(update(reviews).values(specialty="surgery", lang="fi"))

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            await log_in(http, token)
            told = (await http.get("/lead/queue")).text
            assert "12 reviews that too few people can answer" in told

    asyncio.run(go())
