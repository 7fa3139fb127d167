"""The gate of a deployment and its pace, by a clock that jumps from timer to timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from virtual_time import run

from solon.agents.models.gate import MISSES, Gate, GateClosed, Place
from solon.agents.models.pace import Pace, Rate

Fate = Callable[[int], str]
LATENCY = 0.2


async def load(gate: Gate, fate: Fate, seconds: float, callers: int = 64, hang: float = 5.0) -> float:
    """Answers a second of a server whose n-th request is `answered`, `refused` or `hung`, asked by so many callers."""
    loop, sent, answered = asyncio.get_running_loop(), 0, 0
    end = loop.time() + seconds

    async def ask_on() -> None:
        nonlocal sent, answered
        while loop.time() < end:
            place = gate.place("judge")
            await place.take()
            sent += 1
            what = fate(sent)
            await asyncio.sleep({"answered": LATENCY, "hung": hang}.get(what, 0.001))
            answered += what == "answered" and loop.time() <= end
            {"answered": place.answered, "refused": place.refused, "hung": place.failed}[what]()
            place.leave()
            if what == "refused":
                await asyncio.sleep(1.0)  # its Retry-After

    await asyncio.gather(*(ask_on() for _ in range(callers)))
    assert (gate.in_flight, gate.hanging, gate.waiting) == (0, 0, 0)
    return answered / seconds


def every(what: str, n: int) -> Fate:
    return lambda sent: what if sent % n == 0 else "answered"


@pytest.mark.parametrize(
    ("fate", "least"),
    [
        (every("answered", 1), 78),
        (every("refused", 5), 68),  # 80 without faults; a fifth of the tries is lost at once
        (every("hung", 5), 30),  # 64 callers, each held by every fifth call for five seconds: 44 is the most
        (every("hung", 50), 70),
    ],
)
def test_a_replica_that_is_unwell_costs_its_share(fate: Fate, least: float) -> None:
    assert run(load(Gate(16), fate, 60.0)) >= least


def test_a_server_that_takes_fewer_gets_fewer() -> None:
    """It serves six at once and refuses what is more."""

    async def scene() -> tuple[float, float]:
        gate, serving, refused, sent = Gate(16), 0, 0, 0

        async def ask_on() -> None:
            nonlocal serving, refused, sent
            for _ in range(60):
                place = gate.place("judge")
                await place.take()
                sent += 1
                if serving >= 6:
                    refused += 1
                    await asyncio.sleep(0.001)
                    place.refused()
                    place.leave()
                    await asyncio.sleep(1.0)
                    continue
                serving += 1
                await asyncio.sleep(LATENCY)
                serving -= 1
                place.answered()
                place.leave()

        await asyncio.gather(*(ask_on() for _ in range(32)))
        return (sent - refused) / asyncio.get_running_loop().time(), refused / sent

    pace, share = run(scene())
    assert pace > 24, "of 30 a second"
    assert share < 0.4, "some are tried in vain, so that it is known when there is room again"


def test_it_starts_at_its_ceiling_and_a_refusal_halves_once_for_a_volley() -> None:
    async def scene() -> None:
        gate = Gate(16)
        places = [gate.place() for _ in range(16)]
        for place in places:
            await place.take()
        for place in places:
            place.refused()
            place.leave()
        assert gate.allowed == 8
        for _ in range(200):
            gate.place().answered()
        assert gate.allowed == 16

    run(scene())


def test_a_hang_takes_its_share_of_a_place_only() -> None:
    async def scene(hung: int) -> int:
        gate = Gate(4)
        for _ in range(16):
            gate.place().answered()
        places = [gate.place() for _ in range(hung)]
        for place in places:
            await place.take()
        await asyncio.sleep(60)
        further = [asyncio.ensure_future(gate.place().take()) for _ in range(16)]
        await asyncio.sleep(0)
        return sum(task.done() for task in further)

    assert run(scene(1)) == 4, "one of many hangs: as if it were not there"
    assert run(scene(4)) == 4


def test_first_come_first_served_and_nobody_slips_in() -> None:
    async def scene() -> list[str]:
        gate, order = Gate(1), list[str]()

        async def call(name: str) -> None:
            place = gate.place()
            await place.take()
            order.append(name)
            await asyncio.sleep(0)
            place.leave()

        await asyncio.gather(*(call(name) for name in "abcd"))
        assert (gate.in_flight, gate.waiting) == (0, 0)
        return order

    assert run(scene()) == list("abcd")


def test_cancelled_waiters_leave_no_trace() -> None:
    async def scene() -> None:
        gate = Gate(1)
        first = gate.place()
        await first.take()
        waiting = [asyncio.create_task(gate.place().take()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        first.leave()  # hands the place to waiting[1] ...
        waiting[1].cancel()  # ... which is cancelled before it runs
        await asyncio.gather(*waiting, return_exceptions=True)
        assert not waiting[2].cancelled()
        assert (gate.in_flight, gate.waiting) == (1, 0)

    run(scene())


def test_a_second_try_pays_where_some_take_far_longer() -> None:
    async def scene(*seconds: float) -> float | None:
        gate = Gate(4)
        for one in seconds:
            place = gate.place("judge")
            await place.take()
            await asyncio.sleep(one)
            place.answered()
            place.leave()
        return gate.hedge_after("judge")

    assert run(scene(*[1.0] * 7)) is None, "too little is known"
    assert run(scene(*[1.0] * 14, 1.5, 2.2)) is None, "those that take longer are done soon"
    assert run(scene(*[1.0] * 14, 9.0, 9.0)) == pytest.approx(2.0)


# Outages --------------------------------------------------------------------------------------------------------------


async def fail(gate: Gate, tries: int = MISSES) -> None:
    for place in [gate.place() for _ in range(tries)]:
        await place.take()
        place.failed()
        place.leave()


@pytest.mark.parametrize(("answered", "patience"), [(False, 60.0), (True, 0.0)])
def test_there_is_no_outage_before_the_first_answer_or_without_patience(
    answered: bool, patience: float
) -> None:
    async def scene() -> None:
        gate = Gate(4, patience=patience)
        if answered:
            gate.place().answered()
        await fail(gate, 20)
        assert not gate.outage
        assert not gate.closed

    run(scene())


def test_one_call_probes_an_outage_after_growing_pauses() -> None:
    async def scene() -> list[float]:
        gate, loop, probes = Gate(4, patience=600.0), asyncio.get_running_loop(), list[float]()
        gate.place().answered()
        await fail(gate)
        while len(probes) < 5:
            with pytest.raises(GateClosed):
                await gate.place().take()
            await asyncio.sleep(gate.until_probe)
            probe = gate.place()
            await probe.take()
            assert gate.closed, "a second call waits while one probes"
            probes.append(loop.time())
            probe.failed()
            probe.leave()
        await asyncio.sleep(gate.until_probe)
        probe = gate.place()
        await probe.take()
        probe.answered()
        assert not gate.outage
        return probes

    assert run(scene()) == pytest.approx([2, 6, 14, 30, 62])


@pytest.mark.parametrize(("unreachable", "out"), [(False, False), (True, True)])
def test_one_call_alone_makes_an_outage_only_where_nothing_is_there(unreachable: bool, out: bool) -> None:
    async def scene() -> bool:
        gate = Gate(1, patience=600.0)
        gate.place().answered()
        place = gate.place()
        for _ in range(2 * MISSES):
            await place.take()
            place.failed(unreachable=unreachable)
            place.leave()
            if gate.outage:
                break
        return bool(gate.outage)

    assert run(scene()) is out


def test_tries_in_flight_that_hang_count() -> None:
    async def scene() -> tuple[bool, bool]:
        gate = Gate(16, patience=600.0)
        for _ in range(8):
            gate.place().answered()
        places = [gate.place() for _ in range(MISSES)]
        for place in places:
            await place.take()
        before = bool(gate.outage)
        await asyncio.sleep(2.0)  # none of them has ended
        return before, bool(gate.outage)

    assert run(scene()) == (False, True)


# Rates ----------------------------------------------------------------------------------------------------------------


async def moments(gate: Gate, places: list[Place]) -> list[float]:
    loop, sent = asyncio.get_running_loop(), list[float]()

    async def send(place: Place) -> None:
        await place.take()
        sent.append(loop.time())
        place.leave()

    await asyncio.gather(*(send(place) for place in places))
    return sent


def test_requests_and_tokens_a_minute_are_kept() -> None:
    async def scene(pace: Pace, tokens: int) -> list[float]:
        gate = Gate(64, pace=pace)
        return await moments(gate, [gate.place(tokens=lambda: tokens) for _ in range(30)])

    requests = run(scene(Pace.of(60, None), 0))
    assert requests[-1] == pytest.approx(24.0), "six at once, then one a second"
    assert run(scene(Pace.of(None, 6000), 100))[-1] == pytest.approx(24.0)
    assert run(scene(Pace(), 100))[-1] == 0


def test_rates_are_learnt_from_headers_unless_they_are_configured() -> None:
    told = {"x-ratelimit-limit-requests": "600", "x-ratelimit-remaining-requests": "0"}
    pace = Pace()
    pace.learn(100.0, told)
    assert pace.requests.minute == 600
    assert pace.book(100.0, lambda: 50) == pytest.approx(0.1), (
        "none is left: the next one comes back after a tenth"
    )
    fixed = Pace.of(60, None)
    fixed.learn(
        100.0, told | {"anthropic-ratelimit-tokens-limit": "9", "anthropic-ratelimit-tokens-remaining": "x"}
    )
    assert (fixed.requests.minute, fixed.tokens.minute) == (60, None)


@pytest.mark.parametrize("value", ["", "-5", "1e9", "٣", "nan", "9" * 400])
def test_headers_that_cannot_be_read_change_little(value: str) -> None:
    pace = Pace()
    pace.learn(0.0, {"x-ratelimit-limit-requests": value, "x-ratelimit-remaining-requests": value})
    assert pace.book(0.0, lambda: 10) == 0
    assert Rate().book(0.0, 5) == 0


def test_it_refuses_a_senseless_ceiling() -> None:
    with pytest.raises(ValueError, match="ceiling"):
        Gate(0)
