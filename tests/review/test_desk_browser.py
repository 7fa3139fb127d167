"""Lead pages, the lock and the reading aids in a headless Chromium: keyboard alone, phone width, dark mode."""

from __future__ import annotations

from typing import Any

import pytest

from solon.store.tables import table_of

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, PHONE, answer, log_in, settled, shot, tab_to
from running import Server, wait_for
from sqlalchemy import update

from solon.project import Project
from solon.store.tables.people import Review

pytestmark = BROWSER_MARKS
WIDTH = "document.documentElement.scrollWidth"


def propose(page: Any, words: str) -> None:
    page.keyboard.press("p")
    page.fill("#proposal", words)
    page.keyboard.press("Escape")
    answer(page, "1", why="It names the interaction.")


def test_a_leads_desk_by_keyboard_alone(browser: Any, server: Server, project: Project, person: Any) -> None:
    _, token = person("Dr Lea Sund", role="lead")
    page = log_in(browser, server, token)
    propose(page, "Names the interaction before the dose.")
    settled(page, 1)
    propose(page, "Is short.")
    settled(page, 2)

    page.goto(f"{server.address}/lead/proposals")
    shot(page, "proposals")
    tab_to(page, "article:nth-of-type(1) details:nth-of-type(1) summary")
    page.keyboard.press("Enter")
    tab_to(page, "textarea[name=reason]")
    page.keyboard.type("Two reviewers missed it.")
    shot(page, "proposal-draft", full_page=True)
    tab_to(page, "article:nth-of-type(1) details:nth-of-type(1) button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/lead/amendments/*")
    assert "Names the interaction before the dose." in page.inner_text("main")
    page.goto(f"{server.address}/lead/proposals")
    tab_to(page, "article details:nth-of-type(2) summary")
    page.keyboard.press("Enter")
    tab_to(page, "textarea[name=why]")
    page.keyboard.type("Length is no virtue of its own.")
    tab_to(page, "article details:nth-of-type(2) button")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Nothing here.")

    with project.store.transaction() as connection:
        ids = [review.id for review in project.reviews()]
        for review_id, values in zip(ids, ({"kind": "audit"}, {"rule": "pilot"}), strict=False):
            connection.execute(
                update(table_of(Review)).where(table_of(Review).c.id == review_id).values(**values)
            )
    page.goto(f"{server.address}/lead/bulk")
    tab_to(page, "input[name=choice]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    tab_to(page, "#rationale")
    page.keyboard.type("The guideline behind all of these was withdrawn.")
    tab_to(page, "button.send")
    page.keyboard.press("Enter")
    page.wait_for_selector("#counted")
    assert "random samples" in page.inner_text("main")
    shot(page, "bulk", full_page=True)
    tab_to(page, "section button.send")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=reviews are decided")

    page.goto(f"{server.address}/lead/exports")
    page.select_option("select[name=format]", "jsonl")
    tab_to(page, "form.filters button.send")
    page.keyboard.press("Enter")
    page.wait_for_selector("a[download]", timeout=300_000)
    shot(page, "exports")
    with page.expect_download() as waited:
        tab_to(page, "a[download]")
        page.keyboard.press("Enter")
    assert waited.value.suggested_filename == "solon-jsonl.jsonl"
    assert page.problems == []


def test_lead_pages_on_a_phone_in_the_dark(browser: Any, server: Server, person: Any) -> None:
    _, token = person("Lea", role="lead")
    page = log_in(browser, server, token, viewport=PHONE, color_scheme="dark", has_touch=True)
    propose(page, "Names the interaction before the dose.")
    settled(page, 1)
    for name in ("proposals", "bulk", "exports", "queue"):
        page.goto(f"{server.address}/lead/{name}")
        assert page.evaluate(WIDTH) <= PHONE["width"], name
        shot(page, f"{name}-phone")
    assert page.problems == []


def test_the_lock_covers_what_is_open(browser: Any, server: Server, person: Any) -> None:
    """After idle minutes the text is covered, dialogs too, and the clock stands."""
    _, token = person("Ada")
    page = log_in(browser, server, token, clock=True)
    page.keyboard.press("g")
    page.wait_for_selector("#dialog[open]")
    assert "Constitution of this item" in page.inner_text("#dialog")
    shot(page, "guidelines-drawer")
    page.clock.run_for(1500)
    clock = page.inner_text("#clock")
    page.clock.fast_forward("16:00")
    page.clock.run_for(1500)
    page.wait_for_selector("#cover:not([hidden])")
    assert page.query_selector("#dialog[open]") is None
    assert page.evaluate("document.querySelector('main').inert")
    assert page.inner_text("#clock") == clock
    shot(page, "covered")
    page.keyboard.press("Enter")
    page.wait_for_selector("#cover", state="hidden")


def test_a_key_of_ones_own_may_not_do_two_things(browser: Any, server: Server, person: Any) -> None:
    _, token = person("Ada")
    page = log_in(browser, server, token)
    page.click("[data-do=settings]")
    page.fill("#key-tie", "b")
    page.click("#dialog .send")
    page.wait_for_selector("#dialog .bad:not(:empty)")
    assert "would do both" in page.inner_text("#dialog .bad")
    page.fill("#key-both_bad", "q")
    page.click("#dialog .send")
    page.wait_for_selector("#dialog:not([open])", state="attached")
    page.keyboard.press("b")
    wait_for(lambda: page.inner_text(".chosen") == "Tie")
