"""The words and sentences of a text, and whether words or a pattern that a person wrote stand in it. Imports nothing of
Solon."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MATCH_SECONDS = 0.1
"""How long a regular expression may look at one text."""
_SENTENCE = re.compile(r"[.!?\u3002\uff01\uff1f]+(?:\s|$)")
_SHORT = 40
"""Letters of the longest word whose syllables are remembered."""
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
_MARKUP = re.compile(r"</?[A-Za-z!][^<>]*>|&#?\w{1,32};|\]\([^()]*\)")
_LETTERS = re.compile(r"[^\W_]")


def has_words(text: str) -> bool:
    """Whether two letters or digits are left of a text when the markup of Markdown and HTML is taken away."""
    return len(_LETTERS.findall(_MARKUP.sub(" ", text))) > 1


def find_words(text: str) -> list[str]:
    """Return the words of a text in lower case.

    Scripts without spaces come out as long words: figures of words do not fit them.
    """
    return [word.lower() for word in _WORD.findall(text)]


def count_sentences(text: str) -> int:
    """Return the number of sentences by their end marks; at least one where there is a word."""
    return max(len(_SENTENCE.findall(text)), 1 if text.strip() else 0)


def measure_readability(text: str) -> float | None:
    """Return the Flesch reading ease (Flesch 1948): 0 very hard to 100 very easy. English only; None under
    ten words.
    """
    words = find_words(text)
    if len(words) < 10:
        return None
    syllables = sum((_known if len(word) <= _SHORT else _count_syllables)(word) for word in words)
    return 206.835 - 1.015 * len(words) / count_sentences(text) - 84.6 * syllables / len(words)


def _count_syllables(word: str) -> int:
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)


_known = lru_cache(maxsize=1 << 13)(_count_syllables)


def has_keyword(keywords: Iterable[str], text: str) -> bool:
    """Return whether one of these words or phrases stands in a text, in upper or lower case."""
    words = "|".join(re.escape(" ".join(word.split())).replace(r"\ ", r"\s+") for word in keywords)
    return re.search(rf"(?<!\w)(?:{words})(?!\w)", text, flags=re.IGNORECASE) is not None


def has_pattern(pattern: str, text: str, *, any_case: bool = False) -> bool:
    """Return whether a regular expression is found in a text.

    Args:
        any_case: in upper or lower case.

    Raises:
        TimeoutError: it took longer than `MATCH_SECONDS`.
    """
    import regex

    flags = regex.IGNORECASE if any_case else 0
    return regex.search(pattern, text, flags=flags, timeout=MATCH_SECONDS) is not None
