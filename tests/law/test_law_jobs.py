"""Measuring an amendment and judging again, begun on the page: progress, limits, refusals, a server that dies."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs the extra solon[review]")

import httpx

from solon import Project
from solon.agents.models.scripted import ScriptedChat
from solon.agents.models.scripted_rules import Script
from solon.review.app import create_app
from solon.review.jobs import Jobs
from solon.review.law_jobs import LawWork
from solon.review.state import Options
from solon.store.database import clock
from solon.store.lawmaking.amendments import find_amendment, trials_of
from solon.store.reviewing.jobs import MOST_TRIES, JobRow, find_job, list_jobs, set_job, take_job

from .conftest import CONFIG, RULE, Court
from .test_law_pages import csrf, token_of
from .test_lawmaking import cast, draft, measure, query
from .test_rejudging import NEVER, ratify, run_under


def serve(court: Court, steps: Callable[[Any, Any], Awaitable[None]], *, work: bool = True) -> None:
    """Run steps against a server whose jobs are worked on; `enter(token)` gives a browser that is logged in."""

    async def run() -> None:
        app = create_app(court.project, Options(work=work))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        jobs = app.state.room.jobs
        jobs.start()

        @asynccontextmanager
        async def enter(token: str) -> Any:
            base = httpx.AsyncClient(transport=transport, base_url="http://solon.test", follow_redirects=True)
            async with base as browser:
                assert (await browser.post("/login", content=f"token={token}")).status_code == 200
                yield browser

        try:
            await steps(enter, jobs)
        finally:
            await jobs.stop()

    asyncio.run(run())


async def ended(court: Court, kind: str) -> JobRow:
    until = time.monotonic() + 300
    while True:
        with court.store.connect() as connection:
            [job] = list_jobs(connection, kind)
        if not job.open:
            return job
        assert time.monotonic() < until, job
        await asyncio.sleep(0.05)


def test_a_lead_measures_on_the_page_within_limits_and_goes_on(court: Court) -> None:
    amendment = draft(court, RULE)
    ada = token_of(court, "Ada")
    address = f"/lead/amendments/{amendment.id}"

    async def steps(enter: Any, _jobs: Any) -> None:
        async with enter(ada) as browser:
            shown = (await browser.get(address)).text
            assert "Not measured yet" in shown
            key = await csrf(browser, shown)
            bad = await browser.post(f"{address}/impact", content=f"sample=0&csrf={key}")
            assert "is no number of one or more" in bad.text
            cost = await browser.post(f"{address}/impact", content=f"max_cost=nan&csrf={key}")
            assert "is no limit on cost" in cost.text
            begun = await browser.post(f"{address}/impact", content=f"sample=60&max_calls=20&csrf={key}")
            assert 'id="job" data-open="yes"' in begun.text
            job = await ended(court, "impact")
            assert (job.state, job.problem) == ("done", None)
            assert job.progress is not None
            assert job.progress["calls"] == 20
            shown = (await browser.get(address)).text
            assert "Stopped early: --max-calls 20 reached" in shown
            assert 'id="job" data-open="no"' in shown
            assert "Measure it again" in shown

    serve(court, steps)
    with court.store.connect() as connection:
        found = find_amendment(connection, amendment.id)
    assert found.impact is not None
    assert found.impact["calls"] == 20
    asked = query(court, "SELECT actor FROM audit_log WHERE action IN ('impact.asked', 'amendment.measured')")
    assert set(asked) == {(court.ada.actor,)}


def test_a_limit_on_cost_without_prices_is_refused_with_its_reason(court: Court) -> None:
    amendment = draft(court, RULE)
    with Project(
        court.store.url,
        config={**CONFIG, "models": {"default": {"model": "openai:none", "base_url": "http://127.0.0.1:9"}}},
        models=court.models,
    ) as other:
        court.project = other
        ada = token_of(court, "Ada")

        async def steps(enter: Any, _jobs: Any) -> None:
            async with enter(ada) as browser:
                page = (await browser.get(f"/lead/amendments/{amendment.id}")).text
                form = f"max_cost=1&csrf={await csrf(browser, page)}"
                await browser.post(f"/lead/amendments/{amendment.id}/impact", content=form)
                job = await ended(court, "impact")
                assert job.state == "failed"
                shown = (await browser.get(f"/lead/amendments/{amendment.id}")).text
                assert "needs the price of every model" in shown

        serve(court, steps)


def test_after_ratification_a_lead_judges_again_with_a_budget(court: Court) -> None:
    run_under(court, NEVER, 100, 12)
    ratify(court)
    ada = token_of(court, "Ada")

    async def steps(enter: Any, _jobs: Any) -> None:
        async with enter(ada) as browser:
            [(amendment,)] = query(court, "SELECT id FROM amendments")
            assert "/lead/rejudge" in (await browser.get(f"/lead/amendments/{amendment}")).text
            page = (await browser.get("/lead/rejudge")).text
            assert "<dt>stale records</dt><dd>12</dd>" in page
            form = f"max_calls=6&csrf={await csrf(browser, page)}"
            assert 'data-open="yes"' in (await browser.post("/lead/rejudge", content=form)).text
            job = await ended(court, "rejudge")
            assert job.state == "done", job.problem
            assert job.result is not None
            assert job.result["calls"] <= 6
            assert job.result["confirmed"] + job.result["replaced"] == 3
            shown = (await browser.get("/lead/rejudge")).text
            assert "<dt>stale records</dt><dd>9</dd>" in shown
            assert "9 were not reached" in shown

    serve(court, steps)


def test_a_server_without_a_worker_refuses_and_says_what_to_run(court: Court) -> None:
    amendment = draft(court, RULE)
    ada = token_of(court, "Ada")

    async def steps(enter: Any, _jobs: Any) -> None:
        async with enter(ada) as browser:
            shown = (await browser.get(f"/lead/amendments/{amendment.id}")).text
            assert f"solon constitution impact {amendment.id}" in shown
            assert '<button class="send" type="submit">Measure' not in shown
            form = f"sample=5&csrf={await csrf(browser, shown)}"
            told = (await browser.post(f"/lead/amendments/{amendment.id}/impact", content=form)).text
            assert "this server asks no models (--no-work)" in told
            again = (await browser.post("/lead/rejudge", content=form)).text
            assert "solon rejudge --budget CALLS" in again
            api = {"Authorization": f"Bearer {ada}"}
            refused = await browser.post("/api/v1/rejudge", json={}, headers=api)
            assert (refused.status_code, refused.json()["error"]) == (409, "not_pending")

    serve(court, steps, work=False)
    assert query(court, "SELECT count(*) FROM jobs") == [(0,)]


def test_experts_who_are_no_leads_begin_nothing(court: Court) -> None:
    from solon.store.reviewing.experts import add_expert

    amendment = draft(court, RULE)
    _, eve = add_expert(court.store, "Eve", by="test")

    async def steps(enter: Any, _jobs: Any) -> None:
        async with enter(eve) as browser:
            api = {"Authorization": f"Bearer {eve}"}
            for path in (f"/api/v1/amendments/{amendment.id}/impact", "/api/v1/rejudge"):
                assert (await browser.post(path, json={}, headers=api)).status_code == 403
            assert (await browser.get("/lead/rejudge")).status_code == 403

    serve(court, steps)


class Died(BaseException):
    """The end of a process, for a thread."""


def crash_after(court: Court, monkeypatch: pytest.MonkeyPatch, trials: int) -> threading.Event:
    """Let the measuring server die once so many precedents are judged: its job stays in hand, as after `kill -9`."""
    died = threading.Event()
    real = LawWork._tell

    def tell(self: LawWork, done: int, of: int, meter: Any) -> None:
        real(self, done, of, meter)
        if done == trials and not died.is_set():
            died.set()
            meter.stopping = "it died"
            raise Died

    monkeypatch.setattr(LawWork, "_tell", tell)
    return died


def test_a_measurement_that_its_server_died_of_is_gone_on_with(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    amendment = draft(court, RULE)
    ada = token_of(court, "Ada")

    async def begin(enter: Any, jobs: Any) -> None:
        died = crash_after(court, monkeypatch, 20)
        async with enter(ada) as browser:
            api = {"Authorization": f"Bearer {ada}"}
            asked = {"sample": 60, "max_calls": 110}
            path = f"/api/v1/amendments/{amendment.id}/impact"
            job = (await browser.post(path, json=asked, headers=api)).json()
            assert job["state"] in ("queued", "running")
            twice = (await browser.post(path, json=asked, headers=api)).json()
            assert twice["id"] == job["id"]
            assert await asyncio.to_thread(died.wait, 60)
            await asyncio.wait({jobs._task})

    with pytest.raises(Died):
        serve(court, begin)
    with court.store.connect() as connection:
        [job] = list_jobs(connection, "impact")
        judged = len(trials_of(connection, amendment.id))
    assert job.state == "running"
    assert 20 <= judged < 60
    assert find(court, amendment.id).impact is None  # half a measurement is none

    async def go_on(_enter: Any, jobs: Jobs) -> None:
        jobs.lost = 0.0
        found = await ended(court, "impact")
        assert (found.state, found.tries) == ("done", 2)

    serve(court, go_on)
    whole = find(court, amendment.id)
    assert whole.impact is not None
    assert whole.impact["sample"] in range(50, 61)
    calls = query(court, "SELECT count(*) FROM calls WHERE role = 'judge' AND outcome = 'ok'")
    untouched = 2 * 60  # both orders of sixty pairs under the old law, when they were first judged
    assert calls[0][0] <= untouched + 110 + 8  # what had been in flight when it died may repeat


def find(court: Court, amendment_id: str) -> Any:
    with court.store.connect() as connection:
        return find_amendment(connection, amendment_id)


def test_a_server_that_is_stopped_leaves_the_job_to_the_next(court: Court) -> None:
    amendment = draft(court, RULE)
    ada = token_of(court, "Ada")
    slow = ScriptedChat(respond=court.fake.respond, script=Script(latency=0.3))
    quick = court.project.models
    court.project.models = {"default": slow}

    async def stop_early(enter: Any, jobs: Any) -> None:
        async with enter(ada) as browser:
            api = {"Authorization": f"Bearer {ada}"}
            await browser.post(f"/api/v1/amendments/{amendment.id}/impact", json={}, headers=api)
            while True:
                with court.store.connect() as connection:
                    if len(trials_of(connection, amendment.id)) > 3:
                        break
                await asyncio.sleep(0.01)
            await jobs.stop()

    serve(court, stop_early)
    with court.store.connect() as connection:
        [job] = list_jobs(connection, "impact")
    assert (job.state, job.tries) == ("queued", 0)
    assert find(court, amendment.id).impact is None
    court.project.models = quick

    async def go_on(_enter: Any, _jobs: Any) -> None:
        assert (await ended(court, "impact")).state == "done"

    serve(court, go_on)
    assert find(court, amendment.id).impact["sample"] == 60


def test_jobs_that_kill_every_server_are_given_up(court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing counts as dead also where the clock was set back."""
    with court.store.transaction() as connection:
        from solon.store.reviewing.jobs import add_job

        job_id = add_job(connection, "rejudge", court.ada.actor, {"max_calls": 1, "max_cost": None})
        for n in range(1, MOST_TRIES + 1):
            monkeypatch.setattr(clock, "now", lambda off=86400 * (-1) ** n: time.time() + off)
            taken = take_job(connection, ("rejudge",))
            assert taken is not None
            assert taken.tries == n
        assert take_job(connection, ("rejudge",), lost=-1.0) is None
        assert find_job(connection, job_id).problem == "the server ended"
        set_job(connection, job_id, "queued")
        assert take_job(connection, ("export",)) is None


def test_a_closed_amendment_is_measured_no_more(court: Court) -> None:
    amendment = measure(court, draft(court, RULE))
    for lead in (court.ada, court.ben):
        cast(court, amendment, lead)
    ada = token_of(court, "Ada")

    async def steps(enter: Any, _jobs: Any) -> None:
        async with enter(ada) as browser:
            path = f"/api/v1/amendments/{amendment.id}/impact"
            refused = await browser.post(path, json={}, headers={"Authorization": f"Bearer {ada}"})
            assert refused.status_code == 409
            assert "ratified" in refused.json()["cause"]
            missing = await browser.post(
                "/api/v1/amendments/abcdef/impact", json={}, headers={"Authorization": f"Bearer {ada}"}
            )
            assert missing.status_code == 404

    serve(court, steps)


def test_a_rule_is_split_on_the_page(court: Court) -> None:
    [(review,)] = query(court, "SELECT review_id FROM decisions LIMIT 1")
    ada = token_of(court, "Ada")

    async def steps(enter: Any, _jobs: Any) -> None:
        async with enter(ada) as browser:
            page = (await browser.get(f"/law/split/{review}")).text
            names = re.findall(r'<option[^>]* value="([\w-]+)"', page)
            key = await csrf(browser, page)
            one = f"principle={names[1]}&text1=Says+it.&text2=&reason=two+things&csrf={key}"
            assert "two rules or more" in (await browser.post(f"/law/split/{review}", content=one)).text
            form = (
                f"principle={names[1]}&text1=Names+units.&text2=Is+right.&name2=Right&reason=two&csrf={key}"
            )
            made = (await browser.post(f"/law/split/{review}", content=form)).text
            assert "1.0.0 → 2.0.0" in made
            assert "<b>names-units</b> <ins>Names units.</ins>" in made
            assert "<b>right</b>" in made
            api = {"Authorization": f"Bearer {ada}"}
            rule = {
                "review": review,
                "principle": names[0],
                "reason": "r",
                "parts": [{"text": "Is a."}, {"text": "Is b."}],
            }
            again = await browser.post("/api/v1/amendments/split", json=rule, headers=api)
            assert again.json()["version"] == "2.0.0"
            shown = (await browser.get(f"/api/v1/amendments/{again.json()['id']}", headers=api)).json()
            assert [change["action"] for change in shown["changes"]] == ["split"]

    serve(court, steps)
