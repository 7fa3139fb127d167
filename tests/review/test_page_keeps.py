"""What the review page must not lose or double, in a headless Chromium: typed text, items, the order of things."""

from __future__ import annotations

import json
from typing import Any

import pytest

from solon.store.tables import table_of

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, DESKTOP, answer, log_in, request_text, settled
from cases import CONFIG, build
from running import Server, wait_for
from sqlalchemy import func, select

from solon.project import Project
from solon.store.reviewing.experts import add_expert
from solon.store.tables.people import Assignment, Decision
from solon.store.tables.runs import Text

pytestmark = BROWSER_MARKS
SAVED = "() => document.querySelector('#said').textContent === 'Draft saved.'"
OTHER = "before => document.querySelector('.request .text')?.innerText !== before"


def drafts(project: Any) -> list[dict[str, Any]]:
    with project.store.connect() as connection:
        query = select(table_of(Text).c.body).join(
            table_of(Assignment), table_of(Assignment).c.draft_id == table_of(Text).c.id
        )
        return [json.loads(body) for body in connection.execute(query).scalars()]


def send_at_once(page: Any) -> None:
    page.click("[data-do=settings]")
    page.check("input[name=send_at_once]")
    page.click("#dialog .send")
    page.wait_for_selector("#dialog:not([open])", state="attached")


def unasked(page: Any) -> None:
    """An item that wants no sentence, with the next one fetched: a choice alone may send it."""
    while page.locator(".why .needed").count():
        with page.expect_response("**/page/next"):
            answer(page, "0")


def decided(project: Any) -> int:
    with project.store.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table_of(Decision))).scalar_one())


def test_taking_back_keeps_what_is_being_typed(browser: Any, server: Server, person: Any) -> None:
    """The item at hand comes again as it was left: choice, text, and what is folded open."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    answer(page, "1", why="Safer.")
    settled(page, 1)
    page.keyboard.press("b")
    page.keyboard.type("Half a thought")
    page.keyboard.press("Escape")
    at_hand = request_text(page)
    page.keyboard.press("u")
    page.wait_for_function(OTHER, arg=at_hand)
    answer(page, "2", why="Now the second.")
    assert request_text(page) == at_hand
    assert page.input_value("#rationale") == "Half a thought"
    assert page.inner_text(".chosen") == "Both bad"


def test_an_answer_that_is_refused_waits_for_who_is_typing(browser: Any, server: Server, person: Any) -> None:
    """It does not come up under the hands of somebody who has begun the next; then it comes, with its text."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    first = request_text(page)
    held: list[Any] = []

    def decide_of(route: Any) -> None:
        held.append(route)
        if len(held) > 1:
            route.continue_()

    page.route("**/page/decide/*", decide_of)
    answer(page, "b", why="Neither will do.")
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    page.keyboard.type(" Name the ")
    wait_for(lambda: page.evaluate("true") and held)
    told = {"error": "invalid", "cause": "rationale: too short", "next_step": "say more"}
    with page.expect_response("**/page/decide/*"):
        held[0].fulfill(status=422, content_type="application/json", body=json.dumps(told))
    page.wait_for_function("() => document.querySelector('#said').textContent.includes('comes back next')")
    page.keyboard.type("dose.")
    assert page.input_value("[name=text]").endswith(" Name the dose.")
    page.focus("#rationale")
    page.keyboard.type("It lacks the dose.")
    page.keyboard.press("Control+Enter")
    wait_for(lambda: request_text(page) == first)
    assert page.inner_text(".problem") == "Rationale: too short. Say more."
    assert page.input_value("#rationale") == "Neither will do."
    page.focus("#rationale")
    page.keyboard.press("Control+Enter")
    wait_for(lambda: "Saved" in page.inner_text("#said") and request_text(page) != first)


def test_the_last_item_answered_before_the_next_was_asked_for(
    browser: Any, server: Server, person: Any
) -> None:
    """Where nothing is left, the page says so, also where it had asked ahead and the answer came late."""
    _, token = person("Ada")
    page = browser.new_context(viewport=DESKTOP).new_page()
    page.set_default_timeout(120_000)
    asked: list[Any] = []

    def next_of(route: Any) -> None:
        asked.append(route)
        if len(asked) == 1:
            route.continue_()

    page.route("**/page/next", next_of)
    page.route("**/api/v1/events", lambda route: route.abort())  # it would ask again by chance
    page.goto(server.address)
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector(".item")
    wait_for(lambda: page.evaluate("true") and len(asked) == 2)
    page.keyboard.press("0")
    page.focus("#rationale")
    page.keyboard.type("The same.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".empty")
    nothing = json.dumps(
        {"item": None, "empty": "all_done", "message": "All done: nothing waits.", "html": ""}
    )
    asked[1].fulfill(content_type="application/json", body=nothing)
    wait_for(lambda: page.evaluate("true") and len(asked) == 3)
    asked[2].fulfill(content_type="application/json", body=nothing)
    page.wait_for_selector("[data-empty=all_done]")


@pytest.mark.parametrize("how", ["key", "mouse"])
def test_a_key_held_down_and_a_double_click_answer_once(
    browser: Any, server: Server, person: Any, how: str
) -> None:
    """Where a choice sends at once, the rest of it would answer items that nobody has read."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    unasked(page)
    send_at_once(page)
    held: list[Any] = []
    page.route("**/page/decide/*", lambda route: held.append(route))
    shown = request_text(page)
    if how == "mouse":
        page.dblclick(".choice.prefer >> nth=0")
    else:
        page.keyboard.down("0")
        for _ in range(3):
            page.keyboard.down("0")
        page.keyboard.up("0")
    page.wait_for_function(OTHER, arg=shown)
    assert page.inner_text(".chosen") == ""
    assert page.inner_text(".problem") == ""
    assert page.is_hidden("#unsaved")  # one is on its way; of two it would tell
    wait_for(lambda: page.evaluate("true") and held)
    held[0].continue_()
    page.wait_for_selector("#last:not([hidden])")


def test_reading_is_use_and_after_a_sleep_the_cover_comes_first(
    browser: Any, server: Server, person: Any
) -> None:
    _, token = person("Ada")
    page = log_in(browser, server, token, clock=True)
    page.clock.fast_forward("14:00")
    page.mouse.move(300, 300)
    page.mouse.wheel(0, 40)
    page.clock.fast_forward("02:00")
    page.clock.run_for(1500)
    assert page.is_hidden("#cover")
    page.evaluate("window.setInterval = () => 0")
    page.clock.set_system_time(page.evaluate("Date.now()") + 20 * 60_000)  # asleep: no timer ran
    page.mouse.move(320, 320)
    assert page.is_visible("#cover")


def test_who_has_no_token_logs_in_in_another_tab(
    browser: Any, server: Server, project: Any, person: Any
) -> None:
    """A link or single sign-on brought them: what they wrote is sent all the same."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    page.keyboard.press("b")
    page.keyboard.type("Both are wrong about the dose.")
    page.wait_for_function(SAVED)
    page.context.clear_cookies()
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#again[open]")
    page.click("#again [data-do=back]")
    page.wait_for_function("() => document.querySelector('#again-problem').textContent !== ''")
    assert page.inner_text("#again-problem") == "You are not logged in yet."
    with page.expect_popup() as opened:
        page.click("#again a")
    tab = opened.value
    tab.fill("#token", token)
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".item")
    tab.close()
    page.click("#again [data-do=back]")
    settled(page, 1)
    assert decided(project) == 1


def test_a_draft_that_could_not_be_saved_is_saved_later(
    browser: Any, server: Server, project: Any, person: Any
) -> None:
    """Nothing more is typed, and the network comes back without a word of the browser's."""
    _, token = person("Ada")
    page = log_in(browser, server, token, clock=True)
    page.route("**/draft", lambda route: route.abort())
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    page.keyboard.type(" Name the dose.")
    page.clock.run_for(1000)
    page.wait_for_function("() => document.querySelector('#said').textContent.includes('no connection')")
    page.unroute("**/draft")
    page.clock.run_for(6000)
    page.wait_for_function(SAVED)
    assert [draft["text"].endswith(" Name the dose.") for draft in drafts(project)] == [True]


def test_what_was_typed_for_another_choice_survives_a_reload(
    browser: Any, server: Server, person: Any
) -> None:
    _, token = person("Ada")
    page = log_in(browser, server, token)
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    page.keyboard.type(" Name the dose.")
    page.keyboard.press("Escape")
    page.keyboard.press("0")
    page.wait_for_function(SAVED)
    page.reload()
    page.wait_for_selector(".item")
    assert page.inner_text(".chosen") == "Tie"
    assert page.input_value("[name=text]").endswith(" Name the dose.")


def test_taking_back_means_the_answer_that_was_sent_last(
    browser: Any, server: Server, project: Any, person: Any
) -> None:
    """While it is on its way, the one before it is not taken back in its place."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    answer(page, "1", why="The one before.")
    settled(page, 1)
    held: list[Any] = []
    page.route("**/page/decide/*", lambda route: held.append(route))
    answer(page, "2", why="The last one.")
    wait_for(lambda: page.evaluate("true") and held)
    page.keyboard.press("u")
    assert "still on its way" in page.inner_text("#said")
    held[0].continue_()
    settled(page, 2)
    with project.store.connect() as connection:
        undone = table_of(Decision).c.undone_at.is_not(None)
        assert connection.execute(select(table_of(Decision).c.id).where(undone)).all() == []


def test_the_mark_stands_where_a_number_scores(browser: Any, tmp_path: Any) -> None:
    url = build(tmp_path, [{"id": "one", "prompt": "Explain fever to a parent."}], "instruction")
    with Project(url, config=CONFIG, create=False) as project:
        _, token = add_expert(project.store, "Ada", by="local:test")
        server = Server(project)
        server.start()
        try:
            page = browser.new_context(viewport=DESKTOP).new_page()
            page.goto(server.address)
            page.fill("#token", token)
            page.keyboard.press("Enter")
            page.wait_for_selector(".criterion.active")
            first, second = (
                one.get_attribute("data-criterion") for one in page.query_selector_all(".criterion")[:2]
            )
            assert page.get_attribute(".criterion.active", "data-criterion") == first
            page.keyboard.press("4")
            assert page.inner_text("#said") == f"{first}: 4"
            assert page.get_attribute(".criterion.active", "data-criterion") == second
            assert page.is_checked(f"[data-criterion={first}] input[value='4']")
        finally:
            server.stop()


@pytest.mark.parametrize(
    ("key", "code", "chosen"),
    [
        ("\u0438", "KeyB", "Both bad"),
        ("&", "Digit1", "Answer 1 is better"),
        ("q", "KeyB", ""),
        ("!", "Digit1", ""),
    ],
)
def test_keys_of_other_layouts(
    browser: Any, server: Server, person: Any, key: str, code: str, chosen: str
) -> None:
    """The Latin letter that stands on the key, and digits behind Shift; where Latin letters lie elsewhere, theirs."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    pressed = {"key": key, "code": code, "shiftKey": key == "!", "bubbles": True}
    page.evaluate("how => document.body.dispatchEvent(new KeyboardEvent('keydown', how))", pressed)
    assert page.inner_text(".chosen") == chosen


def test_a_key_is_one_character(browser: Any, server: Server, person: Any) -> None:
    """Two would be a key that nobody can press, in the place of one that worked."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    page.click("[data-do=settings]")
    page.fill("#key-tie", "tt")
    page.click("#dialog .send")
    assert "one character" in page.inner_text("#dialog .bad")
    page.fill("#key-tie", "F2")
    page.click("#dialog .send")
    page.wait_for_selector("#dialog:not([open])", state="attached")
    page.keyboard.press("F2")
    assert page.inner_text(".chosen") == "Tie"


def test_a_lead_hands_nothing_to_a_lead(browser: Any, server: Server, person: Any) -> None:
    _, token = person("Lea", role="lead")
    page = log_in(browser, server, token)
    assert page.query_selector("[data-do=escalate]") is None
    page.keyboard.press("x")
    assert "You are a lead yourself" in page.inner_text("#said")
    assert page.inner_text(".chosen") == ""


def test_words_of_a_table_stay_whole_and_zoom_keeps_the_keys(
    browser: Any, server: Server, person: Any
) -> None:
    """A dose that is broken into lines is misread. At 200% a desktop is 640 px wide."""
    _, token = person("Ada")
    page = log_in(browser, server, token, viewport={"width": 640, "height": 430})
    assert page.is_visible(".choice.prefer kbd")
    assert page.is_visible("[data-do=help]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    high = page.evaluate(
        """() => {
          const cells = "paracetamol|1.2 g|liver disease|every six hours|once|remark|further|columns".split("|");
          const row = "<tr>" + cells.map(one => `<td>${one.replaceAll(" ", "&nbsp;")}</td>`).join("") + "</tr>";
          const text = document.querySelector(".candidate .text");
          text.innerHTML = `<table><tbody>${row}</tbody></table>`;
          const line = parseFloat(getComputedStyle(text.querySelector("td")).lineHeight);
          return text.querySelector("td").getBoundingClientRect().height / line;
        }"""
    )
    assert high < 1.9
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
