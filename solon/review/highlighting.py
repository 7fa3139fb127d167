"""Code as HTML, line by line: classes tell keywords, texts, numbers and comments apart, and nothing is lost."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

MAX_CODE = 4_000
"""Longer code is shown without colours: some grammars take time that grows with the square of the length."""
_LANGUAGES = {
    "python", "javascript", "java", "c", "cpp", "csharp", "go", "rust", "ruby", "php", "bash", "sql", "json", "yaml",
    "toml", "html", "xml", "css", "r", "julia", "kotlin", "swift", "haskell", "lua", "perl", "latex", "ini",
    "dockerfile",
}  # fmt: skip
_ALIASES = {
    "py": "python", "python3": "python", "js": "javascript", "ts": "javascript", "typescript": "javascript",
    "jsx": "javascript", "tsx": "javascript", "c++": "cpp", "cs": "csharp", "c#": "csharp", "golang": "go",
    "rs": "rust", "rb": "ruby", "sh": "bash", "shell": "bash", "zsh": "bash", "yml": "yaml", "tex": "latex",
    "kt": "kotlin",
}  # fmt: skip
_BLANK_LINES = re.compile(r"\n\s*\n\s*\n\s*\n\s*\n")
"""Grammars of C and Java read runs of blank lines again and again."""


def render_code(code: str, language: str = "", *, coloured: bool = True) -> str:
    """Return code as HTML: a block of lines, with the language above, as it was named."""
    named = f'<span class="language">{html.escape(language)}</span>' if language else ""
    name = language.split(" ")[0].lower() if coloured else ""
    pieces = _pieces(code.removesuffix("\n"), _ALIASES.get(name, name))
    return f'<pre class="code">{named}<code>{"".join(_lines(pieces))}</code></pre>\n'


def _lines(pieces: Iterator[tuple[str, str]]) -> Iterator[str]:
    line: list[str] = []
    for kind, words in pieces:
        first, *more = words.split("\n")
        line.append(_piece(kind, first))
        for part in more:
            yield f'<span class="line">{"".join(line)}</span>'
            line = [_piece(kind, part)]
    yield f'<span class="line">{"".join(line)}</span>'


def _piece(kind: str, words: str) -> str:
    shown = html.escape(words)
    return f'<span class="{kind}">{shown}</span>' if kind and words.strip() else shown


def _pieces(code: str, language: str) -> Iterator[tuple[str, str]]:
    """The code in pieces that make it up again, each with its class, which may be empty."""
    if language in _LANGUAGES and len(code) <= MAX_CODE and not _BLANK_LINES.search(code):
        found = [
            (_kind(str(kind)), words) for _, kind, words in _lexer(language).get_tokens_unprocessed(code)
        ]
        if "".join(words for _, words in found) == code:
            yield from found
            return
    yield "", code


def _kind(token: str) -> str:
    for name, kind in (
        ("Comment", "c-note"),
        ("Keyword", "c-word"),
        ("String", "c-text"),
        ("Number", "c-number"),
    ):
        if name in token:
            return kind
    return "c-name" if token in ("Token.Name.Function", "Token.Name.Class", "Token.Name.Tag") else ""


@lru_cache(maxsize=64)
def _lexer(language: str) -> Any:
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(language, stripnl=False, ensurenl=False)
