"""What a call does where its server does not answer: it waits, asks elsewhere, or fails at once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from virtual_time import run

from solon.agents.calls import Ask, Caller, Meter, ModelPool
from solon.agents.memory import MemoryJournal
from solon.agents.models.gate import MISSES
from solon.agents.models.scripted import ScriptedChat
from solon.config import parse_config
from solon.config.sections import TracingConfig
from solon.errors import LimitReached, ModelUnavailable
from solon.prompts.library import Rendered
from solon.tracing import make_tracing

MINUTE = 60.0


class Town:
    """Callers in one pool whose models answer, or fail, by the clock of the loop."""

    def __init__(
        self, away: Callable[[float], bool], *, patience: str = "1800s", fallback: str = "", **limits: Any
    ) -> None:
        def answer(question: Any) -> Any:
            self.asked.append(asyncio.get_running_loop().time())
            return ModelUnavailable("HTTP 503") if away(self.asked[-1]) else "well"

        models: dict[str, Any] = {
            "default": {"model": "scripted:main", "fallback": "spare" if fallback else ""}
        }
        given = {"default": ScriptedChat(name="main", respond=answer)}
        if fallback:
            models["spare"] = {"model": f"scripted:{fallback}"}
            given["spare"] = ScriptedChat(name=fallback, respond=lambda _: self.spare.append(1) or "spare")
        config = parse_config({"models": models, "run": {"patience": patience}, "limits": limits})
        self.asked, self.spare, self.told = list[float](), list[int](), list[tuple[str, str]]()
        self.pool, self.meter = ModelPool(config, given=given), Meter.of(config.limits)
        self.meter.watch = lambda what, words: self.told.append((what, words))
        self.journal = MemoryJournal()

    def caller(self) -> Caller:
        return Caller(self.pool, self.journal, self.meter, make_tracing(TracingConfig()), {})

    async def call(self, number: int) -> Any:
        ask = Ask(
            "generator", "1", "default", Rendered("", f"Question {number}?", ""), 8, 0.0, 1, sample=number
        )
        return await self.caller().call(ask)

    async def calls(self, numbers: range) -> list[Any]:
        return await asyncio.gather(*(self.call(number) for number in numbers), return_exceptions=True)


def after(begin: float, end: float = float("inf")) -> Callable[[float], bool]:
    return lambda now: begin <= now < end


def test_an_item_is_given_back_once_a_call_that_waited_for_leave_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`land` may begin while a neighbour waits for leave: that call is made, and one that comes later is not."""
    town = Town(after(float("inf")))

    async def scene() -> None:
        caller, leave = town.caller(), asyncio.Event()
        monkeypatch.setattr(Meter, "admit", lambda _: leave.wait())
        waiting = asyncio.ensure_future(caller.admit())
        await asyncio.sleep(0)
        landing = asyncio.ensure_future(caller.land())
        await asyncio.sleep(0)
        assert not landing.done()
        with pytest.raises(LimitReached):
            await caller.admit()
        leave.set()
        await waiting
        assert not landing.done()
        caller.release()
        await asyncio.wait_for(landing, 1.0)

    run(scene())


def test_an_outage_of_ten_minutes_loses_no_call() -> None:
    town = Town(after(1.0, 10 * MINUTE))

    async def scene() -> list[Any]:
        assert (await town.call(0)).ok
        await asyncio.sleep(1.0)
        return await town.calls(range(1, 30))

    ends = run(scene())
    assert all(getattr(end, "ok", False) for end in ends)
    during = [now for now in town.asked if 1.0 <= now < 10 * MINUTE]
    assert len(during) <= 29 + 20, "each call fails once; then one probes at a time"
    assert [what for what, _ in town.told] == ["away", "away"]
    assert "no answer from scripted:main for" in town.told[0][1]
    assert town.told[1][1] == town.meter.away == ""


def test_before_the_first_answer_it_stops_at_once() -> None:
    town = Town(after(0.0))
    ends = run(town.calls(range(20)))
    assert all(isinstance(end, ModelUnavailable) and not end.outage for end in ends)
    assert len(town.asked) == 20


def test_a_call_of_an_item_that_was_given_up_takes_no_probe() -> None:
    """Its neighbour failed while it waited for the end of the outage: it ends, and leaves the probes to others."""
    town = Town(after(1.0))

    async def scene() -> None:
        await town.call(0)
        await asyncio.sleep(1.0)
        others = asyncio.ensure_future(town.calls(range(1, 20)))
        await asyncio.sleep(1.0)
        caller = town.caller()
        ask = Ask("generator", "1", "default", Rendered("", "One more?", ""), 8, 0.0, 1)
        orphan = asyncio.ensure_future(caller.call(ask))
        await asyncio.sleep(1.0)
        assert not orphan.done()
        await caller.land()
        with pytest.raises(LimitReached, match="given up"):
            await asyncio.wait_for(orphan, 5.0)
        others.cancel()

    run(scene())


def test_patience_ends() -> None:
    town = Town(after(1.0), patience="5m")

    async def scene() -> tuple[list[Any], float]:
        await town.call(0)
        await asyncio.sleep(1.0)
        return await town.calls(range(1, 20)), asyncio.get_running_loop().time()

    ends, took = run(scene())
    assert all(isinstance(end, ModelUnavailable) for end in ends)
    assert any(end.outage for end in ends)
    assert 5 * MINUTE < took < 6.1 * MINUTE


def test_stopping_does_not_wait_for_the_outage_to_end() -> None:
    town = Town(after(1.0))

    async def scene() -> list[Any]:
        await town.call(0)
        await asyncio.sleep(1.0)
        calls = asyncio.ensure_future(town.calls(range(1, 20)))
        await asyncio.sleep(100.0)
        town.meter.stopping = "stopped by Ctrl-C"
        return await asyncio.wait_for(calls, 2.0)

    assert sum(isinstance(end, LimitReached) for end in run(scene())) >= 19 - MISSES


@pytest.mark.parametrize("name", ["main", "other"])
def test_a_fallback_answers_meanwhile_and_signs_its_answers(name: str) -> None:
    town = Town(after(1.0, 2 * MINUTE), fallback=name)

    async def scene() -> list[Any]:
        ends = [await town.call(0)]
        await asyncio.sleep(1.0)
        ends += await town.calls(range(1, 40))
        await asyncio.sleep(3 * MINUTE)
        return [*ends, await town.call(40)]

    ends = run(scene())
    assert all(end.ok for end in ends)
    assert len(town.spare) == 39
    signed = {end.model for end in ends[1:40]}
    assert signed == ({"scripted:other"} if name == "other" else {""})
    assert (ends[0].model, ends[-1].model) == ("", ""), "asked first again once it answers"
    words = {words for what, words in town.told if what == "stood_in"}
    assert words == ({"scripted:other stood in for scripted:main"} if name == "other" else set())


def test_an_answer_of_the_fallback_is_found_again() -> None:
    town = Town(after(0.0), fallback="other")

    async def scene() -> tuple[Any, Any, bool]:
        first, caller = await town.call(1), town.caller()
        ask = Ask("generator", "1", "default", Rendered("", "Question 1?", ""), 8, 0.0, 1, sample=1)
        return first, await caller.call(ask), caller.stood_in

    first, again, stood_in = run(scene())
    assert (again.text, again.model, stood_in) == (first.text, "scripted:other", True)
    assert (len(town.spare), town.meter.cached) == (1, 1)


def test_a_budget_of_time_stops() -> None:
    town = Town(after(1e9), time="1h")
    assert run(town.call(0)).ok
    town.meter.worked = 3600.0
    with pytest.raises(LimitReached, match="--max-time 1h reached"):
        run(town.call(1))
