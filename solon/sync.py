"""The one place where synchronous code enters an event loop: in a script, and in a notebook whose loop runs already."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_sync(work: Coroutine[Any, Any, T], *, stop: Callable[[], None] | None = None) -> T:
    """Run a coroutine to its end and return its result.

    Where a loop runs in this thread already, the work is done in a loop of its own in another thread.

    Args:
        work: the coroutine.
        stop: called there at the first interrupt (Ctrl-C, or a notebook's stop button), to end the work cleanly; a
            second interrupt no longer waits for it. Without `stop`, the first one does.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    thread = ThreadPoolExecutor(1, thread_name_prefix="solon-sync-edge")
    # What a notebook prints from the thread belongs to the cell that asked, which the context knows.
    done = thread.submit(contextvars.copy_context().run, asyncio.run, work)
    thread.shutdown(wait=False)
    try:
        return done.result()
    except KeyboardInterrupt:
        if stop is None:
            raise
        stop()
        return done.result()
