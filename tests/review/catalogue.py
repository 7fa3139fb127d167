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
from solon.eval.suites.agreement import NONE_TWICE
from solon.eval.suites.audit import NOT_AUDITED
from solon.formats.exports import FORMATS
from solon.graphs.routing import _COUNTS
from solon.injection import KINDS
from solon.learning.people import SIGNS
from solon.review import plain_words
from solon.review.explain import BROUGHT_BY
from solon.review.lawmaking import PARTS
from solon.review.problems import HEADINGS
from solon.review.rendering import environment
from solon.review.reviewer import TOLD
from solon.store.reviewing.bulk import LEFT_OUT

ROOT = Path(solon.review.__file__).parent
SOLON = ROOT.parent
REFUSING = ("review", "store/reviewing", "store/lawmaking", "law", "lawmaking", "responses.py")
REFUSALS = {
    "AlreadyDecided", "InvalidDecision", "LeaseLost", "NotAllowed", "NotLoggedIn", "NotPending", "NotThere",
    "TokenWanted", "UsageError", "ValueError",
}  # fmt: skip
"""What people are refused with on the pages, and the rooms that do so."""
COMPOSING = (
    "consensus/audit.py", "consensus/probes.py", "consensus/target.py", "eval/report/promise.py",
    "eval/report/promise_picture.py",
    "eval/result.py", "graphs/nodes/consensus.py", "graphs/nodes/resolve.py", "graphs/routing.py",
    "graphs/spending.py", "law/amendments.py", "learning/strata.py", "learning/why_suspended.py",
    "learning/withdrawn.py", "recipes/rubrics.py", "review/checks.py",
)  # fmt: skip
"""Modules that say in words why an item came to people, what is promised, and what an amendment lacks."""
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
        KINDS,
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


def texts_told() -> Texts:
    """What the server composes: causes of refusals with their next step, and what `COMPOSING` says in words."""
    found: Texts = {}
    for room in REFUSING:
        for path in sorted((SOLON / room).rglob("*.py")) or [SOLON / room]:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in REFUSALS:
                    asked = [*node.args[:1], *(one.value for one in node.keywords if one.arg == "next_step")]
                    found |= {text: text for part in asked for text in _composed(part)}
    for name in COMPOSING:
        tree = ast.parse((SOLON / name).read_text(encoding="utf-8"))
        for node in _said(tree):
            found |= {
                text: text for text in _composed(node) if re.search(r"[a-z]{2,},? [a-z]{2,}|%.*[a-z]", text)
            }
    counted = ("judge", "judges", "%(1)s judges", "judges agree", "judges disagree", *_COUNTS.values())
    return found | {text: text for text in (NONE_TWICE, NOT_AUDITED, *counted)}


def _said(node: ast.AST) -> Iterator[ast.expr]:
    """The literals under a node, whole, without docstrings and what stands in other literals."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.JoinedStr) or (
            isinstance(child, ast.Constant) and isinstance(child.value, str)
        ):
            yield child
            for value in getattr(child, "values", ()):
                if isinstance(value, ast.FormattedValue):
                    yield from _said(value)
        elif not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
            yield from _said(child)


def _composed(node: ast.expr | None) -> list[str]:
    """The texts that an expression may give, each value in them by its number, without what joins it to others; none
    where it has no words of its own."""
    if isinstance(node, ast.IfExp):
        return _composed(node.body) + _composed(node.orelse)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value.strip(" ;,")] if re.search(r"[^\W\d_]", node.value) else []
    if not isinstance(node, ast.JoinedStr) or "<" in ast.unparse(node):  # markup
        return []
    places = count(1)
    parts = [
        str(part.value).replace("%", "%%") if isinstance(part, ast.Constant) else f"%({next(places)})s"
        for part in node.values
    ]
    own = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
    return ["".join(parts).strip(" ;,")] if re.search(r"[^\W\d_]", own) else []


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


def write(pages: Texts, scripts: Texts, told: Texts, head: str = HEAD) -> str:
    """Return the file of a language."""

    def line(text: str) -> str:
        return json.dumps(text, ensure_ascii=False)

    def value(said: str | list[str]) -> str:
        return line(said) if isinstance(said, str) else f"[{', '.join(map(line, said))}]"

    parts = [head]
    for name, texts in (("pages", pages), ("scripts", scripts), ("told", told)):
        parts.append(f"\n[{name}]\n")
        parts += [
            f"{line(text)} = {value(texts[text])}\n" for text in sorted(texts, key=lambda t: (t.lower(), t))
        ]
    return "".join(parts)
