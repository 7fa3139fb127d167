"""Python's garbage collector during a run: modules that stay loaded are not searched again and again.

Nearly everything that an item leaves is freed by reference counting. What is not is collected seldom, and
without the hundred megabytes of modules that live as long as the process: a fifth of the CPU time of a run
(`benchmarks/`).

What is frozen and set free again lies in the oldest generation without being counted there. Were all that is loaded
frozen for each of many short works, what they leave would never make Python search that generation, and stay for ever
(180 kB for each decision that a server delivered).
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 50_000
"""New containers before the youngest generation is looked at; Python's own default is 700 (2,000 since 3.13)."""

_lock = threading.Lock()
_inside = 0
_before = gc.get_threshold()
_froze = False
_searched = -1
"""Searches of the oldest generation there had been when it was set free last."""


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """A context in which the garbage collector runs seldom. When the last of several has ended it is set back
    as it was before. Modules are left out unless they were before, too, and nothing has searched them since."""
    global _inside, _before, _froze, _searched
    with _lock:
        _inside += 1
        if _inside == 1:
            _before = gc.get_threshold()
            gc.set_threshold(max(YOUNG, _before[0]) if _before[0] else 0, *_before[1:])
            # who froze before us keeps what they froze
            _froze = not gc.get_freeze_count() and _full_searches() > _searched
            if _froze:
                gc.freeze()
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                if _froze:
                    gc.unfreeze()
                    _searched = _full_searches()
                gc.set_threshold(*_before)


def _full_searches() -> int:
    return int(gc.get_stats()[-1]["collections"])
