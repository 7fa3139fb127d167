"""The adaptive limit, by a clock that only moves when told."""

from __future__ import annotations

import asyncio

import pytest

from solon.agents.models.limiter import AdaptiveLimit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def make(ceiling: int, clock: Clock) -> AdaptiveLimit:
    return AdaptiveLimit(ceiling, clock=clock, sleep=clock.sleep)


def test_starts_at_its_ceiling_and_never_exceeds_it() -> None:
    limit = make(4, Clock())
    assert limit.allowed == 4
    for _ in range(100):
        limit.succeeded()
    assert limit.allowed == 4


def test_halves_once_per_event_and_grows_by_one_per_round() -> None:
    clock = Clock()
    limit = make(16, clock)
    for _ in range(16):  # a whole volley is refused at once: one event
        limit.overloaded()
    assert limit.allowed == 8
    clock.now += 1.0
    limit.overloaded()
    assert limit.allowed == 4
    for _ in range(4):
        limit.succeeded()
    assert limit.allowed == 4  # 4 + 1/4 + 1/4.25 + ... is still under 5
    limit.succeeded()
    assert limit.allowed == 5


def test_never_falls_under_one() -> None:
    clock = Clock()
    limit = make(2, clock)
    for _ in range(10):
        limit.overloaded()
        clock.now += 2
    assert limit.allowed == 1


def test_first_come_first_served_and_nobody_slips_in() -> None:
    async def scene() -> list[str]:
        limit = make(1, Clock())
        order: list[str] = []

        async def call(name: str) -> None:
            await limit.acquire()
            order.append(name)
            await asyncio.sleep(0)
            limit.release()

        tasks = [asyncio.create_task(call(name)) for name in "abcd"]
        await asyncio.gather(*tasks)
        assert (limit.in_flight, limit.waiting) == (0, 0)
        return order

    assert asyncio.run(scene()) == list("abcd")


def test_a_pause_holds_every_call() -> None:
    clock = Clock()

    async def scene() -> None:
        limit = make(4, clock)
        limit.overloaded(retry_after=7.0)
        await limit.acquire()
        assert clock.slept == [7.0]
        await limit.acquire()
        assert clock.slept == [7.0]

    asyncio.run(scene())


def test_cancelled_waiters_leave_no_trace() -> None:
    async def scene() -> None:
        limit = make(1, Clock())
        await limit.acquire()
        waiting = [asyncio.create_task(limit.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        limit.release()  # hands the place to waiting[1] ...
        waiting[1].cancel()  # ... which is cancelled before it runs
        await asyncio.gather(*waiting, return_exceptions=True)
        assert not waiting[2].cancelled()
        assert (limit.in_flight, limit.waiting) == (1, 0)

    asyncio.run(scene())


@pytest.mark.parametrize(("ceiling", "decrease"), [(0, 0.5), (1, 0.0), (1, 1.0)])
def test_refuses_senseless_settings(ceiling: int, decrease: float) -> None:
    with pytest.raises(ValueError, match="ceiling"):
        AdaptiveLimit(ceiling, decrease=decrease)
