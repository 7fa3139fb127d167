"""Python's garbage collector during a run: modules that stay loaded are not searched again and again.

Nearly everything that an item leaves is freed by reference counting. What is not is collected seldom, and
without the hundred megabytes of modules that live as long as the process: a fifth of the CPU time of a run
(`benchmarks/`).
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 10_000
"""New containers before the youngest generation is looked at; Python's own default is 700 (2,000 since 3.13)."""

_lock = threading.Lock()
_inside = 0
_before = gc.get_threshold()
_froze = False


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """A context in which the garbage collector runs seldom. When the last of several has ended it is set back
    as it was before."""
    global _inside, _before, _froze
    with _lock:
        _inside += 1
        if _inside == 1:
            _before = gc.get_threshold()
            gc.set_threshold(max(YOUNG, _before[0]) if _before[0] else 0, *_before[1:])
            _froze = not gc.get_freeze_count()  # who froze before us keeps what they froze
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
                gc.set_threshold(*_before)
