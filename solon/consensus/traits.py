"""What is known of an item besides its votes: its segment, and how the two texts of a pair differ. Imports no numpy, no
I/O.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

FEATURES = ("length", "overlap", "lines", "vocabulary")
"""Length: log ratio of the characters. Overlap: share of the request's words that an answer repeats. Lines: log ratio
of the lines. Vocabulary: share of an answer's words that are different ones."""
SCORES = "scores"
"""Beside these, where candidates were scored before two of them were chosen: the mean of what judges gave a text, over
judges and criteria."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of an item besides its votes.

    Attributes:
        segment: part of the data that it is of; empty where none is known.
        texts: of a pair, by how much the text of the first outcome exceeds the second's in each of ``FEATURES``, and in
            ``SCORES`` where both were scored; empty where there are no two texts.
    """

    segment: str = ""
    texts: Mapping[str, float] = field(default_factory=dict)


UNKNOWN = Traits()
"""Of an item of which nothing is known."""


def compare_texts(request: str, first: str, second: str) -> dict[str, float]:
    """Return by how much the first text exceeds the second in each of ``FEATURES``; the other way round it is the
    negative.

    Args:
        request: what both of them answer.
    """
    asked = set(_WORD.findall(request.lower()))
    one, two = _measure(asked, first), _measure(asked, second)
    return {name: a - b for name, a, b in zip(FEATURES, one, two, strict=True)}


def compare_scores(
    first: Iterable[Mapping[str, float]], second: Iterable[Mapping[str, float]]
) -> dict[str, float]:
    """Return by how much the first text exceeds the second in ``SCORES``; empty where either was not scored.

    Args:
        first, second: what each judge scored the text, by criterion.
    """
    one, two = ([score for scores in given for score in scores.values()] for given in (first, second))
    return {SCORES: fmean(one) - fmean(two)} if one and two else {}


def _measure(asked: set[str], text: str) -> tuple[float, ...]:
    words = _WORD.findall(text.lower())
    different = set(words)
    return (
        math.log1p(len(text)),
        len(asked & different) / max(len(asked), 1),
        math.log1p(text.count("\n")),
        len(different) / max(len(words), 1),
    )
