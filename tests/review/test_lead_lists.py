"""Lists that leads work through: disagreements as a queue with filters, the log, the preview of an export."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from test_adjudication import cases, first_review, give, other_review, rule

from solon.project import Project
from solon.review.auth import COOKIE
from solon.review.plain_words import link_subject, spell_code
from solon.review.routes.lead_pages import read_day
from solon.store.reviewing.adjudicating import NO_FILTERS, Case, CaseFilters, list_cases, next_case
from solon.store.reviewing.experts import ExpertRow


@pytest.fixture
def three(project: Project, person: Any) -> tuple[ExpertRow, list[Case]]:
    """Ada and Bo answered three questions differently."""
    ada, bo = person("Ada")[0], person("Bo")[0]
    for _ in range(3):
        _, review = give(project, ada, first_review(project), 0)
        give(project, bo, other_review(project, review), 1)
    return ada, cases(project)


async def log_in(http: Any, token: str) -> str:
    """Log a browser in; returns the CSRF token of its pages."""
    entered = await http.post("/login", data={"token": token})
    assert entered.headers["location"] == "/lead"
    http.cookies.set(COOKIE, entered.cookies[COOKIE])
    return re.findall(r'name="csrf" value="(\w+)"', (await http.get("/outcomes")).text)[0]


def test_the_queue_goes_on_with_the_oldest_that_fits(project: Project, person: Any, three: Any) -> None:
    ada, (first, second, third) = three
    lea = person("Lea", role="lead")[0]
    text = CaseFilters(text="TENANT")
    with project.store.connect() as connection:
        assert [case.id for case in list_cases(connection, "open", text)] == [second.id]
        assert next_case(connection, lea.actor, NO_FILTERS) == first.id
        assert next_case(connection, lea.actor, NO_FILTERS, first) == second.id
        assert next_case(connection, lea.actor, NO_FILTERS, third) == first.id, (
            "from the end to the beginning"
        )
        assert next_case(connection, lea.actor, text, second) is None
        assert next_case(connection, ada.actor, NO_FILTERS) is None, "she gave one of the answers"
        for filters, n in (
            (CaseFilters(recipe="preference"), 3), (CaseFilters(recipe="labels"), 0),
            (CaseFilters(reason="split"), 3), (CaseFilters(reason="spl%"), 0),
            (CaseFilters(reviewer=ada.actor), 0),
        ):  # fmt: skip
            assert len(list_cases(connection, None, filters)) == n, filters
    rule(project, lea, first, "prefer", 0)
    with project.store.connect() as connection:
        of_ada = list_cases(connection, None, CaseFilters(reviewer=ada.actor))
        assert [case.id for case in of_ada] == [first.id], "names are told of settled ones"


def test_settling_opens_the_next(
    project: Project, person: Any, serving: Any, client: Any, three: Any
) -> None:
    ada, (first, second, third) = three
    token = person("Lea", role="lead")[1]

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            csrf = await log_in(http, token)
            listed = (await http.get("/lead/adjudications?text=case&state=open")).text
            assert "Nothing here." in listed
            listed = (await http.get("/lead/adjudications?recipe=preference")).text
            assert f"/lead/adjudications/{first.id}?recipe=preference" in listed
            assert f"/lead/items/{first.item_id}" not in (await http.get("/lead/log")).text
            await http.get("/lead/adjudications?reason=split&text=tenant")
            noted = (await http.get("/lead/log?action=item.read")).text
            assert f"/lead/items/{second.item_id}" in noted, "a reason tells of the panel"
            assert first.item_id not in noted
            url = f"/lead/adjudications/{first.id}?recipe=preference"
            shown = (await http.get(url)).text
            assert "Left for you: <b>3</b>" in shown
            assert f'id="next-case" href="/lead/adjudications/{second.id}?recipe=preference"' in shown
            shown = (await http.get(f"/lead/adjudications/{second.id}?text=tenant")).text
            assert "Left for you: <b>1</b>" in shown, "as many as the list shows"
            form = {"csrf": csrf, "choice": "tie", "reason": "Both say the same."}
            wrong = await http.post(url, data={**form, "choice": "edit"})
            assert "Both say the same." in wrong.text
            for here, there in ((first, second.id), (second, third.id), (third, "")):
                sent = await http.post(f"/lead/adjudications/{here.id}?recipe=preference", data=form)
                place = f"/{there}" if there else ""
                wanted = f"/lead/adjudications{place}?recipe=preference&settled={here.id}"
                assert (sent.status_code, sent.headers["location"]) == (303, wanted)
            assert "None is left for you" in (await http.get(sent.headers["location"])).text
            api = await http.get(f"/api/v1/adjudications?state=decided&reviewer={ada.id}")
            assert (api.json()[0]["recipe"], api.json()[0]["item"]) == ("preference", first.item_id)

    asyncio.run(go())


def test_the_log_is_filtered_and_leads_on(project: Project, person: Any, serving: Any, client: Any) -> None:
    lea, token = person("Lea", role="lead")
    _, review = give(project, person("Ada")[0], first_review(project), 0)

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            told = (await http.get("/lead/log")).text
            assert "review decided" in told
            assert f'<a href="/lead/items/{review.id}">' in told
            assert re.search(
                r'<time datetime="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ">\d{4}-\d\d-\d\d \d\d:\d\d UTC', told
            )
            by_ada = (await http.get("/lead/log?action=review.decided")).text
            assert by_ada.count("<tr>") == 2
            assert (
                "Nothing here." in (await http.get(f"/lead/log?actor={lea.actor}&action=review.decided")).text
            )
            assert "Nothing here." in (await http.get("/lead/log?until=2001-01-01")).text
            assert "review decided" in (await http.get("/lead/log?since=2001-01-01&until=2999-12-31")).text
            for asked in ("since=yesterday", "since=2026-11-29&zone=Mars", "until=9999-12-31"):
                wrong = await http.get(f"/lead/log?{asked}", headers={"Accept": "application/json"})
                named = "zone" if "zone" in asked else asked.partition("=")[0]
                assert (wrong.status_code, named in wrong.text) == (422, True)

    asyncio.run(go())


def test_codes_in_words_and_where_an_entry_leads() -> None:
    assert [spell_code(code) for code in ("split", "session.begun", "item.read", "decided")] == [
        "the judges disagree", "logged in", "item read", "decided",
    ]  # fmt: skip
    assert link_subject("review.decided", "r1") == "/lead/items/r1"
    assert link_subject("run.begun", "r1") == "/lead/runs?run=r1"
    assert link_subject("session.begun", "s1") == link_subject("queue.read", "") == ""


def test_an_export_shows_its_first_rows_before_it_is_made(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    give(project, person("Ada")[0], first_review(project), 0)
    project.resume()
    token = person("Lea", role="lead")[1]

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            form = {"csrf": await log_in(http, token), "format": "trl-preference", "step": "preview"}
            told = (await http.post("/lead/exports", data=form)).text
            assert told.count('class="boxed preview"') == 1
            assert "&#34;chosen&#34;" in told
            assert "stomach.\n\n- Paracetamol is the usual" in told, "lines stay lines"
            assert "...&#34;" in told, "long texts are cut"
            assert "No exports yet." in told, "nothing was begun"
            assert "<option selected>trl-preference</option>" in told
            told = (await http.post("/lead/exports", data={**form, "certified_only": "yes"})).text
            assert "boxed preview" in told, "what a person decided needs no promise"
            assert (await http.post("/lead/exports", data={**form, "format": "gif"})).status_code == 422
            assert "export previewed" in (await http.get("/lead/log")).text

    asyncio.run(go())


def test_a_day_of_the_log_is_one_of_the_readers() -> None:
    """It begins at their midnight, and has 23 hours where summer time begins."""
    march = [read_day("2026-03-29", "since", zone) for zone in ("Europe/Stockholm", "UTC", "Asia/Tokyo")]
    assert [day - 1774742400 for day in march if day] == [-3600.0, 0.0, -9 * 3600.0]
    ends = read_day("2026-03-29", "until", "Europe/Stockholm", ends=True)
    assert (ends or 0.0) - (march[0] or 0.0) == 23 * 3600
    assert read_day(" ", "since", "Mars") is None
