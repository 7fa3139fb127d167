"""Two texts held against each other: paragraphs first, then the words of those that differ. The work is bounded."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from solon.review.characters import show_hidden, show_marks
from solon.review.language import IN_ENGLISH, Language
from solon.review.markdown import render_blocks

MAX_CELLS = 300_000_000
"""Words of one text times words of the other: a fraction of a second. Beyond, a whole passage counts as changed."""
SALAD = 0.2
"""Where a smaller share of the words is common, marking them word by word would say nothing."""
MOSTLY_DIFFERENT = 0.4
FEW = 5
"""Passages of more words that have nothing in common are marked more lightly, since they are read as a whole."""

_TOKEN = re.compile(
    r'<math\b.*?</math>|<span class="hidden-char">.*?</span>|<[^>]*>|&[#\w]{1,12};|\s+'
    r"|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w{1,64}|[^\w\s]",
    re.DOTALL,
)

Opcode = tuple[bool, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two texts as HTML with what differs marked.

    Attributes:
        left: the first; what only it has is in `del` elements, numbered by `data-change`.
        right: the second; what only it has is in `ins` elements.
        same: share of the words of both that are common.
        changes: how many places differ.
        coarse: some passages were too long to compare word by word.
    """

    left: str
    right: str
    same: float
    changes: int
    coarse: bool = False

    def tell(self, say: Language = IN_ENGLISH) -> str:
        """Return what to say of them in a sentence."""
        if self.coarse:
            return say.gettext(
                "These answers are too long to compare every word: some passages are marked as a whole."
            )
        if not self.changes:
            if self.left == self.right:
                return say.gettext("The words are the same.")
            return say.gettext("The words are the same; their form differs.")
        if self.same < MOSTLY_DIFFERENT:
            told = say.gettext(
                "These answers are mostly different: %(share)s%% of their words are the same. Read them side by side."
            )
        else:
            told = say.ngettext(
                "They differ in %(n)s place; %(share)s%% of their words are the same.",
                "They differ in %(n)s places; %(share)s%% of their words are the same.",
                self.changes,
            )
        return told % {"n": self.changes, "share": int(100 * self.same)}


def compare(left: str, right: str) -> Comparison:
    """Return two Markdown texts, rendered, with what differs between them marked."""
    work = _Work()
    sides = render_blocks(left), render_blocks(right)
    out: tuple[list[str], list[str]] = ([], [])
    for same, a1, a2, b1, b2 in align(*sides):
        parts = _tokens(sides[0][a1:a2]), _tokens(sides[1][b1:b2])
        if same:
            work.common += sum(map(_is_word, parts[0]))
            out[0].extend(parts[0])
            out[1].extend(parts[1])
        else:
            for made, shown in zip(out, work.mark(*parts), strict=True):
                made.append(shown)
    words = sum(sum(map(_is_word, _TOKEN.findall("".join(blocks)))) for blocks in sides)
    share = 2 * work.common / words if words else 1.0
    return Comparison("".join(out[0]), "".join(out[1]), share, work.changes, work.coarse)


def word_diff(left: str, right: str) -> tuple[str, str]:
    """Return two short texts as HTML as they are written, with the words that differ marked."""
    parts = (_TOKEN.findall(html.escape(show_hidden(text))) for text in (left, right))
    before, after = _Work(numbered=False).mark(*parts)
    return show_marks(before), show_marks(after)


class _Work:
    """The marks of two texts, counted from one passage to the next."""

    def __init__(self, *, numbered: bool = True) -> None:
        self.changes, self.common, self.coarse, self._numbered = 0, 0, False, numbered

    def mark(self, left: Sequence[str], right: Sequence[str]) -> tuple[str, str]:
        """Return two passages, as pieces of HTML, with the words that differ marked."""
        words = [[one for one in side if _is_word(one)] for side in (left, right)]
        steps = _steps(*words)
        self.coarse |= len(words[0]) * len(words[1]) > MAX_CELLS
        marks: tuple[list[int], list[int]] = ([], [])
        for same, a1, a2, b1, b2 in steps:
            self.common += a2 - a1 if same else 0
            self.changes += not same
            marks[0].extend([0 if same else self.changes] * (a2 - a1))
            marks[1].extend([0 if same else self.changes] * (b2 - b1))
        whole = ' class="whole"' if len(steps) == 1 and min(map(len, words)) > FEW else ""
        attributes = f' data-change="{{}}"{whole}' if self._numbered else ""
        return (
            "".join(_marked(left, marks[0], "del", attributes)),
            "".join(_marked(right, marks[1], "ins", attributes)),
        )


def _steps(left: Sequence[str], right: Sequence[str]) -> list[Opcode]:
    """How two lists of words go over into each other; as one change where they have little in common."""
    steps = align(left, right)
    common = sum(a2 - a1 for same, a1, a2, _, _ in steps if same)
    if common < SALAD * max(len(left), len(right)):
        return [(False, 0, len(left), 0, len(right))]
    return _joined(steps, lambda a1, a2: any(one[0].isalnum() or one[0] == "<" for one in left[a1:a2]))


def _joined(steps: Sequence[Opcode], says: Callable[[int, int], bool]) -> list[Opcode]:
    """Join changes between which nothing but punctuation is common."""
    made: list[Opcode] = []
    for at, (same, a1, a2, b1, b2) in enumerate(steps):
        inside = 0 < at < len(steps) - 1
        if same and inside and not says(a1, a2):
            same = False
        if made and not same and not made[-1][0]:
            _, first, _, other, _ = made.pop()
            made.append((False, first, a2, other, b2))
        else:
            made.append((same, a1, a2, b1, b2))
    return made


def align(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[Opcode]:
    """Return how two sequences go over into each other by a longest common subsequence: runs that are the same and
    runs that differ, `(same, a1, a2, b1, b2)`.

    Time and memory grow with `len(left) * len(right)` bits (Hyyrö, Bit-parallel LCS-length computation revisited,
    2004); where these are over `MAX_CELLS`, all between a common start and a common end differs.
    """
    head = 0
    while head < min(len(left), len(right)) and left[head] == right[head]:
        head += 1
    tail = 0
    while tail < min(len(left), len(right)) - head and left[-1 - tail] == right[-1 - tail]:
        tail += 1
    a, b = left[head : len(left) - tail], right[head : len(right) - tail]
    pairs = [(i + head, j + head) for i, j in (_common(a, b) if len(a) * len(b) <= MAX_CELLS else ())]
    pairs = [(i, i) for i in range(head)] + pairs
    pairs += [(len(left) - n, len(right) - n) for n in range(tail, 0, -1)]
    return list(_runs(pairs, len(left), len(right)))


def _runs(pairs: Sequence[tuple[int, int]], n: int, m: int) -> Iterator[Opcode]:
    begin = 0
    for at, ((i, j), (k, h)) in enumerate(pairwise([(-1, -1), *pairs, (n, m)])):
        if (k, h) == (i + 1, j + 1) and at < len(pairs):
            continue
        if at > begin:
            first = pairs[begin]
            yield True, first[0], i + 1, first[1], j + 1
        if k > i + 1 or h > j + 1:
            yield False, i + 1, k, j + 1, h
        begin = at


def _common(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Places of a longest common subsequence. Bit j of a row is 0 where the length grows with element j of `b`."""
    places: dict[Hashable, int] = {}
    for j, one in enumerate(b):
        places[one] = places.get(one, 0) | 1 << j
    full = (1 << len(b)) - 1
    row, rows = full, []
    for one in a:
        shared = row & places.get(one, 0)
        row = ((row + shared) | (row - shared)) & full
        rows.append(row)
    i, j, found = len(a), len(b), []
    while i and j:
        if a[i - 1] == b[j - 1]:
            i, j = i - 1, j - 1
            found.append((i, j))
        elif rows[i - 1] >> (j - 1) & 1:
            j -= 1
        else:
            i -= 1
    return found[::-1]


def _tokens(blocks: Sequence[str]) -> list[str]:
    return _TOKEN.findall("".join(blocks))


def _is_word(piece: str) -> bool:
    """Whether a piece of HTML is something that is read: no tag and no space."""
    return not piece.isspace() and (
        not piece.startswith("<") or piece.startswith(("<math", '<span class="hid'))
    )


def _marked(pieces: Sequence[str], marks: Sequence[int], tag: str, attributes: str) -> Iterator[str]:
    """The pieces with elements around runs of words that differ; an element never reaches over a tag."""
    coming, open_, spaces = iter(marks), 0, ""
    for piece in pieces:
        mark = next(coming) if _is_word(piece) else 0
        if open_ and piece.isspace():
            spaces += piece
            continue
        if open_ and mark != open_:
            yield f"</{tag}>"
            open_ = 0
        yield spaces
        spaces = ""
        if mark and not open_:
            yield f"<{tag}{attributes.format(mark)}>"
            open_ = mark
        yield piece
    yield (f"</{tag}>" if open_ else "") + spaces
