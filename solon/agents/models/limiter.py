"""How many calls may be in flight: additive increase, multiplicative decrease. Knows nothing of HTTP or of models.

Chiu and Jain (1989), "Analysis of the increase and decrease algorithms for congestion avoidance", section 2: the
allowance grows by one for each full round of answers and halves when the server says that it is too much.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable


class AdaptiveLimit:
    """A gate for calls to one server, shared by all calls of one event loop.

    It starts at its ceiling (what the configuration or the provider allows), so a healthy server is used at once.

    Args:
        ceiling: most calls in flight, at least 1.
        decrease: factor on overload.
        settle: seconds after a decrease in which further overloads are the same event and do not count again.
        clock: seconds, monotonic; replaced in tests.
        sleep: replaced in tests.
    """

    def __init__(
        self,
        ceiling: int,
        *,
        decrease: float = 0.5,
        settle: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if ceiling < 1 or not 0 < decrease < 1:
            raise ValueError(f"ceiling {ceiling} must be at least 1 and decrease {decrease} between 0 and 1")
        self.ceiling = ceiling
        self.in_flight = 0
        self._allowed = float(ceiling)
        self._decrease = decrease
        self._settle = settle
        self._clock = clock
        self._sleep = sleep
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._last_decrease = float("-inf")
        self._closed_until = float("-inf")

    @property
    def allowed(self) -> int:
        """How many calls may be in flight now."""
        return int(self._allowed)

    @property
    def waiting(self) -> int:
        """How many calls wait for a place."""
        return len(self._waiters)

    async def acquire(self) -> None:
        """Wait for a place, first come first served, and for the end of a pause that the server asked for."""
        if self._waiters or self.in_flight >= self.allowed:
            await self._queue()
        else:
            self.in_flight += 1
        try:
            while (pause := self._closed_until - self._clock()) > 0:
                await self._sleep(pause)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give a place back when its call has ended, whatever came of it."""
        self.in_flight -= 1
        self._wake()

    def succeeded(self) -> None:
        """Take note that a call was answered: the allowance grows by one per full round of answers, up to the
        ceiling."""
        if self._allowed < self.ceiling:
            self._allowed = min(self.ceiling, self._allowed + 1 / self._allowed)
            self._wake()

    def overloaded(self, retry_after: float | None = None) -> None:
        """Take note that the server refused or lost a call for load: the allowance shrinks. All calls wait for
        `retry_after` seconds if it said so."""
        now = self._clock()
        if retry_after is not None:
            self._closed_until = max(self._closed_until, now + retry_after)
        if now - self._last_decrease >= self._settle:
            self._last_decrease = now
            self._allowed = max(1.0, self._allowed * self._decrease)

    async def _queue(self) -> None:
        place = asyncio.get_running_loop().create_future()
        self._waiters.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.release()
            else:
                self._waiters.remove(place)
            raise

    def _wake(self) -> None:
        """Hand free places over: a place is counted before its waiter runs, so nobody can slip in between."""
        while self._waiters and self.in_flight < self.allowed:
            place = self._waiters.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)
