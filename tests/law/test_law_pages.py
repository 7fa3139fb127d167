"""The leads' pages and endpoints about law in the making, over a decided store."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs the extra solon[review]")

import httpx

from solon.review.app import create_app
from solon.review.lawmaking import name_rule, show_amendment
from solon.review.routes.law import read_principles
from solon.review.state import Options
from solon.store.lawmaking.amendments import find_amendment
from solon.store.lawmaking.precedents import all_precedents
from solon.store.reviewing.experts import add_expert, rotate_token

from .conftest import OVERFIT, RULE, Court
from .test_lawmaking import draft, measure, query

STANDING = {"state", "in_favour", "needed", "missing"}
CASE = {"amendment", "request", "answers", "choice", "rationale", "principles"}


def visit(court: Court, steps: Callable[[Callable[..., Any]], Awaitable[None]]) -> None:
    """Run steps against the app; `enter(token)` gives a browser that is logged in."""

    async def run() -> None:
        app = create_app(court.project, Options(work=False))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)

        @asynccontextmanager
        async def enter(token: str) -> Any:
            base = httpx.AsyncClient(transport=transport, base_url="http://solon.test", follow_redirects=True)
            async with base as browser:
                assert (await browser.post("/login", content=f"token={token}")).status_code == 200
                yield browser

        await steps(enter)

    asyncio.run(run())


def token_of(court: Court, name: str) -> str:
    return rotate_token(court.store, name, by="test")[1]


async def csrf(browser: Any, page: str) -> str:
    found = re.search(r'action="/(?:lead|law)[^"]*">\s*<input type="hidden" name="csrf" value="(\w+)"', page)
    assert found is not None
    return found.group(1)


def test_leads_read_an_amendment_and_their_votes_bring_it_into_force(court: Court) -> None:
    amendment = measure(court, draft(court, RULE))
    ada, ben = token_of(court, "Ada"), token_of(court, "Ben")

    async def steps(enter: Any) -> None:
        async with enter(ada) as browser:
            assert amendment.id in (await browser.get("/lead/amendments")).text
            shown = (await browser.get(f"/lead/amendments/{amendment.id}")).text
            assert f"<ins>{RULE}</ins>" in shown
            assert "Only totals" in shown or "only totals" in shown
            flips = re.findall(rf"/lead/amendments/{amendment.id}/flips/(\w+)", shown)
            assert flips
            flip = (await browser.get(f"/lead/amendments/{amendment.id}/flips/{flips[0]}")).text
            assert "It names the unit" in flip
            with court.store.connect() as connection:
                hidden = next(row for row in all_precedents(connection) if row.half == "held_out")
            assert (
                await browser.get(f"/lead/amendments/{amendment.id}/flips/{hidden.id}")
            ).status_code == 404
            address = f"/lead/amendments/{amendment.id}/vote"
            assert (await browser.post(address, content="choice=for&csrf=wrong")).status_code == 403
            form = f"choice=for&csrf={await csrf(browser, shown)}"
            assert "1 more vote(s) of leads" in (await browser.post(address, content=form)).text
        async with enter(ben) as browser:
            shown = (await browser.get(f"/lead/amendments/{amendment.id}")).text
            form = f"choice=for&csrf={await csrf(browser, shown)}"
            ended = (await browser.post(address, content=form)).text
            assert "In force since" in ended

    visit(court, steps)
    read = query(court, "SELECT action FROM audit_log WHERE action = 'item.read'")
    assert read == [("item.read",)]
    with court.store.connect() as connection:
        assert find_amendment(connection, amendment.id).state == "ratified"


def test_red_is_shown_red_and_a_refused_vote_says_why(court: Court) -> None:
    with court.store.connect() as connection:
        court.fake.remembered = {r.request for r in all_precedents(connection) if r.half == "seen"}
    amendment = measure(court, draft(court, OVERFIT))
    ada = token_of(court, "Ada")

    async def steps(enter: Any) -> None:
        async with enter(ada) as browser:
            shown = (await browser.get(f"/lead/amendments/{amendment.id}")).text
            assert 'class="verdict red"' in shown
            assert "I am for it although its impact is red" in shown
            form = f"choice=for&override=yes&csrf={await csrf(browser, shown)}"
            told = (await browser.post(f"/lead/amendments/{amendment.id}/vote", content=form)).text
            assert "an override needs a reason" in told

    visit(court, steps)
    assert query(court, "SELECT count(*) FROM amendment_votes") == [(0,)]


def test_a_rule_is_proposed_from_ones_own_decision(court: Court) -> None:
    [(review,)] = query(court, "SELECT review_id FROM decisions LIMIT 1")
    ada = token_of(court, "Ada")
    _, stranger = add_expert(court.store, "Eve", by="test")

    async def steps(enter: Any) -> None:
        async with enter(ada) as browser:
            page = (await browser.get(f"/law/propose/{review}")).text
            assert "It names the unit of the amount" in page  # the rationale is what one begins with
            key = await csrf(browser, page)
            address = f"/law/propose/{review}"
            empty = await browser.post(address, content=f"text=&reason=x&csrf={key}")
            assert empty.status_code == 422
            long = "x" * 601
            assert (
                "cannot be a rule"
                in (await browser.post(address, content=f"text={long}&reason=x&csrf={key}")).text
            )
            made = await browser.post(
                address, content=f"text=Says+the+unit+<b>always</b>.&reason=units&place=first&csrf={key}"
            )
            assert "1.0.0 → 1.1.0" in made.text
            assert "<b>always" not in made.text
            assert "You proposed it" in made.text
        async with enter(stranger) as browser:
            assert (await browser.get(f"/law/propose/{review}")).status_code == 404
            assert (await browser.get("/lead/amendments")).status_code == 403

    visit(court, steps)
    with court.store.connect() as connection:
        [(found,)] = query(court, "SELECT id FROM amendments")
        amendment = find_amendment(connection, found)
    assert amendment.document.ids()[0] == "says-the-unit-b"
    assert amendment.cites == (query(court, f"SELECT id FROM decisions WHERE review_id = '{review}'")[0][0],)
    assert amendment.proposer == court.ada.actor


def test_the_endpoints_tell_the_same(court: Court) -> None:
    [(review,)] = query(court, "SELECT review_id FROM decisions LIMIT 1")
    ada, ben = token_of(court, "Ada"), token_of(court, "Ben")

    async def run() -> None:
        app = create_app(court.project, Options(work=False))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://solon.test/api/v1") as api:
            api.headers["Authorization"] = f"Bearer {ada}"
            rule = {
                "review": review,
                "text": "Says the unit.",
                "reason": "units matter",
                "name": "Says Units",
            }
            made = (await api.post("/amendments", json=rule)).json()
            assert made["version"] == "1.1.0"
            again = await api.post("/amendments", json=rule)
            assert (again.status_code, again.json()["error"]) == (422, "invalid")
            [listed] = (await api.get("/amendments")).json()
            assert listed["id"] == made["id"]
            api.headers["Authorization"] = f"Bearer {ben}"
            early = await api.post(f"/amendments/{made['id']}/votes", json={"in_favour": True})
            assert "was not measured yet" in early.json()["cause"]
            await asyncio.to_thread(measure, court, find(court, made["id"]))
            shown = (await api.get(f"/amendments/{made['id']}")).json()
            assert shown["changes"][0]["id"] == "says-units"
            assert set(shown["impact"]["parts"]) == {"seen", "held_out", "fresh"}
            fare = (await api.get("/principles")).json()
            assert {p["id"] for p in fare["principles"]} >= {"avoids-harm"}
            assert (await api.get("/amendments/abcdef0123")).status_code == 404

    asyncio.run(run())


def test_what_is_told_of_law_is_what_is_found(court: Court) -> None:
    """The schemas of the answers neither add, drop nor change a key: before the votes and after, with flips."""
    amendment = measure(court, draft(court, RULE))
    ada, ben = token_of(court, "Ada"), token_of(court, "Ben")

    async def run() -> None:
        app = create_app(court.project, Options(work=False))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://solon.test/api/v1") as api:
            for token, state in ((ada, "measured"), (ben, "ratified")):
                api.headers["Authorization"] = f"Bearer {token}"
                told = await api.post(f"/amendments/{amendment.id}/votes", json={"in_favour": True})
                assert (set(told.json()), told.json()["state"]) == (STANDING, state)
                shown = (await api.get(f"/amendments/{amendment.id}")).json()
                with court.store.connect() as connection:
                    found = show_amendment(app.state.room, connection, amendment.id)
                assert shown == json.loads(json.dumps(found))
                assert {vote["choice"] for vote in shown["votes"]} == {"for"}
                flip = shown["flips"][0]
                case = (await api.get(f"/amendments/{amendment.id}/flips/{flip['precedent_id']}")).json()
                assert flip.items() <= case.items()
                assert set(case) == {*flip, *CASE}
                assert [answer["place"] for answer in case["answers"]] == ["A", "B"]
            fare = (await api.get("/principles")).json()
            law, uses = read_principles(app.state.room)
            assert fare["principles"] == json.loads(json.dumps([use.to_json() for use in uses.value]))
            assert (fare["name"], fare["version"]) == (law.name, law.version)

    asyncio.run(run())


def find(court: Court, amendment_id: str) -> Any:
    with court.store.connect() as connection:
        return find_amendment(connection, amendment_id)


def test_rules_are_named_by_their_first_words() -> None:
    assert name_rule("Gives the amount with its unit.") == "gives-the-amount-with"
    assert name_rule("3 Éléments: cités!") == "elements-cites"
    assert name_rule("不") == "new-rule"
