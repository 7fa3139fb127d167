"""Strings inside stored texts, and whether one text repeats a passage of others. Imports nothing of Solon."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

RUN = 32
"""Passages are compared in pieces of so many characters: one of 63 or more in common is always seen."""


def strings_of(body: str) -> Iterator[str]:
    """The text itself, and where it is JSON (a seed, findings, a draft) every string in it."""
    yield body
    if body[:1] not in "{[" or not body:
        return
    try:
        stack = [json.loads(body)]
    except (ValueError, RecursionError):
        return
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list):
            stack += value


class Passages:
    """Pieces of some texts, to find out whether another repeats a passage of them."""

    def __init__(self, words: Sequence[str]) -> None:
        self._pieces = {
            flat[start : start + RUN]
            for flat in (" ".join(word.casefold().split()) for word in words)
            for start in range(0, max(1, len(flat) - RUN + 1), RUN)
            if len(flat) >= RUN
        }

    def shared_by(self, text: str) -> bool:
        """Does the text repeat one of the pieces? A passage of twice their length is always seen."""
        if not self._pieces:
            return False
        flat = " ".join(text.casefold().split())
        return any(flat[start : start + RUN] in self._pieces for start in range(len(flat) - RUN + 1))
