"""Hostile text as harmless HTML: markdown without links, images or raw HTML, hidden characters made visible."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

MAX_MARKDOWN = 60_000
"""Longer texts are shown as they are written: a megabyte of tables would block the page."""
MAX_DIFF_WORDS = 4_000

_TAGS = {
    "p", "br", "hr", "strong", "em", "s", "code", "pre", "ul", "ol", "li", "blockquote", "h3", "h4", "h5",
    "h6", "table", "thead", "tbody", "tr", "th", "td", "span",
}  # fmt: skip
_HIDDEN = re.compile(
    "[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\u00ad\U000e0000-\U000e007f]"
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_OPEN, _CLOSE = "\ue000", "\ue001"
"""Private-use marks around the name of a hidden character, until the text is HTML."""


def render(text: str) -> str:
    """Return Markdown as HTML that carries no address, script or hidden character."""
    if len(text) > MAX_MARKDOWN:
        return render_plain(text)
    return _render_markdown(text)


def render_plain(text: str) -> str:
    """Return the text as HTML as it is written, line by line."""
    return f'<pre class="plain">{_show_marks(html.escape(show_hidden(text)))}</pre>'


def show_hidden(text: str) -> str:
    """Return text in which the names of characters stand that hide or reorder it, between private-use marks.

    The text is not HTML yet; for words that never become HTML there is `name_hidden`.
    """
    text = text.replace(_OPEN, "").replace(_CLOSE, "")
    text = _HIDDEN.sub(lambda found: f"{_OPEN}U+{ord(found.group()):04X}{_CLOSE}", text)
    return _CONTROL.sub(lambda found: f"{_OPEN}U+{ord(found.group()):04X}{_CLOSE}", text)


def name_hidden(text: str) -> str:
    """Return text in which the names of hidden characters stand, as `<U+200B>`: for titles and short words."""
    return show_hidden(text).replace(_OPEN, "<").replace(_CLOSE, ">")


def _show_marks(rendered: str) -> str:
    return rendered.replace(_OPEN, '<span class="hidden-char">').replace(_CLOSE, "</span>")


@lru_cache(maxsize=256)
def _render_markdown(text: str) -> str:
    import nh3

    rendered = _show_marks(str(_parser().render(show_hidden(text))))
    return nh3.clean(rendered, tags=_TAGS, attributes={"span": {"class"}, "ol": {"start"}}, link_rel=None)


@lru_cache(maxsize=1)
def _parser() -> Any:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "typographer": False, "breaks": True})
    parser.enable(["table", "strikethrough"])
    # Any address may be parsed as a link, since none is ever made: it is shown as text beside its label.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    rules = parser.renderer.rules  # type: ignore[attr-defined]
    rules["link_open"] = lambda *_: '<span class="link">'
    rules["link_close"] = _address
    rules["image"] = _image
    rules["heading_open"] = lambda tokens, at, *_: f"<h{_level(tokens[at].tag)}>"
    rules["heading_close"] = lambda tokens, at, *_: f"</h{_level(tokens[at].tag)}>"
    return parser


def _level(tag: str) -> int:
    """Headings of a candidate stand below those of the page."""
    return min(6, int(tag[1]) + 2)


def _address(tokens: Sequence[Any], at: int, *_: Any) -> str:
    opening = next(token for token in reversed(tokens[:at]) if token.type == "link_open")
    return f'</span> <span class="address">({html.escape(str(opening.attrGet("href") or ""))})</span>'


def _image(tokens: Sequence[Any], at: int, *_: Any) -> str:
    token = tokens[at]
    alt, source = html.escape(token.content), html.escape(str(token.attrGet("src") or ""))
    return f'<span class="address">[image: {alt} ({source})]</span>'


def word_diff(left: str, right: str) -> tuple[str, str] | None:
    """Return both texts as HTML with what differs marked; None where they are too long to compare by words."""
    a, b = _words(show_hidden(left)), _words(show_hidden(right))
    if len(a) + len(b) > MAX_DIFF_WORDS:
        return None
    out_a, out_b = [], []
    for kind, a1, a2, b1, b2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        before, after = html.escape("".join(a[a1:a2])), html.escape("".join(b[b1:b2]))
        out_a.append(before if kind == "equal" else f"<del>{before}</del>" if before else "")
        out_b.append(after if kind == "equal" else f"<ins>{after}</ins>" if after else "")
    return _show_marks("".join(out_a)), _show_marks("".join(out_b))


def _words(text: str) -> list[str]:
    return re.findall(r"\s+|\w+|[^\w\s]", text)


def mark_quotes(text: str, findings: Sequence[tuple[str, str]]) -> str:
    """Return the text as HTML with quoted spans marked.

    Args:
        findings: quote and what it was quoted for, which becomes the title of its mark.
    """
    shown = show_hidden(text)
    spans: list[tuple[int, int, str]] = []
    for quote, title in findings:
        wanted = show_hidden(quote).strip()
        at = shown.find(wanted) if len(wanted) >= 3 else -1
        if at >= 0 and all(at >= end or at + len(wanted) <= start for start, end, _ in spans):
            spans.append((at, at + len(wanted), title))
    parts, last = [], 0
    for start, end, title in sorted(spans):
        parts.append(html.escape(shown[last:start]))
        parts.append(
            f'<mark tabindex="0" title="{html.escape(name_hidden(title))}">{html.escape(shown[start:end])}</mark>'
        )
        last = end
    parts.append(html.escape(shown[last:]))
    return _show_marks("".join(parts))
