"""What takes long to read and changes slowly, kept for a while: many people look, and it is read once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

from solon.store.database import clock

T = TypeVar("T")
SHARE = 0.01
"""Of one core's time, the share that reading one value again and again may take."""
LONGEST = 600.0
"""Seconds after which a value is read again, however long that takes."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """A value that was read.

    Attributes:
        value: the value.
        at: as of when it is, in epoch seconds; None where it is as of now.
        mark: differs once the value does; None where there is none.
        seen: when it was last looked at whether it is to be read again, by the monotonic clock.
        rests: until when it is not read again, by the same clock.
    """

    value: T
    at: float | None = None
    mark: Any = None
    seen: float = 0.0
    rests: float = 0.0


class Kept(Generic[T]):
    """The last values that were read, by key. Usable from several threads.

    Args:
        seconds: whether a value is to be read again is looked at after so long. It is read at the soonest after 100
            times what reading it took, if that is more, though after ten minutes at the latest.
        most: values that are kept at a time.
    """

    def __init__(self, seconds: float, most: int = 1) -> None:
        self._seconds, self._most = seconds, most
        self._kept: OrderedDict[Hashable, Reading[T]] = OrderedDict()
        self._due: dict[Hashable, Callable[[], T]] = {}
        self._failed: dict[Hashable, Exception] = {}
        self._lock = Lock()

    def get(self, key: Hashable, read: Callable[[], T], mark: Callable[[], Any] | None = None) -> T:
        """Return the value of this key: the one that is kept, or else what `read` gives.

        Args:
            mark: gives, quickly, something that differs once the value does; while it is the same, the value is kept.
        """
        begun, now, kept = time.monotonic(), clock.now(), self._kept.get(key)
        if kept is not None and begun < kept.seen + self._seconds:
            return kept.value
        marked = mark() if mark is not None else None
        if kept is not None:
            same = marked is not None and marked == kept.mark
            if same or begun < kept.rests:
                self._keep(key, replace(kept, seen=begun, at=now if same else kept.at))
                return kept.value
        value = read()
        ended = time.monotonic()
        rests = ended + min(LONGEST, (ended - begun) / SHARE)
        self._keep(key, Reading(value, now, marked, ended, rests))
        return value

    def look(
        self, key: Hashable, read: Callable[[], T], mark: Callable[[], Any] | None = None
    ) -> Reading[T] | None:
        """Return at once the value of this key that is kept, and as of when it is; None where none was read yet.

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
        return kept

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

    def _keep(self, key: Hashable, value: Reading[T]) -> None:
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
