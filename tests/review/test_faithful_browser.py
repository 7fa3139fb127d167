"""What is shown is the text, and answers are quick, in a headless Chromium: one item that holds all that is hard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, DESKTOP, PHONE, log_in, shot
from cases import CONFIG, build, seeds
from running import Server, wait_for
from texts import FIRST, SECOND

from solon.project import Project
from solon.store.reviewing.experts import add_expert

pytestmark = BROWSER_MARKS
SIZES = [
    ({"width": 1440, "height": 900}, "light"),
    ({"width": 1280, "height": 720}, "dark"),
    (PHONE, "light"),
]
PANES = ".candidate .scroll:not([hidden])"


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page of one item, for all tests here."""
    folder = tmp_path_factory.mktemp("faithful")
    answers = [{"text": FIRST, "source": "a"}, {"text": SECOND, "source": "b"}]
    url = build(folder, [{"id": "hard", "prompt": "Which is better, $x^2$ or $y^2$?", "responses": answers}])
    with Project(url, config=CONFIG, create=False) as project:
        _, token = add_expert(project.store, "Ada", by="local:test")
        server = Server(project, work=False)
        server.start()
        try:
            context = browser.new_context(viewport=DESKTOP)
            opened = context.new_page()
            opened.problems = []
            opened.on("pageerror", lambda error: opened.problems.append(str(error)))
            opened.set_default_timeout(120_000)
            opened.goto(server.address)
            opened.fill("#token", token)
            opened.keyboard.press("Enter")
            opened.wait_for_selector(".item")
            yield opened
        finally:
            server.stop()


@pytest.fixture(params=SIZES, ids=["wide", "desktop, dark", "phone"])
def sized(page: Any, request: pytest.FixtureRequest) -> Any:
    size, scheme = request.param
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme)
    page.evaluate(
        "document.querySelectorAll('.scroll').forEach(one => { one.scrollTop = 0 }); scrollTo(0, 0)"
    )
    page.name = f"{size['width']}-{scheme}"
    return page


def test_formulas_code_and_directions(sized: Any) -> None:
    """Nothing is eaten; a range reads as it was written; lines are of a length that can be read."""
    shot(sized, f"hard-{sized.name}")
    text = sized.inner_text(".candidate .scroll >> nth=0")
    for written in (
        "$5 and then $10",
        r"$\frac{1}{$",
        r"\(\notacommand{x}\)",
        r"a\,b\;c",
        "<b>&amp;</b>",
        "U+202E",
    ):
        assert written in text
    found = sized.evaluate(
        """() => {
          const pane = document.querySelector(".candidate .scroll"), all = (what) => [...pane.querySelectorAll(what)];
          const size = (what) => parseFloat(getComputedStyle(pane.querySelector(what)).fontSize);
          const order = (node, words) => {
            const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT), places = [];
            for (let text = walker.nextNode(); text; text = walker.nextNode()) for (const word of words) {
              const at = text.data.indexOf(word), range = document.createRange();
              if (at < 0) continue;
              range.setStart(text, at); range.setEnd(text, at + word.length);
              places.push([words.indexOf(word), range.getBoundingClientRect().left]);
            }
            return places.sort((a, b) => a[1] - b[1]).map(([n]) => n).join("");
          };
          const long = all("p").find((one) => one.textContent.startsWith("Paragraph 7."));
          const range = document.createRange(), line = all(".line")[1], wide = all(".wide")[1];
          range.selectNodeContents(long);
          const lines = new Set([...range.getClientRects()].map((one) => Math.round(one.top))).size;
          const high = line.getBoundingClientRect().height / parseFloat(getComputedStyle(line).lineHeight);
          return {
            math: all("math").length, drawn: all("math").every((one) => one.getBoundingClientRect().width > 0),
            cell: order(all("td").find((one) => one.textContent.includes("mg")), ["250", "500", "mg"]),
            item: order(all("li").find((one) => one.textContent.includes("ml")), ["5", "10", "ml"]),
            code: size("pre code"), words: all(".c-word").length,
            quote: getComputedStyle(pane.querySelector("blockquote")).borderInlineStartWidth,
            measure: long.textContent.length / lines, wrapped: Math.round(high) > 1,
            table: wide.scrollWidth > wide.clientWidth, wide: document.documentElement.scrollWidth - innerWidth,
          };
        }"""
    )
    assert (found["math"], found["drawn"]) == (5, True)
    assert (found["cell"], found["item"]) == ("012", "012")
    assert found["code"] >= 14.5
    assert found["words"] >= 2
    assert found["quote"] != "0px"
    assert found["measure"] <= 80
    assert found["wide"] <= 0
    assert found["wrapped"]
    if sized.name.startswith("390"):
        assert found["table"]


def test_the_foot_stays(sized: Any) -> None:
    """Choices, one line of why, and Send are there however long the answers are; the answers take the rest."""
    for where in (0, 1e6):
        sized.evaluate("where => scrollTo(0, where)", where)
        boxes = sized.evaluate(
            """() => [".choice.prefer", "[data-choice=tie]", "#rationale", ".answer .send"].map((one) => {
              const box = document.querySelector(one).getBoundingClientRect();
              return box.top >= 0 && box.bottom <= innerHeight; })"""
        )
        assert boxes == [True] * 4
    share = sized.evaluate("document.querySelector('.candidates').clientHeight / innerHeight")
    assert share >= 0.66
    wanted = sized.locator(".why .needed").count()
    assert sized.locator(".item > .wanted, .request .wanted").count() == wanted


def test_source_is_the_exact_text(page: Any) -> None:
    page.set_viewport_size(DESKTOP)
    page.keyboard.press("o")
    page.wait_for_selector("[data-of='candidate:0']:visible")
    shot(page, "source")
    shown = page.evaluate(
        """() => [...document.querySelectorAll(".source[data-of^=candidate]")].map((one) => {
          const copy = one.cloneNode(true);
          const of = (name) => String.fromCodePoint(parseInt(name.textContent.slice(2), 16));
          for (const name of copy.querySelectorAll(".hidden-char")) name.replaceWith(of(name));
          return copy.textContent; })"""
    )
    assert sorted(shown) == sorted([FIRST, SECOND])
    assert page.inner_text(".request .source") == "Which is better, $x^2$ or $y^2$?"
    page.keyboard.press("o")
    assert page.is_hidden(".source")
    assert page.is_visible(".candidate .text")


def test_scrolling_and_differences_by_key(page: Any) -> None:
    """From where one stands, together or not; answers and buttons never vanish."""
    page.set_viewport_size(DESKTOP)
    tops = f"() => [...document.querySelectorAll('{PANES}')].map(one => Math.round(one.scrollTop))"
    page.keyboard.press("Space")
    page.wait_for_function(f"{tops}.every(top => top > 100)")
    page.keyboard.press("j")
    page.keyboard.press("Shift+Space")
    page.keyboard.press("k")
    page.wait_for_function(f"{tops}.every(top => top < 100)")
    page.keyboard.press("y")
    page.keyboard.press("Space")
    page.wait_for_function(f"{tops}.filter(top => top > 100).length === 1")
    page.keyboard.press("y")
    page.keyboard.press("n")
    page.wait_for_selector(".diff .now")
    said = page.inner_text("#said")
    assert said.startswith("Difference 1 of ")
    total = int(said.rsplit(" ", 1)[1])
    assert 4 <= total <= 12
    for n in range(2, total + 1):
        page.keyboard.press("n")
        assert page.inner_text("#said") == f"Difference {n} of {total}"
        seen = page.evaluate(
            """() => [...document.querySelectorAll(".diff")].map((pane) => {
              const mark = pane.querySelector(".now");
              const a = mark.getBoundingClientRect(), b = pane.getBoundingClientRect();
              return a.top >= b.top && a.bottom <= b.bottom; })"""
        )
        assert seen == [True, True], n
    shot(page, "diff-long")
    assert page.is_visible(".choice.prefer >> nth=0")
    assert page.is_visible(".flags summary >> nth=1")
    assert "of their words are the same" in page.inner_text(".compared")
    colours = page.evaluate(
        "['del', 'ins'].map(tag => getComputedStyle(document.querySelector('.diff ' + tag)).backgroundColor)"
    )
    assert colours[0] != colours[1]
    assert page.locator(".diff del math").count() == 1
    page.keyboard.press("d")
    assert page.is_hidden(".diff >> nth=0")
    assert page.problems == []


def test_a_diff_and_back_keeps_the_place_exactly(page: Any) -> None:
    page.set_viewport_size(DESKTOP)
    page.evaluate(
        f"[...document.querySelectorAll('{PANES}')].forEach((one, i) => {{ one.scrollTop = 137 + 61 * i }})"
    )
    tops = f"[...document.querySelectorAll('{PANES}')].map(one => one.scrollTop)"
    page.wait_for_timeout(100)
    before = page.evaluate(tops)
    for key, there in (("d", ".diff"), ("o", ".source")):
        page.keyboard.press(key)
        page.wait_for_selector(f".candidate {there}:visible")
        page.keyboard.press(key)
        page.wait_for_selector(f".candidate {there}", state="hidden")
        assert page.evaluate(tops) == before, key


def test_every_choice_lies_within_a_phone(page: Any) -> None:
    for width in (390, 360):
        page.set_viewport_size({**PHONE, "width": width})
        outside = page.evaluate(
            """() => [...document.querySelectorAll(".choices button")].filter((one) => {
              const box = one.getBoundingClientRect(), row = one.closest(".strip, .choices").getBoundingClientRect();
              return box.left < 0 || box.right > innerWidth || box.right > row.right + 1 || box.height < 24;
            }).map((one) => one.textContent.trim())"""
        )
        assert outside == []
        shot(page, f"choices-{width}")
    page.set_viewport_size(DESKTOP)


def test_an_edit_in_arabic_shows_how_it_will_be_read(page: Any) -> None:
    """A text field turns a dose range round; below it stands the text as it will be shown."""
    page.keyboard.press("e")
    page.wait_for_selector(".preview td")
    ranges = page.locator(".preview span[dir=ltr]").all_inner_texts()
    assert "5-10 ml" in ranges
    page.keyboard.press("Control+End")
    page.keyboard.type("\n\nخذ 7-9 mg")
    page.wait_for_function("() => document.querySelector('.preview').textContent.includes('7-9 mg')")
    shot(page, "edit-arabic")
    page.keyboard.press("Escape")


def test_flags_and_strength_by_key(page: Any) -> None:
    page.set_viewport_size(DESKTOP)
    for key in ("f", "f", "f", "1", "1", "Escape"):
        page.keyboard.press(key)
    assert page.inner_text(".chosen") == "Edit", "a third f goes round, and no digit answers"
    for key in ("f", "2", "f", "4", "Escape"):
        page.keyboard.press(key)
    flags = "[...document.querySelectorAll('[name=flag]:checked')].map(one => one.value)"
    assert page.evaluate(flags) == ["factually_wrong", "personal_data"]
    page.keyboard.press("l")
    assert page.inner_text("#said") == "Say first which answer is better."
    page.keyboard.press("2")
    page.keyboard.press("l")
    page.keyboard.press("l")
    assert page.inner_text("#said") == "How clear: clearly"
    page.keyboard.press("c")
    page.keyboard.press("3")
    assert page.input_value("#reason") == "personal_data"
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    assert page.problems == []


def test_the_first_page_is_small_and_one_script(browser: Any, server: Server, person: Any) -> None:
    _, token = person("Ada")
    state = log_in(browser, server, token).context.storage_state()
    page = browser.new_context(storage_state=state).new_page()
    page.goto(server.address)
    page.wait_for_selector(".item")
    loaded = page.evaluate(
        "performance.getEntries().filter(one => one.transferSize !== undefined)"
        ".map(one => [new URL(one.name).pathname, one.transferSize])"
    )
    first = dict(reversed(loaded))  # the second item, fetched ahead, is left out
    assert sum(first.values()) <= 25_000, first
    assert len([path for path in first if path.endswith(".js")]) == 1


def test_a_draft_on_its_way_arrives_before_its_answer(
    browser: Any, server: Server, project: Any, person: Any
) -> None:
    """Where they crossed, the server told of a draft that has no item any more."""
    _, token = person("Ada")
    page = log_in(browser, server, token)
    held, order = [], []
    page.route("**/draft", lambda route: held.append(route))
    page.on("request", lambda sent: order.append("answer") if "/page/decide" in sent.url else None)
    page.on(
        "response", lambda got: order.append(f"draft {got.status}") if got.url.endswith("/draft") else None
    )
    left = page.inner_text("#left")
    page.keyboard.press("b")
    page.keyboard.type("Both are wrong.")
    wait_for(lambda: page.evaluate("true") and held)
    page.keyboard.press("Control+Enter")
    page.wait_for_function("() => document.querySelector('.chosen').textContent === ''")
    assert order == []
    held[0].continue_()
    page.wait_for_function("() => document.querySelector('#today').textContent === '1'")
    assert order == ["draft 200", "answer"]
    assert int(page.inner_text("#left")) == int(left) - 1
    assert page.evaluate("document.querySelector('#done').value") == 1


def test_labels_by_digits_and_by_name(browser: Any, tmp_path: Path, look: Any) -> None:
    labels = [f"kind_{n}_{'abcdefghijklmnopqrstuvwxyz'[n]}" for n in range(25)]
    with Project(f"sqlite:///{tmp_path}/solon.db", config={"label": {"labels": labels}}) as project:
        project.run("label", [{"id": f"t{n}", "prompt": one["prompt"]} for n, one in enumerate(seeds(2))])
        token = project.add_expert("ada")
        server = Server(project, work=False)
        server.start()
        try:
            page = log_in(browser, server, token)
            for keys, chosen in (("3", 3), ("12", 12), ("130", 13), ("25", 25), ("7", 7)):
                page.keyboard.press("Home")
                for key in keys:
                    page.keyboard.press(key)
                assert page.inner_text(".chosen") == labels[chosen - 1].replace("_", " "), keys
            page.keyboard.press("/")
            page.keyboard.type("_17".replace("_", " "))
            assert page.locator(".choice.given:visible").count() == 1
            page.keyboard.press("Enter")
            assert page.inner_text(".chosen") == "kind 17 r"
            assert page.locator(".choice.given:visible").count() == 25
            shot(page, "many-labels")
            assert look(page, "labels") == []
            assert page.problems == []
        finally:
            server.stop()
