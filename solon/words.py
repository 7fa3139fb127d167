"""The words of a text. Imports nothing of Solon."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")


def find_words(text: str) -> list[str]:
    """Return the words of a text in lower case.

    Scripts without spaces come out as long words: figures of words do not fit them.
    """
    return [word.lower() for word in _WORD.findall(text)]
