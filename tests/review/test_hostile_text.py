"""Candidate texts are hostile: whatever they hold is shown, and does nothing."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solon.review.markdown import MAX_MARKDOWN, mark_quotes, render, word_diff

ALLOWED = {
    "p", "br", "hr", "strong", "em", "s", "code", "pre", "ul", "ol", "li", "blockquote", "h3", "h4", "h5", "h6",
    "table", "thead", "tbody", "tr", "th", "td", "span", "mark", "ins", "del",
}  # fmt: skip
ATTRIBUTES = {("span", "class"), ("pre", "class"), ("ol", "start"), ("mark", "title"), ("mark", "tabindex")}

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
    diff = word_diff(text, "something else")
    assert diff is not None
    assert_inert(diff[0] + diff[1])
    assert_inert(mark_quotes(text, [(text[:12], "principle: fatal")]))
    assert_inert(mark_quotes("harmless words", [("harmless", text)]))


@settings(max_examples=150, deadline=None)
@given(
    st.text(alphabet=st.sampled_from("<>\"'`&[]()!|\\/*_~#-=: \nabjsx\u202e\u200b\ue000\ue001"), max_size=80)
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


def test_a_megabyte_is_shown_plainly_and_soon() -> None:
    begun = time.perf_counter()
    html = render("| a " * 250_000)
    assert time.perf_counter() - begun < 2.0
    assert html.startswith('<pre class="plain">')
    assert word_diff("a " * 250_000, "b") is None
    assert len(render("x" * MAX_MARKDOWN)) < MAX_MARKDOWN + 100


def test_deep_nesting_ends() -> None:
    begun = time.perf_counter()
    assert_inert(render("> " * 5_000 + "x"))
    assert_inert(render("[" * 20_000))
    assert_inert(render("*a " * 15_000))
    assert time.perf_counter() - begun < 10.0


def test_quotes_are_marked_once_each() -> None:
    html = mark_quotes(
        "Take 5 tablets. Take 5 tablets.", [("Take 5 tablets", "p: fatal"), ("5 tab", "q: minor")]
    )
    assert len(re.findall("<mark", html)) == 1
    assert 'title="p: fatal"' in html
