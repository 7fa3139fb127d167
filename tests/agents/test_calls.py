"""The meter's limits and the landing of calls; what an agent's call becomes when it goes wrong."""

from __future__ import annotations

import asyncio

import pytest

from solon.agents.calls import Meter
from solon.errors import LimitReached
from solon.store.database.storable import storable
from solon.store.runs.journal import Outcome


def test_the_meter_admits_exactly_so_many() -> None:
    meter = Meter(max_calls=3, calls=1)
    asyncio.run(meter.admit())
    asyncio.run(meter.admit())
    for _ in range(2):
        with pytest.raises(LimitReached, match="--max-calls 3"):
            asyncio.run(meter.admit())
    assert meter.calls == 3


def test_a_call_that_was_never_sent_costs_nothing() -> None:
    meter = Meter(max_calls=1)
    asyncio.run(meter.admit())
    meter.count(Outcome("id", "", outcome="too_long", attempts=0, input_tokens=0, output_tokens=0))
    asyncio.run(meter.admit())


def test_unknown_costs_are_counted_apart() -> None:
    meter = Meter(max_cost=0.5)
    asyncio.run(meter.admit())
    meter.count(Outcome("a", "x", input_tokens=10, output_tokens=None))
    meter.count(Outcome("b", "x", input_tokens=10, output_tokens=5, cost=0.5))
    assert (meter.unknown_tokens, meter.unknown_cost, meter.cost) == (1, 1, 0.5)
    with pytest.raises(LimitReached, match="--max-cost"):
        asyncio.run(meter.admit())


def test_landing_waits_for_calls_in_flight_and_lets_none_begin() -> None:
    async def fly() -> list[str]:
        meter, events = Meter(), []

        async def call(seconds: float) -> None:
            await meter.admit()
            await asyncio.sleep(seconds)
            events.append("landed")
            meter.release()

        calls = [asyncio.ensure_future(call(s)) for s in (0.01, 0.03)]
        await asyncio.sleep(0)
        await meter.land()
        events.append("over")
        with pytest.raises(LimitReached):
            await meter.admit()
        await asyncio.gather(*calls)
        await meter.land()
        return events

    assert asyncio.run(fly()) == ["landed", "landed", "over"]


def test_storable_changes_only_what_no_database_holds() -> None:
    fine = "plain \u202e \U0001f9ff \x1b[31m \r\n\t \ufeff"
    assert storable(fine) == fine
    assert storable("a\x00b\ud800c") == "a\ufffdb?c"
    assert storable(storable("a\x00b\ud800c")) == storable("a\x00b\ud800c")
