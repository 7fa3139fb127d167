"""The review page end to end in a headless Chromium: keyboard, undo, edit, lost leases, lost network, ended session."""

from __future__ import annotations

from typing import Any

import pytest

from solon.store.tables import table_of

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, DESKTOP, PHONE, answer, log_in, request_text, settled, shot
from running import Server, wait_for
from sqlalchemy import select, update

from solon.store.reviewing import queue
from solon.store.reviewing.answering import answer_lease
from solon.store.tables.people import Assignment, Decision, Review
from solon.store.tables.runs import Text

pytestmark = BROWSER_MARKS


def test_ten_items_by_keyboard_one_undone_one_edited(
    browser: Any, server: Server, project: Any, person: Any
) -> None:
    _, token = person("Dr Ada Lind")
    page = log_in(browser, server, token)
    shot(page, "item")
    page.keyboard.press("1")
    page.keyboard.press("2")
    assert page.inner_text(".chosen") == "Answer 2 is better"
    for n, key in enumerate(["1", "2", "0", "ArrowRight", "ArrowLeft", "=", "1", "2"], 1):
        answer(page, key)
        settled(page, n)
    answer(page, "b", why="Both give advice that could harm.")
    settled(page, 9)
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    page.keyboard.type(" Ask a pharmacist when in doubt.")
    shot(page, "edit", full_page=True)
    page.focus("#rationale")
    page.keyboard.type("It lacked the advice to ask.")
    page.keyboard.press("Control+Enter")
    settled(page, 10)
    page.keyboard.press("w")
    page.wait_for_selector("#dialog[open]")
    assert "How the judges voted" in page.inner_text("#dialog")
    shot(page, "why")
    page.keyboard.press("Escape")
    answer(page, "1")
    settled(page, 11)
    page.keyboard.press("u")
    page.wait_for_function("() => document.querySelector('#said').textContent.startsWith('Taken back.')")
    assert page.inner_text(".chosen").startswith("Answer")
    page.keyboard.press("2")
    page.wait_for_timeout(700)
    page.keyboard.press("Control+Enter") if page.query_selector("textarea:focus") else page.keyboard.press(
        "Enter"
    )
    page.wait_for_timeout(300)
    if page.query_selector(".problem:not(:empty)"):
        page.focus("#rationale")
        page.keyboard.type("Second thoughts.")
        page.keyboard.press("Control+Enter")
    settled(page, 11)
    assert page.problems == []
    wait_for(lambda: (now := project.summarize()).decisions_to_apply == now.queued == 0)
    summary = project.summarize()
    assert summary.accepted + summary.rejected + summary.pending_review == 12


def test_keys_are_inert_in_text_fields_and_can_be_switched_off(
    browser: Any, server: Server, person: Any
) -> None:
    _, token = person("Ada")
    page = log_in(browser, server, token)
    before = request_text(page)
    page.focus("#rationale")
    page.keyboard.type("b1s0 ?")
    assert page.input_value("#rationale") == "b1s0 ?"
    assert page.inner_text(".chosen") == ""
    page.keyboard.press("Escape")
    page.keyboard.press("Backspace")
    page.keyboard.press("?")
    page.wait_for_selector("#dialog[open]")
    shot(page, "keys")
    page.keyboard.press("Escape")
    page.click("[data-do=settings]")
    page.fill("#key-tie", "t")
    page.click("#dialog .send")
    page.wait_for_selector("#dialog:not([open])", state="attached")
    page.keyboard.press("t")
    assert page.inner_text(".chosen") == "Tie"
    page.click("[data-do=settings]")
    page.uncheck("input[name=keys_on]")
    page.click("#dialog .send")
    page.wait_for_selector("#dialog:not([open])", state="attached")
    page.keyboard.press("1")
    assert page.inner_text(".chosen") == "Tie"
    assert request_text(page) == before
    assert page.problems == []


def test_draft_survives_a_reload(browser: Any, server: Server, person: Any) -> None:
    _, token = person("Ada")
    page = log_in(browser, server, token)
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    page.keyboard.type(" Name the dose.")
    page.wait_for_function("() => document.querySelector('#said').textContent === 'Draft saved.'")
    page.reload()
    page.wait_for_selector(".item")
    assert page.inner_text(".chosen") == "Edit"
    assert page.input_value("[name=text]").endswith(" Name the dose.")


def test_two_browsers_on_one_item(browser: Any, server: Server, project: Any, person: Any) -> None:
    """The same person twice: the first answer counts, the second is told so and loses nothing."""
    _, token = person("Ada")
    first = log_in(browser, server, token)
    second = log_in(browser, server, token)
    assert request_text(first) == request_text(second)
    item = request_text(first)
    answer(first, "1", why="The first.")
    settled(first, 1)
    second.keyboard.press("2")
    second.focus("#rationale")
    second.keyboard.type("The second.")
    second.keyboard.press("Control+Enter")
    second.wait_for_selector(".problem:not(:empty)")
    assert "Another answer was given" in second.inner_text(".problem")
    assert request_text(second) == item
    assert second.input_value("#rationale") == "The second."
    shot(second, "conflict", full_page=True)
    second.click(".answer .send")
    wait_for(lambda: request_text(second) != item)
    wait_for(lambda: project.summarize().accepted == 1)


def test_lost_lease_becomes_a_second_opinion(browser: Any, server: Server, project: Any, person: Any) -> None:
    ada, token = person("Ada")
    _, other = person("Bo")
    page = log_in(browser, server, token)
    with project.store.transaction() as connection:
        connection.execute(update(table_of(Assignment)).values(expires_at=1.0))
        queue.expire(connection)
    theirs = log_in(browser, server, other)
    assert request_text(theirs) == request_text(page)
    answer(theirs, "1", why="Mine came first.")
    settled(theirs, 1)
    answer(page, "2", why="Mine came late.")
    page.wait_for_function("() => document.querySelector('#said').textContent.includes('second opinion')")
    assert ada.name == "Ada"
    wait_for(lambda: (now := project.summarize()).decisions_to_apply == now.queued == 0)
    assert project.summarize().accepted == 1


def test_network_lost_and_server_killed(browser: Any, server: Server, project: Any, person: Any) -> None:
    """Answers given while the server is dead are kept, told, and each counts once when it is back."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    page.wait_for_timeout(200)
    server.stop()
    answer(page, "1", why="One.")
    page.keyboard.press("2")
    page.focus("#rationale")
    page.keyboard.type("Two.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#unsaved:not([hidden])")
    wait_for(lambda: page.inner_text("#unsaved") == "not saved: 2")
    shot(page, "no-connection")
    server.start()
    page.wait_for_selector("#unsaved", state="hidden", timeout=300_000)
    page.wait_for_selector(".item")
    settled(page, 2)
    wait_for(lambda: project.summarize().accepted == 2)


def test_session_ends_in_the_middle(browser: Any, server: Server, person: Any, look: Any) -> None:
    """Logging in again over the form: what was typed is still there and is sent."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    page.keyboard.press("b")
    page.keyboard.type("Both are wrong about the dose.")
    page.wait_for_function("() => document.querySelector('#said').textContent === 'Draft saved.'")
    page.context.clear_cookies()
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#again[open]")
    shot(page, "log-in-again")
    assert look(page, "log in again") == []
    page.fill("#again-token", token)
    page.keyboard.press("Enter")
    settled(page, 1)


def test_diff_and_pause(browser: Any, server: Server, person: Any) -> None:
    _, token = person("Ada")
    page = log_in(browser, server, token)
    page.keyboard.press("d")
    page.wait_for_selector(".diff ins, .diff del")
    shot(page, "diff")
    page.keyboard.press("1")
    assert page.inner_text(".chosen") == "Answer 1 is better"
    page.keyboard.press("d")
    page.click("[data-do=pause]")
    assert page.is_visible("#cover")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    assert page.is_hidden("#cover")
    assert page.inner_text(".chosen") == "Answer 1 is better"


def test_phone_dark_and_light_enough(browser: Any, server: Server, person: Any) -> None:
    _, token = person("Lea", role="lead")
    page = log_in(browser, server, token, viewport=PHONE, color_scheme="dark", has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    shot(page, "item-phone", full_page=True)
    small = page.evaluate(
        "[...document.querySelectorAll('#item .choice, #item .send')].filter(b => b.checkVisibility())"
        ".filter(b => b.getBoundingClientRect().height < 44).length"
    )
    assert small == 0
    page.tap("[data-do=diff]")
    page.wait_for_selector(".diff ins, .diff del")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    shot(page, "diff-phone", full_page=True)
    page.tap("[data-do=diff]")
    page.tap(".choice.prefer >> nth=0")
    if page.locator(".why .needed").count():
        page.fill("#rationale", "Clear.")
    page.tap(".answer .send")
    settled(page, 1)
    for name in ("queue", "reviewers", "runs", "log", "constitution"):
        page.goto(f"{server.address}/lead/{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
        shot(page, f"{name}-phone")
    page.goto(server.address)
    page.wait_for_selector(".item")
    size = page.evaluate(
        "performance.getEntries().filter(e => e.decodedBodySize).reduce((n, e) => n + e.decodedBodySize, 0)"
    )
    assert 20_000 < size < 200_000


def test_lead_pages(browser: Any, server: Server, person: Any) -> None:
    _, token = person("Dr Lea Sund", role="lead")
    person("Dr Bo Ek", specialties=["medicine"], languages=["en"])
    page = log_in(browser, server, token)
    for n in range(3):
        answer(page, "1", why="Safer.")
        settled(page, n + 1)
    page.wait_for_timeout(1500)
    for name in ("queue", "reviewers", "runs", "log", "constitution"):
        page.goto(f"{server.address}/lead/{name}")
        shot(page, name)
    page.goto(f"{server.address}/lead/queue?status=decided")
    page.click("td a")
    page.wait_for_selector("h1:has-text('Item')")
    assert "Dr Lea Sund" in page.inner_text("main")
    shot(page, "lineage", full_page=True)
    assert page.problems == []


def test_network_cut_in_the_middle_of_an_answer(
    browser: Any, server: Server, project: Any, person: Any
) -> None:
    """Typed without a network: the text stays, is sent when it is back, and counts once."""
    _, token = person("Ada")
    page = log_in(browser, server, token, clock=True)
    page.keyboard.press("b")
    page.keyboard.type("Both name a wrong dose.")
    page.context.set_offline(True)
    page.keyboard.type(" I checked the label.")
    page.wait_for_function("() => document.querySelector('#said').textContent.includes('no connection')")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#unsaved:not([hidden])")
    page.clock.run_for("02:00")
    assert page.inner_text("#unsaved") == "not saved: 1"
    page.context.set_offline(False)
    page.wait_for_selector("#unsaved", state="hidden", timeout=300_000)
    settled(page, 1)
    with project.store.connect() as connection:
        found = connection.execute(select(table_of(Decision))).mappings().all()
    assert [row["choice"] for row in found] == ["both_bad"]
    assert _text(project, found[0]["rationale_id"]) == "Both name a wrong dose. I checked the label."


def test_lease_runs_out_in_the_middle_of_an_answer(
    browser: Any, server: Server, project: Any, person: Any
) -> None:
    """Nobody took it meanwhile: the text stays and the answer decides."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    page.keyboard.press("b")
    page.keyboard.type("Both are outdated.")
    with project.store.transaction() as connection:
        connection.execute(update(table_of(Assignment)).values(expires_at=1.0))
        queue.expire(connection)
    page.keyboard.type(" See the guideline of this year.")
    page.keyboard.press("Control+Enter")
    settled(page, 1)
    with project.store.connect() as connection:
        (row,) = connection.execute(select(table_of(Decision))).mappings().all()
    assert _text(project, row["rationale_id"]) == "Both are outdated. See the guideline of this year."


def test_item_learned_away_in_the_middle_of_an_answer(
    browser: Any, server: Server, project: Any, person: Any
) -> None:
    """A review withdrawn under one's hands keeps the text, which becomes a second opinion; nothing is decided twice."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    page.keyboard.press("b")
    page.keyboard.type("Neither may be used.")
    page.wait_for_function("() => document.querySelector('#said').textContent === 'Draft saved.'")
    with project.store.transaction() as connection:
        held = select(table_of(Assignment).c.review_id)
        gone = update(table_of(Review)).where(table_of(Review).c.id.in_(held)).values(state="withdrawn")
        connection.execute(gone)
    page.keyboard.type(" Truly.")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("() => document.querySelector('#said').textContent.includes('second opinion')")
    with project.store.connect() as connection:
        assert connection.execute(select(table_of(Decision).c.id)).all() == []
        query = select(table_of(Assignment).c.answer).where(table_of(Assignment).c.state == "second")
        (kept,) = connection.execute(query).scalars().all()
    assert _text(project, kept["rationale"]) == "Neither may be used. Truly."
    assert page.problems == []


def _text(project: Any, text_id: str) -> str:
    with project.store.connect() as connection:
        query = select(table_of(Text).c.body).where(table_of(Text).c.id == text_id)
        return str(connection.execute(query).scalar_one())


def test_a_new_expert_reads_the_guidelines_first(
    browser: Any, server: Server, person: Any, look: Any
) -> None:
    _, token = person("New", stage="guidelines")
    page = browser.new_context(viewport=DESKTOP).new_page()
    page.goto(server.address)
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector(".principles-list")
    assert page.query_selector(".item") is None
    shot(page, "guidelines")
    assert look(page, "guidelines") == []
    page.click("text=I have read this")
    page.wait_for_selector(".item")


def test_a_disagreement_is_settled_and_answered_to(
    browser: Any, server: Server, project: Any, person: Any
) -> None:
    """Two answer one question differently; a lead settles it without names; the reviewer reads it and replies."""
    ada, token = person("Dr Ada Lind")
    bo = person("Dr Bo Ek")[0]
    _, lead = person("Dr Lea Sund", role="lead")
    review = project.reviews()[0]
    for expert, which, why in ((ada, 0, "Names the interaction."), (bo, 1, "Shorter and to the point.")):
        with project.store.transaction() as connection:
            again = queue.lease_review(connection, expert, review.id) if expert is ada else None
            lease, row = again or queue.lease_review(connection, expert, _overlap(connection, review.id))
            given = {"choice": "prefer", "candidate": row.candidates[which], "rationale": why, "strength": 2}
            answer_lease(
                project.store, connection, expert, lease.token, given,
                review_id=row.id, channel="page", times={}, answers=2,
            )  # fmt: skip
    page = log_in(browser, server, lead)
    page.click("nav >> text=Disagreements")
    shot(page, "adjudications")
    page.click("td a")
    text = str(page.text_content("main"))
    assert "Reviewer 1" in text
    assert "Ada" not in text
    page.check("input[name=choice] >> nth=0")
    page.fill("#reason", "Leaving the interaction out could harm.")
    page.select_option("#principle", index=1)
    shot(page, "adjudication", full_page=True)
    page.click("button:has-text('Settle')")
    page.click("[role=status] a")
    page.wait_for_selector("h2:has-text('Outcome')")
    assert "Dr Ada Lind" in str(page.text_content("main"))
    page = log_in(browser, server, token, viewport=PHONE)
    page.goto(f"{server.address}/outcomes")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    shot(page, "outcomes-phone", full_page=True)
    page.check("input[value=accepts]")
    page.click("button:has-text('Reply')")
    page.wait_for_selector("text=You replied")


def _overlap(connection: Any, review_id: str) -> str:
    from solon.store.tables import reviews as table

    asked = select(table.c.content_hash).where(table.c.id == review_id).scalar_subquery()
    query = select(table.c.id).where(table.c.content_hash == asked, table.c.kind == "overlap")
    return str(connection.execute(query).scalar_one())
