"""Smaller things of the review page, in a headless Chromium: what lies under the cover, what goes to a lead."""

from __future__ import annotations

import re
from typing import Any

import pytest

from solon.agents.models.scripted import ScriptedChat
from solon.store.tables import table_of

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, answer, log_in, request_text, settled
from cases import CONFIG, build, seeds
from running import Server, wait_for
from sqlalchemy import select

from solon.project import Project
from solon.store.reviewing.experts import add_expert
from solon.store.tables.people import Assignment
from solon.store.tables.runs import Text

pytestmark = BROWSER_MARKS


def test_nothing_opens_over_the_cover(browser: Any, server: Server, person: Any) -> None:
    """Guidelines that arrive after somebody has left stay closed."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    waiting: list[Any] = []
    page.route("**/api/v1/guidelines", lambda route: waiting.append(route))
    page.keyboard.press("g")
    wait_for(lambda: page.evaluate("true") and waiting)
    page.click("[data-do=pause]")
    with page.expect_response("**/api/v1/guidelines"):
        waiting[0].continue_()
    page.wait_for_timeout(300)
    assert page.is_visible("#cover")
    assert page.query_selector("dialog[open]") is None
    page.unroute("**/api/v1/guidelines")
    page.click("[data-do=resume]")
    page.keyboard.press("g")
    page.wait_for_selector("#dialog[open]")
    assert page.problems == []


def test_a_skip_is_taken_back_and_an_empty_queue_counts_what_was_set_aside(
    browser: Any, tmp_path: Any
) -> None:
    url = build(tmp_path, [{**one, "prompt": f"${n}^2$? {one['prompt']}"} for n, one in enumerate(seeds(2))])
    with Project(url, config=CONFIG, create=False) as project:
        _, token = add_expert(project.store, "Ada", by="local:test")
        server = Server(project, work=False)
        server.start()
        try:
            page = log_in(browser, server, token)
            first = request_text(page)
            answer(page, "s")
            page.keyboard.press("s")
            page.keyboard.press("Enter")
            page.wait_for_selector("[data-empty=nothing_for_you]")
            assert page.inner_text(".empty").startswith("2 reviews wait, but not for you")
            page.wait_for_selector("[data-do=undo]:visible")
            page.keyboard.press("u")
            page.wait_for_selector(".item")
            assert page.inner_text("#said").startswith("Taken back. It is yours again")
            assert request_text(page) != first
            page.keyboard.press("2")
            page.focus("#rationale")
            page.keyboard.type("Safer.")
            page.keyboard.press("Control+Enter")
            settled(page, 1)
            page.click("[data-do=answers]")
            page.wait_for_selector("#dialog .answers li")
            assert "prefer answer 2" in page.inner_text("#dialog .answers li")
            assert page.locator("#dialog .answers math").count() == 2, "what was skipped stands there, too"
            at = page.inner_text("#dialog time")
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", at), "as on the pages of leads"
            assert page.problems == []
        finally:
            server.stop()


def test_what_was_chosen_goes_to_the_lead_as_a_vote(
    browser: Any, server: Server, project: Any, person: Any
) -> None:
    _, token = person("Ada")
    page = log_in(browser, server, token)
    better = page.get_attribute(".candidate >> nth=1", "data-candidate")
    page.keyboard.press("2")
    page.check("input[name=strength][value='3']")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("x")
    assert page.inner_text(".chosen").endswith(", with your answer")
    page.keyboard.type("Ask a lead about the dose.")
    before = request_text(page)
    page.keyboard.press("Control+Enter")
    wait_for(lambda: request_text(page) != before)
    page.wait_for_selector("#last:not([hidden])")
    with project.store.connect() as connection:
        found = select(table_of(Assignment).c.answer).where(table_of(Assignment).c.state == "escalated")
        kept = connection.execute(found).scalar_one()
        said = select(table_of(Text).c.body).where(table_of(Text).c.id == kept["rationale"])
        assert connection.execute(said).scalar_one() == "Ask a lead about the dose."
    assert (kept["choice"], kept["candidate"], kept["strength"]) == ("prefer", better, 3)
    assert page.problems == []


def test_an_answer_is_checked_by_a_model_before_it_is_sent(browser: Any, project: Any, person: Any) -> None:
    """What it says stands on the page as plain text, and the answer may be sent all the same."""
    said = {"kind": "missing_reason", "text": "<b>Why</b> is not said.", "cites": []}
    config = project.config
    models = {
        **config.models,
        "reader": config.models["default"].model_copy(update={"model": "scripted:reader"}),
    }
    project.config = config.model_copy(update={"models": models})
    project.models = {"reader": ScriptedChat(respond=lambda question: {"remarks": [said]})}
    server = Server(project, check="reader", work=False)
    server.start()
    try:
        _, token = person("Dr Ada Lind")
        page = log_in(browser, server, token)
        page.click("text=Check my answer")
        assert page.inner_text(".problem") == "Choose an answer first."
        page.keyboard.press("1")
        page.click("text=Check my answer")
        page.wait_for_selector(".checked li")
        assert (
            page.inner_text(".checked li")
            == "Your reason may leave out what decides: <b>Why</b> is not said."
        )
        answer(page, "2", why="It is safer.")
        settled(page, 1)
    finally:
        server.stop()
