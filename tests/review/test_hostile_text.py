"""Candidate texts are hostile: whatever they hold is shown, and does nothing."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from solon.store.tables import table_of

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, log_in
from cases import CONFIG, build
from hypothesis import given, settings
from hypothesis import strategies as st
from running import Server
from sqlalchemy import select, update

from solon.project import Project
from solon.review.comparing import compare, word_diff
from solon.review.formulas import ATTRIBUTES as FORMULA_ATTRIBUTES
from solon.review.formulas import TAGS as FORMULA_TAGS
from solon.review.markdown import MAX_MARKDOWN, mark_quotes, render, render_source
from solon.store.reviewing.experts import add_expert
from solon.store.tables.runs import Text
from solon.store.tables.work import Critique

ALLOWED = {
    "p", "br", "hr", "strong", "em", "s", "code", "pre", "ul", "ol", "li", "blockquote", "h3", "h4", "h5", "h6",
    "div", "table", "thead", "tbody", "tr", "th", "td", "span", "mark", "ins", "del", *FORMULA_TAGS,
}  # fmt: skip
BLOCKS = (
    "p",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "blockquote",
    "table",
    "td",
    "th",
    "span",
    "div",
    "pre",
)
ATTRIBUTES = {
    *((tag, "dir") for tag in BLOCKS), *((tag, name) for tag, names in FORMULA_ATTRIBUTES.items() for name in names),
    ("span", "class"), ("pre", "class"), ("ol", "start"), ("mark", "title"), ("mark", "tabindex"), ("div", "class"),
    ("div", "tabindex"), ("ins", "data-change"), ("del", "data-change"), ("ins", "class"), ("del", "class"),
}  # fmt: skip

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    '[x](http://example.org/"onmouseover="alert(1))',
    "![tracker](https://example.org/pixel.png)",
    '![x" onerror="alert(1)](x)',
    "<https://example.org/auto>",
    '```html" onload="alert(1)\n<b>x</b>\n```',
    "<iframe src='https://example.org'></iframe>",
    "<style>body{display:none}</style>",
    "</article></main><form action='https://example.org'><input name=token>",
    "<a href='javascript:alert(1)'>x</a>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "| a | b |\n|---|---|\n| <img src=x onerror=alert(1)> | `<b>` |",
    "text with \ue000script\ue001 marks",
    "{{ 7 * 7 }} {% raw %}",
    r"$\href{javascript:alert(1)}{x}=1$",
    r"$\text{<img src=x onerror=alert(1)>}=1$",
    r"\(\text{&lt;script&gt;alert(1)&lt;/script&gt;}=1\)",
    r"$$\style{background:url(https://example.org)}{x}=1$$",
    '\\[\n\\class{a" onclick="alert(1)}{x} = <svg/onload=alert(1)>\n\\]',
    r"$\mathrm{</math><script>alert(1)</script>}=1$",
    "```python\n'''</span></code><img src=x onerror=alert(1)>'''\n```",
    "```js x onmouseover=alert(1)\nconst a = `<script>alert(1)</script>`;\n```",
    "```<img/src=x/onerror=alert(1)>\nx\n```",
    "&#x3c;script&#x3e;alert(1)&#x3c;/script&#x3e; &#x202e;",
]


class Shape(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, str]] = set()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.seen |= {(tag, name) for name, _ in attrs}


def assert_inert(html: str) -> None:
    shape = Shape()
    shape.feed(html)
    assert shape.tags <= ALLOWED, shape.tags - ALLOWED
    assert shape.seen <= ATTRIBUTES, shape.seen - ATTRIBUTES


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_is_inert(text: str) -> None:
    assert_inert(render(text))
    for one in (compare(text, "something else"), compare(text, text[3:])):
        assert_inert(one.left + one.right)
    assert_inert("".join(word_diff(text, "something else")))
    assert_inert(render_source(text))
    assert_inert(mark_quotes(text, [(text[:12], "principle: fatal")]))
    assert_inert(mark_quotes("harmless words", [("harmless", text)]))


@settings(max_examples=150, deadline=None)
@given(
    st.text(alphabet=st.sampled_from("$<>\"'`&[]()!|\\/*_~#-=: \nabjsx\u202e\u200b\ue000\ue001"), max_size=80)
)
def test_any_text_is_inert(text: str) -> None:
    assert_inert(render(text))
    assert_inert(mark_quotes(text, [(text[3:20], text)]))


def test_links_and_images_are_text_with_their_address() -> None:
    html = render("See [the label](https://example.org/a) and ![chart](https://example.org/c.png)")
    assert "the label" in html
    assert "(https://example.org/a)" in html
    assert "[image: chart (https://example.org/c.png)]" in html


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\u2066", "\ufeff", "\u00ad", "\u0007", "\U000e0041"])
def test_hidden_characters_are_named(hidden: str) -> None:
    html = render(f"take {hidden}5 mg")
    assert hidden not in html
    assert f"U+{ord(hidden):04X}" in html
    assert 'class="hidden-char"' in html


def test_letters_that_only_look_odd_stay() -> None:
    text = "می‌خواهم naïve 👩‍⚕️ żółć"  # zero-width joiners belong to these scripts
    assert text in render(text)


def test_a_megabyte_is_shown_plainly() -> None:
    html = render("| a " * 250_000)
    assert html.startswith('<pre class="plain" dir="auto">')
    assert compare("a " * 250_000, "b " + "a " * 250_000).coarse
    assert len(render("x" * MAX_MARKDOWN)) < MAX_MARKDOWN + 100


def test_deep_nesting_ends() -> None:
    assert_inert(render("> " * 5_000 + "x"))
    assert_inert(render("[" * 20_000))
    assert_inert(render("*a " * 15_000))


def test_quotes_are_marked_once_each() -> None:
    html = mark_quotes(
        "Take 5 tablets. Take 5 tablets.", [("Take 5 tablets", "p: fatal"), ("5 tab", "q: minor")]
    )
    assert len(re.findall("<mark", html)) == 1
    assert 'title="p: fatal"' in html


class TestPage:
    """The same texts as candidates, in a headless Chromium."""

    pytestmark = BROWSER_MARKS

    def test_hostile_candidates_do_nothing(self, browser: Any, tmp_path: Path) -> None:
        """No dialog, no request to anywhere else, nothing run: on the item, its diff, and the explanation."""
        words = [f"harmless words number {n}" for n in range(len(HOSTILE))]
        hostile = "\n\n".join(f"{said}\n\n{text}" for said, text in zip(words, HOSTILE, strict=True))
        rows = [
            {
                "id": f"case-{n}",
                "prompt": f"{text} (case {n})",
                "input": text,
                "reference": text,
                "responses": [
                    {"text": hostile, "source": "a"},
                    {"text": hostile[::-1] + text, "source": "b"},
                ],
            }
            for n, text in enumerate(HOSTILE[:3])
        ]
        url = build(tmp_path, rows)
        with Project(url, config=CONFIG, create=False) as project:
            _, token = add_expert(project.store, "Ada", role="lead", by="local:test")
            found = {"severity": "major", "principle": HOSTILE[0], "quote": words[1], "suggestion": hostile}
            with project.store.transaction() as connection:
                said = table_of(Text).c.id.in_(select(table_of(Critique).c.text_id))
                connection.execute(update(table_of(Text)).where(said).values(body=json.dumps([found])))
            server = Server(project)
            server.start()
            try:
                self._look(log_in(browser, server, token), server)
            finally:
                server.stop()

    def _look(self, page: Any, server: Server) -> None:
        opened: list[str] = []
        page.on("dialog", lambda shown: (opened.append(shown.message), shown.dismiss()))
        page.on("popup", lambda shown: opened.append(shown.url))
        asked: list[str] = []
        page.on("request", lambda sent: asked.append(sent.url))
        page.reload()
        page.wait_for_selector(".item")
        page.keyboard.press("d")
        page.wait_for_selector(".diff ins, .diff del")
        page.keyboard.press("d")
        page.keyboard.press("o")
        page.wait_for_selector(".candidate .source")
        page.keyboard.press("o")
        for place in page.query_selector_all("main .text *")[:200]:
            place.dispatch_event("mouseover")
        before = page.inner_text(".request .text")
        page.keyboard.press("1")
        page.fill("#rationale", HOSTILE[0])
        page.keyboard.press("Control+Enter")
        page.wait_for_function(
            "before => document.querySelector('.request .text')?.innerText !== before", arg=before
        )
        page.wait_for_selector("#last:not([hidden])")
        page.keyboard.press("w")
        page.wait_for_selector("#dialog[open]")
        assert "harmless words number 1" in page.inner_text("#dialog")
        item = page.query_selector("#dialog a[href*='/lead/items/']")
        if item is not None:
            page.goto(server.address + str(item.get_attribute("href")))
        page.wait_for_timeout(300)
        elsewhere = [url for url in asked if not url.startswith(server.address)]
        assert (opened, elsewhere, page.problems) == ([], [], [])
        assert (
            page.evaluate(
                "document.querySelectorAll('main script, main iframe, main img, main style').length"
            )
            == 0
        )
