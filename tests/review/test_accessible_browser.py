"""Every page for everybody: WCAG 2.2 AA by axe-core, the whole flow by keyboard alone, the focus always seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, PHONE, log_in, request_text, settled, tab_to
from calling import NEITHER, TIE, Caller
from running import Server

from solon.project import Project
from solon.review import app

pytestmark = BROWSER_MARKS
LEAD_PAGES = (
    "",
    "queue?why=1",
    "bulk",
    "proposals",
    "exports",
    "adjudications",
    "reviewers",
    "runs",
    "log",
    "constitution",
    "amendments",
    "rules",
    "rejudge",
    "principles",
)


@pytest.fixture
def caller(project: Project, person: Any) -> Iterator[Caller]:
    """Of a server that asks two people each."""
    server = Server(project, answers=2, work=False)
    server.start()
    roles = {"expert": "expert", "another": "expert", "lead": "lead", "admin": "admin"}
    calls = Caller(server, {name: person(f"Dr {name}", role=role)[1] for name, role in roles.items()})
    yield calls
    calls.http.close()
    server.stop()


def test_pages_are_for_everybody(browser: Any, caller: Caller, project: Project, look: Any) -> None:
    """The item with what opens over it, and the pages of reviewers, leads, law, login and errors."""
    held = caller.call("next", "expert")["item"]
    caller.answer("expert", held, TIE | {"proposal": "Is clear."})
    again = caller.call("lease_review", "another", {"review_id": caller.asked_again(held["review"])})
    caller.answer("another", again, NEITHER)
    case = caller.send("list_adjudications", "lead").json()[0]["id"]
    address = caller.address
    page = log_in(browser, caller, caller.tokens["lead"])
    found = look(page, "item")
    for key, name in (("?", "keys"), ("g", "guidelines")):
        page.keyboard.press(key)
        page.wait_for_selector("#dialog[open]")
        found += look(page, name)
        page.keyboard.press("Escape")
    page.click("[data-do=settings]")
    found += look(page, "settings")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.wait_for_selector(".diff ins, .diff del")
    found += look(page, "diff")
    page.keyboard.press("d")
    page.keyboard.press("o")
    page.wait_for_selector(".source")
    found += look(page, "source")
    rule = caller.call("propose_rule", "lead", review=held["review"], text="Is clear.", reason="It matters.")
    item = caller.send("review_lineage", "lead", {"review_id": held["review"]}).json()["item"]["id"]
    pages = [f"lead/{name}" for name in (*LEAD_PAGES, f"adjudications/{case}", f"items/{item}")]
    pages += [f"lead/amendments/{rule['id']}", f"law/propose/{held['review']}", f"law/split/{held['review']}"]
    caller.call("decide_adjudication", "lead", {"case_id": case}, choice="tie", reason="Equal.")
    pages += [f"lead/adjudications/{case}", "outcomes", "docs", "lead/nothing"]
    for name in pages:
        page.goto(f"{address}/{name}")
        found += look(page, name)
    page.context.clear_cookies()
    for name in ("login", "login?link=secret"):
        page.goto(f"{address}/{name}")
        found += look(page, name)
    page.evaluate("document.querySelector('main').append(document.createElement('select'))")
    assert [one for one in look(page, "a select") if "select-name" in one]  # it does look
    assert not found, "\n".join(found)


def test_nothing_moves_by_itself() -> None:
    """Whoever asks for reduced motion gets the page that all get."""
    static = Path(app.__file__).parent / "static"
    texts = {file.name: file.read_text() for file in static.iterdir() if file.suffix in (".css", ".js")}
    assert {"solon.css", "review.js"} <= set(texts)
    assert not [
        name for name, text in texts.items() if re.search(r"animation|transition|smooth|marquee", text)
    ]


FOCUS = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
  const x = Math.min(box.left + box.width / 2, innerWidth - 2), y = Math.min(box.top + box.height / 2, innerHeight - 2);
  const top = document.elementFromPoint(x, y);
  return {
    what: one.outerHTML.slice(0, 120), home: one === document.body,
    ring: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
    seen: top !== null && (one.contains(top) || top.contains(one)),
  };
}"""


@pytest.mark.parametrize("screen", [{"width": 1440, "height": 900}, PHONE], ids=["desktop", "phone"])
def test_the_focus_is_always_seen(browser: Any, server: Server, person: Any, screen: dict[str, int]) -> None:
    """Whoever walks by Tab sees where they are: a ring of three pixels, and nothing lies over it."""
    page = log_in(browser, server, person("Lea", role="lead")[1], viewport=screen)
    page.focus("a.skip")
    walked, lost = 0, []
    while not (at := page.evaluate(FOCUS))["home"]:
        if at["ring"] < 3 or not at["seen"]:
            lost.append(at)
        page.keyboard.press("Tab")
        walked += 1
    assert not lost
    assert walked > 30


def test_the_whole_flow_without_a_mouse(browser: Any, server: Server, person: Any) -> None:
    """Log in, answer with a reason, skip, flag, undo, go on: by keys, and by Tab and Enter where keys are off."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    page.goto(server.address)
    page.wait_for_selector("#token:focus")
    page.keyboard.type(person("Dr Ada Lind")[1])
    page.keyboard.press("Enter")
    page.wait_for_selector(".item")
    press, said = page.keyboard.press, page.locator("#said")

    def another(before: str) -> None:
        page.wait_for_function(
            "was => document.querySelector('.request .text')?.innerText !== was", arg=before
        )

    first = request_text(page)
    press("2")
    tab_to(page, "#rationale")
    page.keyboard.type("It names the interaction.")
    press("Control+Enter")
    another(first)
    settled(page, 1)
    assert said.inner_text() == "Saved."

    before = request_text(page)
    press("s")
    press("Enter")
    another(before)
    page.wait_for_function("() => document.querySelector('#said').textContent.startsWith('Skipped')")

    before = request_text(page)
    press("f")
    press("1")
    press("Escape")
    assert page.is_checked("input[name=flag][value=unsafe] >> nth=0")
    press("2")
    tab_to(page, "#rationale")
    page.keyboard.type("The first could harm.")
    tab_to(page, ".answer .send")
    press("Enter")
    another(before)
    settled(page, 2)
    press("u")
    page.wait_for_function("was => document.querySelector('.request .text')?.innerText === was", arg=before)
    assert page.locator("input[name=flag][value=unsafe]:checked").count() == 1
    assert page.input_value("#rationale") == "The first could harm."

    tab_to(page, "[data-do=first]")
    press("Space")
    tab_to(page, ".answer .send")
    press("Enter")
    another(before)
    settled(page, 2)
