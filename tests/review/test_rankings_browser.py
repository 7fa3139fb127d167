"""Ranking answers in a headless Chromium: by digits, arrow keys, taps and dragging, with ties, by two questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, log_in, shot
from running import Server, wait_for

from solon import Project

pytestmark = BROWSER_MARKS
TEXTS = ["Boil it for a minute.", "Drink it as it is.", "Filter it, then boil it.", "Ask your doctor."]
SEEDS = [
    {"id": name, "prompt": f"{name}: is this water safe?", "responses": [{"text": text} for text in TEXTS]}
    for name in ("river", "well")
]


@pytest.fixture
def asked(browser: Any, tmp_path: Path) -> Iterator[tuple[Any, Project]]:
    """The page that asks for a ranking of four answers by two questions, and its project."""
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "generator": {"n": 4},
        "preference": {"questions": ["helpful", "safe"]},
    }
    project = Project(f"sqlite:///{tmp_path}/solon.db", config=config)
    project.run("preference-expert", SEEDS)
    server = Server(project)
    server.start()
    page = log_in(browser, server, project.add_expert("ada"))
    page.wait_for_selector(".ranks b:text('–')")  # the keys listen from then on
    yield page, project
    server.stop()
    project.close()


def orders(page: Any) -> list[list[str]]:
    """Of each list what stands before its answers, and these."""
    return [
        [" ".join(line.inner_text().split()) for line in one.query_selector_all("li")]
        for one in page.query_selector_all(".ranks")
    ]


def read(page: Any) -> list[str]:
    return [one.inner_text() for one in page.query_selector_all(".candidate .text")]


def test_by_keyboard_mouse_and_touch(asked: tuple[Any, Project], look: Any) -> None:
    page, project = asked
    shown = read(page)
    assert sorted(shown) == sorted(TEXTS)
    assert not look(page, "ranking"), "for everybody"
    for key in "31":
        page.keyboard.press(key)
    page.keyboard.press("=")
    page.keyboard.press("4")
    assert orders(page)[0] == ["1. Answer 3", "2. Answer 1", "2 = Answer 4", "– Answer 2"]
    assert page.inner_text(".ranks-said") == "helpful: Answer 4: place 2, shared"
    page.keyboard.press("Enter")
    assert page.inner_text(".problem") == "Give every answer a place."
    page.keyboard.press("2")  # the last of the first list: digits go on with the second one
    page.click(".ranks >> nth=1 >> button:has-text('Answer 2')")  # a tap gives the next place
    for key in "143":
        page.keyboard.press(key)
    page.keyboard.press("ArrowLeft")  # the answer that has the focus
    assert orders(page)[1] == ["1. Answer 2", "2. Answer 1", "3. Answer 4", "4. Answer 3"], "it is the best"
    page.keyboard.press("ArrowRight")
    assert orders(page)[1][:2] == ["1. Answer 1", "2. Answer 2"]
    line = ".ranks >> nth=1 >> li >> nth="
    page.drag_and_drop(f"{line}3", f"{line}0")
    assert orders(page)[1] == ["1. Answer 3", "2. Answer 1", "3. Answer 2", "4. Answer 4"]
    shot(page, "ranking")
    if page.locator(".why .needed").count():
        page.fill("#rationale", "Boiling is what counts.")
    before = page.inner_text(".request .text")
    page.focus(f"{line}3 >> button")
    page.keyboard.press("Space")  # presses the button, and Enter sends
    assert orders(page)[1][-1] == "– Answer 4"
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "before => document.querySelector('.request .text')?.innerText !== before", arg=before
    )
    wait_for(lambda: project.summarize().accepted == 1)
    rows = [(row.question, row.chosen, row.rejected, round(row.weight or 0, 3)) for row in project.records()]
    first, second, third, fourth = shown
    helpful = [(third, first), (third, fourth), (third, second), (first, second), (fourth, second)]
    assert set(rows[:5]) == {("helpful", *pair, 0.2) for pair in helpful}
    assert rows[5:] == [
        ("safe", better, worse, 0.167)
        for better, worse in [
            (third, first), (third, second), (third, fourth), (first, second), (first, fourth), (second, fourth)
        ]
    ]  # fmt: skip
    page.click("[data-do=answers]")
    page.wait_for_selector("#dialog-body [data-do=change]")
    assert "helpful: 3 > 1 = 4 > 2 safe: 3 > 1 > 2 > 4" in " ".join(page.inner_text("#dialog-body").split())
    page.click("#dialog-body [data-do=change]")  # taken back: it comes again as it was given
    page.wait_for_selector(".ranks b:text('2 =')", timeout=300_000)
    assert read(page) == shown
    assert orders(page)[0] == ["1. Answer 3", "2. Answer 1", "2 = Answer 4", "4. Answer 2"]
    assert page.problems == []


def test_an_answer_of_ones_own_and_none_good(asked: tuple[Any, Project]) -> None:
    page, project = asked
    page.keyboard.press("e")
    page.wait_for_function("document.activeElement?.tagName === 'TEXTAREA'")
    page.keyboard.type("Boil it for three minutes.")
    page.fill("#rationale", "None names the time.")
    before = page.inner_text(".request .text")
    page.click(".send")
    page.wait_for_function(
        "before => document.querySelector('.request .text')?.innerText !== before", arg=before
    )
    wait_for(lambda: project.summarize().accepted == 1)
    rows = list(project.records())
    assert {(row.chosen, row.label, row.weight) for row in rows} == {
        ("Boil it for three minutes.", "edit", 0.25)
    }
    assert sorted(row.rejected or "" for row in rows if row.question == "safe") == sorted(TEXTS)
    page.keyboard.press("b")
    page.keyboard.type("All are dangerous.")
    page.click(".send")
    wait_for(lambda: project.summarize().rejected == 1)
    assert page.problems == []
