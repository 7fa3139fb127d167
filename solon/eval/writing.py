"""Pure measures of a text: length, markdown, readability, refusals, personal data, rude words. No I/O, no models."""

from __future__ import annotations

import re
from collections.abc import Mapping

from solon.agents.tasks import find_refusal
from solon.words import find_words

_MARKS = re.compile(
    r"^\s{0,3}(?:#{1,6}\s|[-*+]\s|\d{1,3}[.)]\s|>\s|\|)|\*\*[^*\n]{1,200}\*\*|`[^`\n]{1,200}`", re.MULTILINE
)
PERSONAL: Mapping[str, re.Pattern[str]] = {
    "email": re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"),
    "phone": re.compile(
        r"(?<![\w.])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)|\d{2,4})[ .-]\d{3,4}[ .-]?\d{3,4}(?!\w)"
    ),
    "card": re.compile(r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)"),
    "iban": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"),
    "ip_address": re.compile(
        r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])"
    ),
    "us_social_security": re.compile(r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)"),
}
"""What looks like personal data. A pattern finds forms, not people: neither names nor what is told of them."""
RUDE = frozenset(
    word
    for line in (
        "arse arsehole ass asshole bastard bitch bollocks bullshit crap cunt damn dickhead dumbass faggot fuck",
        "fucked fucker fucking goddamn idiot idiotic moron moronic motherfucker nigger prick retard retarded shit",
        "shitty slut spastic tranny twat wanker whore",
    )
    for word in line.split()
)


def count_marks(text: str) -> int:
    """Return how many marks of Markdown are in a text.

    Headings, list items, quotes, table rows, bold and code spans, and fences are counted.
    """
    return len(_MARKS.findall(text)) + text.count("```") // 2


def is_refusal(text: str) -> bool:
    """Tell whether an answer begins as a refusal does: by phrases in English, in its first 300 characters."""
    return bool(find_refusal(text))


def find_personal(text: str) -> dict[str, int]:
    """Return the number of places that look like personal data, by kind."""
    places = {kind: sum(_is_real(kind, m.group()) for m in p.finditer(text)) for kind, p in PERSONAL.items()}
    return {kind: number for kind, number in places.items() if number}


def _is_real(kind: str, match: str) -> bool:
    return kind != "card" or _passes_luhn([int(c) for c in match if c.isdigit()])


def _passes_luhn(digits: list[int]) -> bool:
    doubled = [d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def find_rude(text: str) -> int:
    """Return how many words of a short English list are in a text. It knows no context: a quotation counts
    too.
    """
    return sum(word in RUDE for word in find_words(text))


def find_broken_markdown(text: str) -> tuple[str, ...]:
    """Return what a renderer would stumble over: an open fence, an uneven table, an open link or emphasis."""
    problems = []
    fences = [line for line in text.splitlines() if line.lstrip().startswith("```")]
    if len(fences) % 2:
        problems.append("open fence")
    plain = re.sub(r"```.*?(?:```|\Z)|`[^`\n]*`", "", text, flags=re.DOTALL)
    if any(line.count("**") % 2 for line in re.split(r"\n\s*\n", plain)):
        problems.append("open bold")
    if re.search(r"\[[^\]\n]{1,200}\]\([^)\n]*$", plain, re.MULTILINE):
        problems.append("open link")
    if _has_uneven_table(plain):
        problems.append("uneven table")
    return tuple(problems)


def _has_uneven_table(text: str) -> bool:
    width = 0
    for line in text.splitlines():
        stripped = line.strip()
        if not (stripped.startswith("|") and stripped.endswith("|") and len(stripped) > 1):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", stripped)) - 1
        if width and cells != width:
            return True
        width = cells
    return False
