"""An open page follows the queue: what comes appears by itself, also after its session ended or a proxy failed."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from solon.store.tables import table_of

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, DESKTOP
from running import Server, wait_for

from solon.project import Project
from solon.review import live
from solon.store.tables.experts import Session
from solon.store.tables.people import Review

pytestmark = BROWSER_MARKS
EMPTY = ".empty:not([data-empty=fetching])"


def set_all(project: Project, state: str) -> None:
    with project.store.transaction() as connection:
        connection.execute(update(table_of(Review)).values(state=state))


def empty_page(browser: Any, server: Server, token: str) -> Any:
    """Somebody logged in, with nothing to do. `followed` counts how often the page opened the stream."""
    page = browser.new_context(viewport=DESKTOP).new_page()
    page.problems, page.followed = [], []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("request", lambda sent: page.followed.append(1) if sent.url.endswith("/events") else None)
    page.set_default_timeout(120_000)
    page.goto(server.address)
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector(EMPTY)
    return page


def test_an_item_appears_by_itself(browser: Any, server: Server, project: Project, person: Any) -> None:
    set_all(project, "withdrawn")
    page = empty_page(browser, server, person("Ada")[1])
    page.wait_for_timeout(1500)
    assert page.query_selector(".item") is None
    set_all(project, "waiting")
    page.wait_for_selector(".item")
    assert (page.problems, len(page.followed)) == ([], 1)


def test_an_ended_session_asks_to_log_in_and_goes_on_listening(
    browser: Any, server: Server, project: Project, person: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "KEEP_ALIVE_SECONDS", 0.0)
    set_all(project, "withdrawn")
    _, token = person("Ada")
    page = empty_page(browser, server, token)
    with project.store.transaction() as connection:
        connection.execute(update(table_of(Session)).values(ended_at=1.0))
    page.wait_for_selector("#again[open]")
    page.fill("#again-token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector("#again", state="hidden")
    page.wait_for_selector(EMPTY)
    set_all(project, "waiting")
    page.wait_for_selector(".item")
    assert page.problems == []


def test_a_proxy_that_fails_for_a_moment_ends_nothing(
    browser: Any, server: Server, project: Project, person: Any
) -> None:
    set_all(project, "withdrawn")
    _, token = person("Ada")
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    refused: list[str] = []

    def refuse(route: Any) -> None:
        refused.append(route.request.url)
        route.fulfill(status=502, body="Bad gateway")

    page.route("**/api/v1/events", refuse)
    page.set_default_timeout(120_000)
    page.goto(server.address)
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector(EMPTY)
    wait_for(lambda: page.wait_for_timeout(100) or refused)
    page.unroute("**/api/v1/events")
    set_all(project, "waiting")
    page.wait_for_selector(".item")
    assert page.query_selector("#again[open]") is None
