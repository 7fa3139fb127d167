"""What takes long to read and changes slowly, kept for a while: many people look, and it is read once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")
SHARE = 0.01
"""Of one core's time, the share that reading one value again and again may take."""
LONGEST = 600.0
"""Seconds after which a value is read again, however long that takes."""


@dataclass(frozen=True, slots=True)
class _Value(Generic[T]):
    """What was read, its mark, when it was last looked at, and until when it is not read again."""

    value: T
    mark: Any
    seen: float
    rests: float


class Kept(Generic[T]):
    """The last values that were read, by key. Usable from several threads.

    Args:
        seconds: whether a value is to be read again is looked at after so long. It is read at the soonest after 100
            times what reading it took, if that is more, though after ten minutes at the latest.
        most: values that are kept at a time.
    """

    def __init__(self, seconds: float, most: int = 1) -> None:
        self._seconds, self._most = seconds, most
        self._kept: OrderedDict[Hashable, _Value[T]] = OrderedDict()
        self._due: dict[Hashable, Callable[[], T]] = {}
        self._failed: dict[Hashable, Exception] = {}
        self._lock = Lock()

    def get(self, key: Hashable, read: Callable[[], T], mark: Callable[[], Any] | None = None) -> T:
        """Return the value of this key: the one that is kept, or else what `read` gives.

        Args:
            mark: gives, quickly, something that differs once the value does; while it is the same, the value is kept.
        """
        begun, kept = time.monotonic(), self._kept.get(key)
        if kept is not None and begun < kept.seen + self._seconds:
            return kept.value
        marked = mark() if mark is not None else None
        if kept is not None and (begun < kept.rests or (marked is not None and marked == kept.mark)):
            self._keep(key, replace(kept, seen=begun))
            return kept.value
        value = read()
        ended = time.monotonic()
        rests = ended + min(LONGEST, (ended - begun) / SHARE)
        self._keep(key, _Value(value, marked, ended, rests))
        return value

    def look(self, key: Hashable, read: Callable[[], T], mark: Callable[[], Any] | None = None) -> T | None:
        """Return at once the value of this key that is kept, None where none was read yet.

        Where `get` would look again, a thread does, one value after another, so that `read` and `mark` need a
        connection of their own. What they raise is raised to whoever looks next.
        """
        with self._lock:
            if (error := self._failed.pop(key, None)) is not None:
                raise error
            kept = self._kept.get(key)
            if kept is None or time.monotonic() >= kept.seen + self._seconds:
                idle = not self._due
                self._due.setdefault(key, partial(self.get, key, read, mark))
                if idle:
                    self._begin()
        return kept.value if kept is not None else None

    def _begin(self) -> None:
        try:
            Thread(target=self._read_due, name="solon-counting", daemon=True).start()
        except RuntimeError:  # no thread is to be had: whoever looks next tries again
            self._due.clear()
            raise

    def _read_due(self) -> None:
        while True:
            with self._lock:
                key, get = next(iter(self._due.items()))
            failed = None
            try:
                get()
            except Exception as error:
                failed = error
            with self._lock:
                del self._due[key]
                if failed is not None:
                    self._failed[key] = failed
                if not self._due:
                    return

    def _keep(self, key: Hashable, value: _Value[T]) -> None:
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
