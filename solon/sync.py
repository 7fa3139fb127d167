"""The one place where synchronous code enters an event loop: in a script, in a notebook whose loop runs already, and
where several callers share one loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from solon.errors import UsageError

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


class BackgroundLoop:
    """An event loop in a thread of its own, for work that several loops and synchronous code share. What runs there
    knows nothing of the context of its callers, so that nothing of it appears in their streams and traces."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there to its end and return its result. Ctrl-C cancels it."""
        future = self._submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    async def arun(self, work: Coroutine[Any, Any, T]) -> T:
        """The same as `run`, for callers in an event loop of their own. Cancelling it cancels the work."""
        return await asyncio.wrap_future(self._submit(work))

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if self._loop.is_closed():
            work.close()
            raise UsageError("the project was closed", next_step="open it again: Project(...)")
        return contextvars.Context().run(asyncio.run_coroutine_threadsafe, work, self._loop)

    def close(self) -> None:
        """Cancel what still runs there, and end the thread."""

        async def end() -> None:
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
