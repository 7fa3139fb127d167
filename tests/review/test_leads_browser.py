"""Leads in a headless Chromium: disagreements by keys alone, the first page at a glance, every page on a phone."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, PHONE, shot
from running import Server
from test_adjudication import cases, first_review, give, other_review

from solon.project import Project

pytestmark = BROWSER_MARKS
SMALL = {"width": 1280, "height": 720}
WIDTH = "document.documentElement.scrollWidth"
LEAD_PAGES = (
    "", "/adjudications", "/adjudications?state=all", "/proposals", "/queue?why=1", "/bulk", "/reviewers", "/runs",
    "/exports", "/log", "/constitution", "/amendments", "/principles", "/rules", "/rejudge",
)  # fmt: skip


@pytest.fixture
def two_cases(project: Project, person: Any) -> None:
    """Ada and Bo answered two questions differently."""
    ada, bo = person("Dr Ada Lind")[0], person("Dr Bo Ek")[0]
    for _ in range(2):
        _, review = give(project, ada, first_review(project), 0)
        give(project, bo, other_review(project, review), 1)


def enter(browser: Any, server: Server, token: str, **context: Any) -> Any:
    """A page on which somebody has just logged in."""
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(120_000)
    page.goto(server.address)
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector("header.top")
    return page


def test_disagreements_are_settled_by_keys(
    browser: Any, server: Server, project: Project, person: Any, two_cases: None
) -> None:
    """Two keys and a sentence each; the next one opens itself."""
    page = enter(browser, server, person("Dr Lea Sund", role="lead")[1], viewport=SMALL)
    assert page.url.endswith("/lead")
    page.click("text=Settle 2 questions")
    page.wait_for_url("**/lead/adjudications/*")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.ariaLabel") == "Reviewer 2"
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.ariaLabel") == "Reviewer 1"
    shot(page, "adjudication-by-keys", full_page=True)
    first = page.url
    page.keyboard.press("2")
    page.keyboard.type("It names the interaction.")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url != first)
    assert "The last one is settled" in page.inner_text("[role=status]")
    page.keyboard.press("0")  # as on the review page
    page.keyboard.type("Both are safe.")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=None is left for you")
    assert [case.choice for case in cases(project, "decided")] == ["prefer", "tie"]


def test_lead_pages_fit_where_they_are_read(
    browser: Any, server: Server, project: Project, person: Any, two_cases: None
) -> None:
    token = person("Dr Lea Sund", role="lead")[1]
    page = enter(browser, server, token, viewport=SMALL, timezone_id="Asia/Tokyo")
    shot(page, "overview-begun")
    last = page.locator(".first section").last.bounding_box()
    assert last["y"] < SMALL["height"] / 2, "how good it is stands beside what to do"
    assert page.evaluate("document.documentElement.scrollHeight") <= SMALL["height"]
    page.goto(f"{server.address}/lead/log")
    told = page.locator("td time").first
    utc, here = (told.get_attribute(name) for name in ("datetime", "title"))
    assert utc[:16].replace("T", " ") + " UTC" == here
    assert (int(told.inner_text()[11:13]) - int(utc[11:13])) % 24 == 9
    phone = enter(browser, server, token, viewport=PHONE, color_scheme="dark")
    for path in (*LEAD_PAGES, f"/items/{project.items()[0].id}"):
        phone.goto(f"{server.address}/lead{path}")
        assert phone.evaluate(WIDTH) <= PHONE["width"], path
        shot(phone, f"phone{path.replace('/', '-').partition('?')[0]}", full_page=True)
    phone.goto(f"{server.address}/lead/adjudications")
    phone.click("td a")
    phone.wait_for_selector("#reason")
    assert phone.evaluate(WIDTH) <= PHONE["width"]
