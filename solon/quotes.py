"""Quotations: the words of an answer that are said to stand in a text, and where they do. Imports nothing of Solon.

Offsets count characters (Unicode code points) from 0, the end exclusive, as those of spans do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = r"^>[ \t]?(?P<line>.+)$"
_DOUBLE = r"[\"“”]([^\"“”\n]++)[\"”]|\"([^\"\n]+)\"|“([^“”\n]+)”|„([^„“”\n]+)[“”]"
_OTHER = r"«([^«»\n]+)»|»([^«»\n]+)[«»]|‹([^‹›\n]+)›|「([^「」\n]+)」|『([^『』\n]+)』"
_LETTERS = r"(?:[^'‘’`\n]|(?<=\w)['‘’](?=\w))++"
"""What stands between single marks: within a word such a mark is an apostrophe."""
_LEFT_OUT = r"(?!\s|\d\ds?\b|(?i:tis|twas|twere|twill|em|til|bout|cause|n|s|t)\b)"
"""Before these an opening mark is an apostrophe, too: '90s, 'tis."""
_SINGLE = rf"(?:``|(?<![\w'])'')({_LETTERS})''|(?<![\w'’])['‘’‚‛`]{_LEFT_OUT}({_LETTERS})(?<!\s)['‘’](?!\w)"
_QUOTATION = re.compile("|".join((_LINE, _DOUBLE, _OTHER, _SINGLE)), re.MULTILINE)
LEAST_WORDS, LEAST_CHARS = 3, 20
"""Shorter words between quotation marks are a name or a term, and no quotation."""
_AROUND = " \t\r.,;:"
"""What may stand at the ends of a quotation without being of it."""
_KINDS = {
    "dash": (re.compile("[-‐‑‒–—―−]"), "-"),
    "quotation mark": (re.compile("[\"“”„‟«»'‘’‚‛‹›`´]"), '"'),
    "white space": (re.compile(r"\s+"), " "),
}
"""What two texts may be spelt apart by and say the same -> how it is found, and what stands for it."""
_ANY = re.compile("|".join(f"({pattern.pattern})" for pattern, _ in _KINDS.values()))


@dataclass(frozen=True, slots=True)
class Quote:
    """A quotation.

    Attributes:
        start: its first character in the answer.
        end: the character after its last.
        source: start and end of these words in the text; None where they do not stand there.
        differs: what is spelt otherwise there: `dash`, `quotation mark`, `white space`, `line break`.
    """

    start: int
    end: int
    source: tuple[int, int] | None
    differs: tuple[str, ...] = ()


def find_quotes(answer: str, text: str) -> list[Quote]:
    """The quotations of an answer, in its order: lines that begin with `>`, and what stands between quotation marks and
    is of three words or more (or twenty characters). Each with its first place in the text."""
    folded: Folded | None = None
    found = []
    for start, end in _quotations(answer):
        folded = folded or Folded(text)
        found.append(folded.locate(answer, start, end))
    return found


def as_quotation(words: str) -> str:
    """A line that quotes these words."""
    return f"> {' '.join(words.split())}"


class Folded:
    """A text in which dashes, quotation marks and white space are spelt in one way, to look words up in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._folded, self._places = _fold(text)

    def locate(self, answer: str, start: int, end: int) -> Quote:
        """The words between these offsets of an answer, with their first place in the text."""
        words = answer[start:end]
        exact = self.text.find(words)
        if exact >= 0:
            return Quote(start, end, (exact, exact + len(words)))
        folded = _fold(words)[0]
        place = self._folded.find(folded)
        if place < 0 or not folded.strip():
            return Quote(start, end, None)
        source = self._places[place], self._places[place + len(folded) - 1] + 1
        return Quote(start, end, source, _differences(words, self.text[slice(*source)]))


def _quotations(answer: str) -> Iterator[tuple[int, int]]:
    for found in _QUOTATION.finditer(answer):
        start, end = found.span(found.lastindex or 0)
        words = answer[start:end]
        start, end = (
            start + len(words) - len(words.lstrip(_AROUND)),
            end - len(words) + len(words.rstrip(_AROUND)),
        )
        long = len(re.findall(r"\w+", words)) >= LEAST_WORDS or len(words) >= LEAST_CHARS
        if start < end and (long or found.lastgroup == "line"):
            yield start, end


def _fold(text: str) -> tuple[str, list[int]]:
    """The text with one spelling of each kind, and where each of its characters stands in the text as it is."""
    stands_for = [sign for _, sign in _KINDS.values()]
    parts: list[str] = []
    places: list[int] = []
    after = 0
    for found in _ANY.finditer(text):
        parts += [text[after : found.start()], stands_for[(found.lastindex or 1) - 1]]
        places += [*range(after, found.start()), found.start()]
        after = found.end()
    return "".join([*parts, text[after:]]), [*places, *range(after, len(text))]


def _differences(words: str, source: str) -> tuple[str, ...]:
    kinds = []
    for kind, (pattern, _) in _KINDS.items():
        here, there = pattern.findall(words), pattern.findall(source)
        if here != there:
            breaks = kind == "white space" and any("\n" in one for one in (*here, *there))
            kinds.append("line break" if breaks else kind)
    return tuple(kinds)
