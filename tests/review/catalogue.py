"""All texts of the pages, gathered from templates, scripts and the words that the server hands to them; and the file in
which they are kept."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import solon.review
from solon.formats.exports import FORMATS
from solon.learning.people import SIGNS
from solon.review import plain_words
from solon.review.explain import BROUGHT_BY
from solon.review.lawmaking import PARTS
from solon.review.problems import HEADINGS
from solon.review.rendering import environment
from solon.review.reviewer import TOLD
from solon.store.reviewing.bulk import LEFT_OUT

ROOT = Path(solon.review.__file__).parent
FILE = ROOT / "texts" / "en.toml"
ENGLISH_ONLY = {"api.html"}
"""The page of the API is in English, as the description is from which it is made."""
Texts = dict[str, str | list[str]]

COMMENT = re.compile(r"(?:^|(?<=[;{}\s]))// .*$", re.MULTILINE)
SAID = re.compile(r'\bt\("((?:[^"\\]|\\.)*)"\)|\bt`((?:[^`\\]|\\.)*)`')
"""What a script says, `t("...")` or t`...`, as in texts.js."""
HEAD = """\
# All texts of the pages. For another language copy this file, set `language` and `plural` (the formula of gettext), and
# translate what stands right of each "="; names such as %(n)s and tags stay. docs/languages.md says more.
# It is written by: SOLON_WRITE_TEXTS=1 python -m pytest tests/review/test_language.py -k file
language = "en"
plural = "n != 1"
"""


def templates() -> Iterator[Path]:
    yield from (path for path in sorted((ROOT / "templates").glob("*.html")) if path.name not in ENGLISH_ONLY)


def scripts() -> Iterator[Path]:
    yield from sorted((ROOT / "static").glob("*.js"))


def texts_of_pages() -> Texts:
    found: Texts = {}
    for path in templates():
        for _, function, said in environment().extract_translations(path.read_text(encoding="utf-8")):
            _add(found, function, said if isinstance(said, tuple) else (said,))
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                given = tuple(one.value if isinstance(one, ast.Constant) else None for one in node.args)
                if node.func.attr in ("gettext", "ngettext"):
                    _add(found, node.func.attr, given)
    for words in (
        plain_words.REASONS,
        plain_words.STATES,
        plain_words.ACTIONS,
        PARTS,
        LEFT_OUT,
        SIGNS,
        TOLD,
        HEADINGS,
    ):
        found |= {text: text for text in words.values()}
    found |= {one.about: one.about for one in FORMATS.values()}
    found |= {text: text for texts in BROUGHT_BY.values() for text in texts}
    return found | {text: text for text in plain_words.WORDS}


def _add(found: Texts, function: str, said: tuple[str | None, ...]) -> None:
    if isinstance(said[0], str):
        plural = function == "ngettext"
        found[said[0]] = [str(said[0]), str(said[1])] if plural else found.get(said[0], said[0])


def script(path: Path) -> str:
    """A script without its comments."""
    return COMMENT.sub("", path.read_text(encoding="utf-8"))


def texts_of_scripts() -> Texts:
    found = {}
    for path in scripts():
        for plain, filled in SAID.findall(script(path)):
            text = json.loads(f'"{plain}"') if plain else _numbered(filled)
            found[text] = text
    return dict(found)


def _numbered(said: str) -> str:
    """The text of t`...`: each value by its number."""
    places = count(1)
    return re.sub(r"\$\{(?:[^{}]|\{[^{}]*\})*\}", lambda _: f"%({next(places)})s", said)


def write(pages: Texts, scripts: Texts, head: str = HEAD) -> str:
    """Return the file of a language."""

    def line(text: str) -> str:
        return json.dumps(text, ensure_ascii=False)

    def value(said: str | list[str]) -> str:
        return line(said) if isinstance(said, str) else f"[{', '.join(map(line, said))}]"

    parts = [head]
    for name, texts in (("pages", pages), ("scripts", scripts)):
        parts.append(f"\n[{name}]\n")
        parts += [
            f"{line(text)} = {value(texts[text])}\n" for text in sorted(texts, key=lambda t: (t.lower(), t))
        ]
    return "".join(parts)
