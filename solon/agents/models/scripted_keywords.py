"""The rules that the scripted fake drafts: words and pairs of words that several texts of a label share and few others
have. Counting alone, so always the same."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence

MOST = 3
"""Rules that are drafted at once."""
SEEN_TWICE = 2
DEARER = 2
"""A text of another label counts against a word as much as so many texts of the label speak for it."""


def draft_keywords(texts: Sequence[str], others: Sequence[str]) -> list[list[str]]:
    """Return up to three lists of one keyword each, the most telling first; empty where no word sets them apart."""
    ours, theirs = _count(texts), _count(others)
    worth = {term: n - DEARER * theirs[term] for term, n in ours.items() if n >= SEEN_TWICE}
    ranked = sorted(
        (term for term, value in worth.items() if value > 0), key=lambda t: (-worth[t], " " in t, t)
    )
    chosen: list[str] = []
    for term in ranked:
        if not any(set(term.split()) & set(other.split()) for other in chosen):
            chosen.append(term)
    return [[term] for term in chosen[:MOST]]


def _count(texts: Sequence[str]) -> Counter[str]:
    """In how many of the texts each word of three letters or more, and each pair of neighbours, stands."""
    counts: Counter[str] = Counter()
    for text in texts:
        words = re.findall(r"[^\W\d_]+", text.casefold())
        pairs = (" ".join(pair) for pair in itertools.pairwise(words))
        counts.update({word for word in words if len(word) > 2} | {*pairs})
    return counts
