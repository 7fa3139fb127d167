"""Hostile text as harmless HTML: Markdown without links, images or raw HTML, hidden characters made visible."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from solon.review import formulas
from solon.review.characters import (
    HIDDEN,
    direction,
    isolate,
    name_hidden,
    name_mark,
    show_hidden,
    show_marks,
    turns,
)
from solon.review.highlighting import render_code

MAX_MARKDOWN = 60_000
"""Longer texts are shown as they are written: a megabyte of tables would block the page."""
MAX_COLOURED = 8_000
"""So many characters of code in one text are coloured."""

_UNUSUAL = re.compile(HIDDEN.pattern + "|[\\r\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")

_STARS = re.compile(r"\*+")

_TAGS = {
    "p", "br", "hr", "strong", "em", "s", "code", "pre", "ul", "ol", "li", "blockquote", "h3", "h4", "h5",
    "h6", "div", "table", "thead", "tbody", "tr", "th", "td", "span", *formulas.TAGS,
}  # fmt: skip
_DIRECTED = {"p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "table", "td", "th", "span"}
_ATTRIBUTES = {
    **formulas.ATTRIBUTES,
    **{tag: {"dir"} for tag in _DIRECTED},
    "ol": {"dir", "start"},
    "li": {"dir", "value"},
    "span": {"class", "dir"},
    "pre": {"class"},
    "div": {"class", "dir", "tabindex"},
}


def render(text: str) -> str:
    """Return Markdown as HTML that carries no address, script or hidden character."""
    if len(text) > MAX_MARKDOWN:
        return render_plain(text)
    return "".join(_render_blocks(text))


def render_plain(text: str) -> str:
    """Return the text as HTML as it is written, line by line."""
    return f'<pre class="plain" dir="auto">{show_marks(html.escape(show_hidden(text)))}</pre>'


def render_source(text: str) -> str:
    """Return the exact characters of a text as HTML; spaces that look like others are named, line ends are lines."""
    named = _UNUSUAL.sub(lambda found: name_mark(found.group()), text)
    lines = (isolate(line) if turns(line) else html.escape(line) for line in named.split("\n"))
    return show_marks("\n".join(lines))


def render_blocks(text: str) -> Sequence[str]:
    """Return a text as `render` shows it, paragraph by paragraph: its blocks, which make it up."""
    if len(text) > MAX_MARKDOWN:
        return [render_plain(part) for part in text.split("\n\n")]
    return _render_blocks(text)


@lru_cache(maxsize=256)
def _render_blocks(text: str) -> tuple[str, ...]:
    import nh3

    env: dict[str, Any] = {}
    parser, named = _parser(), show_hidden(text)
    tokens = _keep_cells(parser.parse(named, env), named.split("\n"))
    blocks = (show_marks(parser.renderer.render(block, parser.options, env)) for block in _blocks(tokens))
    return tuple(nh3.clean(one, tags=_TAGS, attributes=_ATTRIBUTES, link_rel=None) for one in blocks)


def _blocks(tokens: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The tokens of each block that stands in no other, after directions were given to all."""
    _give_directions(tokens)
    _keep_numbers(tokens)
    first, depth = 0, 0
    for at, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            yield tokens[first : at + 1]
            first = at + 1


def _give_directions(tokens: Sequence[Any]) -> None:
    """Every block and every cell is read in the direction of its own first letter."""
    opened: list[Any] = []
    for token in tokens:
        if token.nesting == 1:
            opened.append(token)
        elif token.nesting == -1:
            opened.pop()
        elif token.type == "inline":
            words = _words(token)
            way, turned = direction(words), turns(words)
            if opened and (way or opened[-1].tag in ("td", "th")):
                opened[-1].attrSet("dir", way or "ltr")
            for outer in opened[:-1]:
                if way and outer.tag in _DIRECTED and outer.attrGet("dir") is None:
                    outer.attrSet("dir", way)
            for child in token.children or ():
                child.meta = {**child.meta, "turns": child.type == "text" and turned}


def _keep_numbers(tokens: Sequence[Any]) -> None:
    """Each item of a list has the number that was written: Markdown goes by the first one alone."""
    expected: list[int] = []
    for token in tokens:
        if token.type == "ordered_list_open":
            expected.append(int(token.attrGet("start") or 1))
        elif token.type == "ordered_list_close":
            expected.pop()
        elif token.type == "list_item_open" and token.info.isdecimal():
            number = int(token.info)
            if number != expected[-1]:
                token.attrSet("value", str(number))
            expected[-1] = number + 1


def _keep_cells(tokens: Sequence[Any], lines: Sequence[str]) -> list[Any]:
    """Tables of which a row has more cells than the head become text as it was written: they would be dropped."""
    from markdown_it.token import Token

    kept: list[Any] = []
    first = 0
    for token in tokens:
        if token.type == "table_open":
            first = len(kept)
        kept.append(token)
        if token.type == "table_close":
            table, (begin, end) = kept[first:], kept[first].map
            columns = sum(one.type == "th_open" for one in table)
            rows = [one.map[0] for one in table if one.type == "tr_open" and one.map]
            if any(_count_cells(lines[at]) > columns for at in rows):
                written = "\n".join(lines[begin:end]) + "\n"
                kept[first:] = [Token("code_block", "code", 0, content=written, block=True)]
    return kept


def _count_cells(line: str) -> int:
    """How many cells a line of a table has, whatever it stands in."""
    cells = re.split(r"(?<!\\)\|", re.sub(r"^[\s>]*(?:(?:[-*+]|\d{1,9}[.)])\s+)?", "", line).rstrip())
    return len(cells) - (not cells[0].strip()) - (len(cells) > 1 and not cells[-1].strip())


def _words(inline: Any) -> str:
    return "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))


@lru_cache(maxsize=1)
def _parser() -> Any:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "typographer": False, "breaks": True})
    parser.enable(["table", "strikethrough"])
    # What these rules read would be gone from sight: an address that nothing refers to, the name of a character.
    parser.disable(["reference", "entity"])
    formulas.add_formulas(parser)
    parser.inline.ruler.before("emphasis", "times", _keep_times)
    # Any address may be parsed as a link, since none is ever made: it is shown as text beside its label.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    rules = parser.renderer.rules  # type: ignore[attr-defined]
    rules["text"] = lambda tokens, at, *_: _text(tokens[at])
    rules["link_open"] = lambda *_: '<span class="link">'
    rules["link_close"] = _address
    rules["image"] = _image
    rules["heading_open"] = lambda tokens, at, *_: f"<h{_level(tokens[at].tag)}{_dir(tokens[at])}>"
    rules["heading_close"] = lambda tokens, at, *_: f"</h{_level(tokens[at].tag)}>\n"
    rules["table_open"] = lambda tokens, at, *_: (
        f'<div class="wide" tabindex="0"{_dir(tokens[at])}><table{_dir(tokens[at])}>\n'
    )
    rules["table_close"] = lambda *_: "</table></div>\n"
    rules["fence"] = lambda tokens, at, _options, env: _code(tokens[at], tokens[at].info.strip(), env)
    rules["code_block"] = lambda tokens, at, _options, env: _code(tokens[at], "", env)
    return parser


def _text(token: Any) -> str:
    return isolate(token.content) if token.meta.get("turns") else html.escape(token.content)


def _keep_times(state: Any, silent: bool) -> bool:
    """A star between letters or digits is a sign of its own, as in 2*3: no emphasis begins or ends there."""
    stars = _STARS.match(state.src, state.pos)
    if stars is None:
        return False
    begin, end = max(state.pos - 1, 0), min(stars.end() + 1, state.posMax)
    if not (state.src[begin : state.pos].isalnum() and state.src[stars.end() : end].isalnum()):
        return False
    if not silent:
        state.pending += stars.group()
    state.pos = stars.end()
    return True


def _dir(token: Any) -> str:
    way = token.attrGet("dir")
    return f' dir="{way}"' if way else ""


def _code(token: Any, language: str, env: dict[str, Any]) -> str:
    env["coloured"] = env.get("coloured", 0) + len(token.content)
    return render_code(token.content, language, coloured=env["coloured"] <= MAX_COLOURED)


def _level(tag: str) -> int:
    """Headings of a candidate stand below those of the page."""
    return min(6, int(tag[1]) + 2)


def _address(tokens: Sequence[Any], at: int, *_: Any) -> str:
    opening = next(token for token in reversed(tokens[:at]) if token.type == "link_open")
    return f'</span> <span class="address">({_where(opening, "href")})</span>'


def _image(tokens: Sequence[Any], at: int, *_: Any) -> str:
    token = tokens[at]
    return f'<span class="address">[image: {html.escape(token.content)} ({_where(token, "src")})]</span>'


def _where(token: Any, name: str) -> str:
    title = token.attrGet("title")
    return html.escape(str(token.attrGet(name) or "") + (f' "{title}"' if title else ""))


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
    return show_marks("".join(parts))
