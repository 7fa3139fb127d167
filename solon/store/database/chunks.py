"""Many values in parts: a statement can name a few tens of thousands at most, and all of their rows may be large."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

CHUNK = 500


def chunks(values: Collection[str]) -> Iterator[Sequence[str]]:
    """The values in parts of at most `CHUNK`, so that a statement does not name too many."""
    listed = list(values)
    for start in range(0, len(listed), CHUNK):
        yield listed[start : start + CHUNK]
