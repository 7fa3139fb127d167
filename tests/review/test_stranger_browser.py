"""What somebody new to the review page trips over, in a headless Chromium: taps, keys, messages, what goes along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, PHONE, log_in, request_text, settled, shot
from running import Server, wait_for
from test_adjudication import cases, first_review, give, other_review

from solon.project import Project
from solon.store.reviewing.experts import add_expert

pytestmark = BROWSER_MARKS
WIDE = {"width": 1440, "height": 900}
WORDS = "document.querySelector('.along').textContent"
MARKED = "[...(CSS.highlights.get('evidence') || [])].map(String)"


def top(page: Any, selector: str) -> float:
    return float(page.locator(selector).first.bounding_box()["y"])


def test_one_tap_chooses_on_a_phone(browser: Any, server: Server, person: Any) -> None:
    page = log_in(browser, server, person("Ada")[1], viewport=PHONE, has_touch=True, is_mobile=True)
    before = top(page, "[data-do=first]")
    page.focus("[data-do=first]")
    assert top(page, "[data-do=first]") == before, "the foot stays where it is"
    assert page.is_visible("[data-do=early]")
    shot(page, "phone")
    page.evaluate("document.activeElement.blur()")
    page.tap("[data-choice=tie]")
    assert page.get_attribute("[data-choice=tie]", "aria-pressed") == "true"
    assert top(page, "[data-do=first]") == before, "a second tap meets the same button"
    assert page.is_visible(".send")


def test_a_phone_has_room_to_read(browser: Any, server: Server, person: Any) -> None:
    page = log_in(browser, server, person("Ada")[1], viewport=PHONE, has_touch=True, is_mobile=True)
    assert page.is_hidden("#rationale"), "folded until something is chosen"
    foot = page.locator(".answer").bounding_box()["height"]
    assert top(page, ".item") + foot < 280, "two thirds of the screen are the text's"


def test_what_was_said_has_one_line(browser: Any, server: Server, person: Any) -> None:
    page = log_in(browser, server, person("Ada")[1], viewport={"width": 1440, "height": 900})
    page.keyboard.press("x")
    page.fill("#rationale", "Another field.")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("() => document.querySelector('#said').textContent === 'Handed to a lead.'")
    assert page.locator("#said").bounding_box()["height"] < 25


def test_one_line_tells_what_happened(browser: Any, server: Server, person: Any) -> None:
    """What was taken back goes with its answer, no draft is told over it, and the draft of a sent answer stays away."""
    page = log_in(browser, server, person("Ada")[1], viewport=WIDE)
    refused: list[str] = []
    page.on("response", lambda got: refused.append(got.url) if got.status == 409 else None)
    left, first = int(page.inner_text("#left")), request_text(page)
    page.keyboard.press("b")
    page.keyboard.press("Control+Enter")
    assert page.inner_text(".problem") == "Say in a sentence why."
    page.focus("#rationale")
    page.keyboard.type("It is safer.")
    assert page.inner_text(".problem") == "", "what was put right is told no longer"
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    page.focus("#rationale")
    page.keyboard.press("Control+Enter")
    settled(page, 1)
    assert page.inner_text("#said") == "Saved."
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("u")
    page.wait_for_function("() => document.querySelector('#said').textContent.startsWith('Taken back')")
    assert request_text(page) == first
    assert page.inner_text(".candidate.picked h2").upper() == "ANSWER 2", "the sides stay where they were"
    shot(page, "taken-back")
    settled(page, 0)
    assert int(page.inner_text("#left")) == left
    page.focus("#rationale")
    page.keyboard.press("Control+Enter")
    settled(page, 1)
    assert page.inner_text("#said") == "Saved."
    page.wait_for_timeout(700)
    assert refused == []
    shot(page, "sent-again")


def test_lists_open_and_close_by_keys(browser: Any, server: Server, person: Any) -> None:
    """Principles as flags do; and whoever declines by keys sends it."""
    page = log_in(browser, server, person("Ada")[1], viewport=WIDE)
    for close in ("p", "Escape"):
        page.keyboard.press("p")
        box, foot = page.locator(".principles > div").bounding_box(), page.locator(".ending").bounding_box()
        assert box["x"] >= foot["x"]
        shot(page, "principles")
        page.keyboard.press(close)
        assert page.query_selector(".principles[open]") is None
    before = request_text(page)
    for key in ("c", "2", "Enter"):
        page.keyboard.press(key)
    wait_for(lambda: request_text(page) != before)


def test_what_goes_along_is_told_and_marks_stay(browser: Any, server: Server, person: Any) -> None:
    page = log_in(browser, server, person("Ada")[1], viewport={"width": 1280, "height": 720})
    assert top(page, "[data-do=first]") == top(page, "[data-do=tie]"), "the buttons stand in a row"
    shot(page, "row")
    page.keyboard.press("m")
    page.wait_for_selector(".marked:focus")
    page.keyboard.press("Control+Shift+ArrowRight")
    page.keyboard.press("Control+Shift+ArrowRight")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    words = page.inner_text(".candidate .scroll").split()[:2]
    assert page.evaluate(MARKED) == [" ".join(words).strip(".,*")]
    assert page.evaluate(WORDS) == "1 flag, 1 mark"
    shot(page, "marked")
    with page.expect_response("**/draft"):
        page.keyboard.press("l")
    page.reload()
    page.wait_for_selector(".item")
    wait_for(lambda: len(page.evaluate(MARKED)) == 1)


def test_a_form_says_what_is_missing(browser: Any, tmp_path: Path) -> None:
    """By the field's title, with its limit told beforehand; the field has the focus."""
    with Project(f"sqlite:///{tmp_path}/own.db", config={"label": {"form": "forms:Triage"}}) as project:
        project.run("label", ["A patient has a cough.", "A patient fell."])
        server = Server(project, work=False)
        server.start()
        try:
            page = log_in(browser, server, project.add_expert("ada"))
            assert "0 to 120" in page.inner_text(".fields")
            page.keyboard.press("1")
            page.keyboard.press("Enter")
            assert page.inner_text(".problem") == "Fill in Where."
            page.keyboard.press("ArrowDown")
            page.fill("[data-field=minutes]", "200")
            page.keyboard.press("Control+Enter")
            assert page.inner_text(".problem") == "Minutes: 120 is the most (200 was given)."
            assert page.evaluate("document.activeElement.dataset.field") == "minutes"
        finally:
            server.stop()


def test_a_lead_settles_a_form_by_keys(browser: Any, tmp_path: Path) -> None:
    """A label that nobody chose: the keys go to what has to be filled in, then to the sentence."""
    with Project(f"sqlite:///{tmp_path}/own.db", config={"label": {"form": "forms:Triage"}}) as project:
        project.run("label", ["A patient has a cough."])
        ada, bo = (add_expert(project.store, name, by="local:test")[0] for name in ("Ada", "Bo"))
        token = add_expert(project.store, "Lea", role="lead", by="local:test")[1]
        told = {"candidate": None, "rationale": "so"}
        _, review = give(project, ada, first_review(project), 0, choice="now", setting="ward", **told)
        give(project, bo, other_review(project, review), 0, choice="not_at_all", setting="clinic", **told)
        (case,) = cases(project)
        server = Server(project, work=False)
        server.start()
        try:
            page = browser.new_context(viewport=WIDE).new_page()
            page.goto(server.address)
            page.fill("#token", token)
            page.keyboard.press("Enter")
            page.wait_for_selector("header.top")
            page.goto(f"{server.address}/lead/adjudications/{case.id}")
            page.keyboard.press("2")
            assert page.evaluate("document.activeElement.dataset.field") == "setting"
            page.fill("#reason", "Not at once.")
            page.focus("#reason")
            page.keyboard.press("Enter")
            assert page.inner_text(".problem") == "Fill in Where."
            assert page.evaluate("document.activeElement.dataset.field") == "setting"
            page.keyboard.press("2")
            page.keyboard.press("Enter")
            assert page.evaluate("document.activeElement.id") == "reason"
            page.keyboard.press("Enter")
            wait_for(lambda: [one.choice for one in cases(project, "decided")])
        finally:
            server.stop()
