"""What is refused is told so that its reader can go on: a page for people, JSON for programs; ways in that end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from solon.project import Project
from solon.review.auth import COOKIE, csrf_token
from solon.store.reviewing.experts import rotate_token
from solon.store.reviewing.sessions import SESSION_SECONDS, make_login_link

PAGE = {"Accept": "text/html,application/xhtml+xml"}
HALF = json.dumps("half of one: \ud83d")
"""The first of the two parts of an emoji, as a browser escapes it."""


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


async def item_of(http: Any) -> dict[str, Any]:
    found = await http.post("/api/v1/next", json={})
    assert found.status_code == 200, found.text
    item: dict[str, Any] = found.json()["item"]
    return item


def test_a_person_reads_a_page_and_a_program_json(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            await http.post("/login", data={"token": token})
            for path, status, said in (
                ("/lead/queue", 403, "This needs the role lead"),
                ("/nowhere", 404, "There is no such page"),
                ("/lead/constitution?old=1&new=2", 404, "There is no version 1"),
                ("/login?link=" + "x" * 101, 422, "This did not work"),
            ):
                page = await http.get(path, headers=PAGE)
                assert (page.status_code, page.headers["content-type"][:9]) == (status, "text/html"), path
                assert said in page.text, path
                assert 'href="/"' in page.text
                plain = await http.get(path)
                assert plain.json().keys() == {"error", "cause", "next_step", "field", "kept"}, path
            assert (await http.get("/api/v1/reviews", headers=PAGE)).json()["error"] == "not_allowed"
            hostile = await http.get("/lead/constitution?old=<script>&new=2", headers=PAGE)
            assert "<script>" not in hostile.text

    run(go())


def test_a_form_that_is_refused_gives_back_what_was_written(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    """A lead's session ended while they wrote, or another tab logged in anew."""
    _, token = person("Lea", role="lead")
    words = "Names the interaction <with> warfarin."

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            form = {"csrf": "0" * 64, "why": words}
            out = await http.post("/lead/proposals/abc/decline", data=form, headers=PAGE)
            assert (out.status_code, "Names the interaction &lt;with&gt; warfarin." in out.text) == (
                401,
                True,
            )
            assert 'href="/login"' in out.text
            await http.post("/login", data={"token": token})
            out = await http.post("/lead/proposals/abc/decline", data=form, headers=PAGE)
            assert (out.status_code, "Names the interaction &lt;with&gt; warfarin." in out.text) == (
                403,
                True,
            )
            assert "0" * 64 not in out.text
            out = await http.post("/login", data={str(n): "x" for n in range(40)}, headers=PAGE)
            assert (out.status_code, "more than 30 fields" in out.text) == (422, True)

    run(go())


def test_half_an_emoji_in_a_draft_locks_nobody_out(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            item = await item_of(http)
            kept = await http.put(
                f"/api/v1/assignments/{item['assignment']}/draft",
                content=f'{{"draft": {{"rationale": {HALF}, {HALF}: 1}}}}',
                headers={"Content-Type": "application/json"},
            )
            assert kept.status_code == 200
            again = await item_of(http)
            assert again["assignment"] == item["assignment"]
            assert again["draft"]["rationale"].startswith("half of one: ")

    run(go())


def test_a_body_that_is_no_json_is_told_with_its_place(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            refused = await http.post(
                "/api/v1/next", content='{"recipe": oops}', headers={"Content-Type": "application/json"}
            )
            assert refused.status_code == 422
            assert refused.json()["field"] == "body"
            assert refused.json()["cause"] == "the body is no JSON: Expecting value, at character 11"

    run(go())


@pytest.mark.parametrize("vote", ["prefer", ["prefer"], 1])
def test_a_vote_that_is_no_answer_is_named(
    vote: Any, project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            item = await item_of(http)
            answer = {"choice": "escalate", "rationale": "Too close to call.", "vote": vote}
            body = {"token": item["token"], "answer": answer}
            told = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=body)
            assert (told.status_code, told.json()["field"]) == (422, "vote")
            answer = {"choice": "skip", "rationale": "x" * 200_001}
            body = {"token": item["token"], "answer": answer}
            told = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=body)
            assert (told.status_code, told.json()["field"]) == (422, "rationale")

    run(go())


def test_what_was_written_to_a_lead_reaches_one(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    """Not before a blind answer: on the item's page, and with why it was here. No other reviewer reads it."""
    ada, token = person("Ada")
    _, bo = person("Bo")
    _, lead = person("Lea", role="lead")
    said = {
        "escalate": "Is the interaction known in children?",
        "decline": "The patient's name stands in it.",
    }

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http, client(app, lead) as leads:
            gone = {}
            for choice, words in said.items():
                item = gone[choice] = await item_of(http)
                answer: dict[str, Any] = {"choice": choice, "rationale": words}
                if choice == "decline":
                    answer["reason"] = "personal_data"
                else:
                    answer["vote"] = {"choice": "prefer", "candidate": item["candidates"][0]["id"]}
                body = {"token": item["token"], "answer": answer}
                assert (await http.post(f"/api/v1/reviews/{item['review']}/decision", json=body)).is_success
            handed = await item_of(leads)
            assert handed["review"] == gone["escalate"]["review"]
            assert said["escalate"] not in json.dumps(handed)
            told = (await leads.post(f"/api/v1/assignments/{handed['assignment']}/reveal", json={})).json()
            assert told["reasons"][-1] == f"A reviewer handed it to a lead: {said['escalate']}"
            theirs = await http.get(f"/api/v1/assignments/{gone['escalate']['assignment']}/explanation")
            assert said["escalate"] not in theirs.text
            for choice, state in (("escalate", "escalated"), ("decline", "declined")):
                way = (await leads.get(f"/api/v1/reviews/{gone[choice]['review']}")).json()
                (row,) = way["set_aside"]
                assert (row["state"], row["actor"], row["rationale"]) == (state, ada.actor, said[choice])
                assert row["choice"] == ("prefer" if choice == "escalate" else None)
                assert row["reason"] == ("personal_data" if choice == "decline" else None)
            async with client(app) as browser:
                await browser.post("/login", data={"token": lead})
                page = (await browser.get(f"/lead/items/{way['item']['id']}")).text
                assert "declined: personal data" in page
                assert "name stands in it." in page
            async with client(app, bo) as others:
                offered = (await others.post("/api/v1/next", json={})).text
                assert not any(words in offered for words in said.values())

    run(go())


def test_the_cookie_does_not_end_before_the_session(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    """Twelve hours from the last use, not from logging in: the store ends it, and the cookie lives longer."""
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            given = (await http.post("/login", data={"token": token})).headers["set-cookie"]
            assert given.startswith(f"{COOKIE}=")
            age = next(part for part in given.lower().split("; ") if part.startswith("max-age="))
            assert int(age.partition("=")[2]) > 2 * SESSION_SECONDS

    run(go())


def test_a_new_token_ends_links_that_nobody_used(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    ada, _ = person("Ada")
    secret = make_login_link(project.store, ada.id, by="local:test")
    _, token = rotate_token(project.store, ada.id, by="local:test")

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            assert (await http.post("/login", data={"link": secret})).status_code == 401
            assert (await http.post("/login", data={"token": token})).status_code == 303

    run(go())


@pytest.mark.parametrize(
    "path", ["/lead/bulk", "/lead/exports", "/lead/rejudge", "/outcomes/ab", "/law/propose/ab"]
)
def test_every_form_needs_the_pages_own_token(
    path: str, project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Lea", role="lead")

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            await http.post("/login", data={"token": token})
            for given in ({}, {"csrf": ""}, {"csrf": csrf_token(app.state.room, "another")}):
                assert (await http.post(path, data=given)).status_code == 403

    run(go())
