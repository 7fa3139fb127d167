"""What takes long to read and changes slowly, kept for a while: many people look, and it is read once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The last value that was read.

    Args:
        seconds: it is read again after so long.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: tuple[Any, float, T] | None = None

    def get(self, key: Any, read: Callable[[], T]) -> T:
        """Return the value of this key: the one that is kept, or else what `read` gives."""
        now = time.monotonic()
        if self._kept is None or self._kept[0] != key or now >= self._kept[1]:
            self._kept = (key, now + self._seconds, read())
        return self._kept[2]
