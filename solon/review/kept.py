"""What takes long to read and changes slowly, kept for a while: many people look, and it is read once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
SHARE = 0.01
"""Of one core's time, the share that reading one value again and again may take."""


class Kept(Generic[T]):
    """The last values that were read, by key.

    Args:
        seconds: a value is read again after so long, or later where reading it takes longer than a hundredth of this.
        most: values that are kept at a time.
    """

    def __init__(self, seconds: float, most: int = 1) -> None:
        self._seconds, self._most = seconds, most
        self._kept: OrderedDict[Hashable, tuple[float, float, Any, T]] = OrderedDict()

    def get(self, key: Hashable, read: Callable[[], T], mark: Callable[[], Any] | None = None) -> T:
        """Return the value of this key: the one that is kept, or else what `read` gives.

        Args:
            mark: gives, quickly, something that differs once the value does; while it is the same, the value is kept.
        """
        begun = time.monotonic()
        seen = None
        if key in self._kept:
            until, seconds, marked, value = self._kept[key]
            if begun < until:
                return value
            seen = mark() if mark is not None else None
            if seen is not None and seen == marked:
                self._kept[key] = (begun + seconds, seconds, marked, value)
                return value
        elif mark is not None:
            seen = mark()
        value = read()
        ended = time.monotonic()
        seconds = max(self._seconds, (ended - begun) / SHARE)
        self._kept[key] = (ended + seconds, seconds, seen, value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return value
