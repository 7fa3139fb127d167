"""Marking spans in a headless Chromium: by mouse and by keyboard, over emoji, from right to left, to the character."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, log_in, shot
from running import Server, wait_for

from solon import Project

pytestmark = BROWSER_MARKS
CONFIG = {
    "models": {"default": {"model": "scripted:default"}},
    "spans": {"kinds": ["person", "place"], "readings": 2},
    "routing": {"policy": "always"},
}
EMOJI = "I saw 👩‍👩‍👧 Ada 😀 in Oslo <b>today</b>"
HEBREW = "דנה כהן גרה בחיפה"


def open_project(folder: Path, text: str, spans: list[dict[str, Any]] | None) -> Project:
    project = Project(f"sqlite:///{folder}/solon.db", config=CONFIG)
    seed: dict[str, Any] = {"id": "one", "prompt": text}
    project.run("label-spans", [seed | ({} if spans is None else {"spans": spans})])
    return project


@pytest.fixture
def page_of(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """`page_of(text, spans)`: the page that asks about these spans, and its project."""
    opened: list[Any] = []

    def open_page(text: str, spans: list[dict[str, Any]] | None = None) -> tuple[Any, Project]:
        project = open_project(tmp_path, text, spans)
        token = project.add_expert("ada")
        server = Server(project)
        server.start()
        opened.extend((server, project))
        page = log_in(browser, server, token)
        page.wait_for_selector(".marked > *")  # the keys listen from then on
        return page, project

    yield open_page
    for one in opened:
        one.stop() if isinstance(one, Server) else one.close()


def marks(page: Any) -> list[str]:
    return [line.text_content() for line in page.query_selector_all(".marks li")]


def decided(project: Project) -> list[dict[str, Any]]:
    wait_for(lambda: project.summarize().accepted == 1)
    [row] = [json.loads(line) for line in export_lines(project)]
    return [{name: one[name] for name in ("start", "end", "label", "text")} for one in row["spans"]]


def export_lines(project: Project) -> list[str]:
    with TemporaryDirectory() as folder:
        output = Path(folder) / "spans.jsonl"
        project.export("spans", output)
        return output.read_text(encoding="utf-8").splitlines()


def send(page: Any) -> None:
    if page.inner_text(".why .hint").startswith("a sentence"):
        page.fill("#rationale", "These are the names.")
    page.click(".send")


def test_by_keyboard_over_emoji(page_of: Any) -> None:
    page, project = page_of(EMOJI, [])
    assert page.text_content(".marked") == EMOJI, "the text is shown as text"
    assert page.query_selector(".marked b") is None
    for _ in range(8):  # characters as people see them: the family is one
        page.keyboard.press("ArrowRight")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("1")
    start = EMOJI.index("Ada")
    assert marks(page) == [f"person Ada [{start}, {start + 3})"]
    page.keyboard.press("End")
    page.keyboard.press("Control+ArrowLeft")
    for _ in range(5):
        page.keyboard.press("Control+ArrowLeft")
    page.keyboard.press("Home")
    while (
        page.evaluate("document.querySelector('.caret').nextSibling?.textContent.startsWith('Oslo')") is False
    ):
        page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Control+Shift+ArrowRight")
    page.keyboard.press("1")
    page.keyboard.press("2")
    assert marks(page)[1].startswith("place Oslo")
    shot(page, "spans-emoji")
    page.keyboard.press("Delete")
    assert len(marks(page)) == 1
    page.keyboard.press("z")
    assert len(marks(page)) == 2
    send(page)
    assert [(one["label"], one["text"]) for one in decided(project)] == [("person", "Ada"), ("place", "Oslo")]
    assert page.problems == []


def test_a_word_is_one_press_or_one_tap(page_of: Any) -> None:
    page, _ = page_of("Dr Ada Lind is in Oslo.", [])
    for _ in range(2):
        page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Control+Shift+ArrowRight")
    page.keyboard.press("Control+Shift+ArrowRight")
    page.keyboard.press("Control+Shift+ArrowLeft")
    page.keyboard.press("1")
    assert marks(page) == ["person Lind [7, 11)"]
    for start in (3, 18):
        page.evaluate(TAP, start)
    page.click("[data-kind=place]")
    assert marks(page) == ["place Ada Lind is in Oslo [3, 22)"]


TAP = """at => {
  const place = document.querySelector('.marked'), walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  let node = walker.nextNode();
  while (at >= node.length) { at -= node.length; node = walker.nextNode(); }
  const range = document.createRange();
  range.setStart(node, at); range.setEnd(node, at + 1);
  const box = range.getBoundingClientRect();
  const where = {clientX: box.x + 2, clientY: box.y + 5, bubbles: true, pointerType: 'touch'};
  place.dispatchEvent(new PointerEvent('pointerdown', where));
  place.dispatchEvent(new PointerEvent('click', where));
}"""


def test_by_mouse_from_right_to_left(page_of: Any, look: Any) -> None:
    page, project = page_of(HEBREW, [{"start": 12, "end": 17, "label": "person"}])
    assert page.evaluate("getComputedStyle(document.querySelector('.marked')).direction") == "rtl"
    assert page.query_selector(".marked .proposed") is not None
    page.evaluate(
        """() => {
          const text = document.querySelector('.marked span:not(.caret)').firstChild, range = document.createRange();
          range.setStart(text, 0); range.setEnd(text, 7);
          document.getSelection().removeAllRanges(); document.getSelection().addRange(range);
          document.querySelector('.marked').dispatchEvent(new MouseEvent('mouseup', {bubbles: true}));
        }"""
    )
    page.wait_for_selector(".marked .selected")
    page.click("[data-kind=person]")
    assert marks(page)[0].startswith("person דנה כהן [0, 7)")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("2")
    shot(page, "spans-hebrew")
    assert look(page, "spans") == []
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.querySelector('.caret').nextSibling.textContent[0]") == HEBREW[1], (
        "to the left is onward"
    )
    send(page)
    assert decided(project) == [
        {"start": 0, "end": 7, "label": "person", "text": "דנה כהן"},
        {"start": 12, "end": 17, "label": "place", "text": "בחיפה"},
    ]


def test_what_is_proposed_is_accepted_in_one_key(page_of: Any) -> None:
    page, project = page_of("Ada is here.", [{"start": 0, "end": 3, "label": "person"}])
    page.fill("#rationale", "It is her name.")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    assert decided(project) == [{"start": 0, "end": 3, "label": "person", "text": "Ada"}]
    [row] = [json.loads(line) for line in export_lines(project)]
    assert row["route"] == "decided"


def test_marks_of_a_draft_are_there_after_a_reload(page_of: Any) -> None:
    page, _ = page_of("Ada is here.", [])
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    with page.expect_response("**/draft"):
        page.keyboard.press("1")
    page.reload()
    page.wait_for_selector(".marks li", state="attached")
    assert marks(page) == ["person Ada [0, 3)"]
