"""The words and sentences of a text. Imports nothing of Solon."""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"[.!?\u3002\uff01\uff1f]+(?:\s|$)")
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
