"""Limits hold per run, whichever processes work on it, also where one of them was killed; on both databases."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import Connection, select

from benchmarks import work
from benchmarks.run import fake_server
from solon.graphs import runner
from solon.project import Project
from solon.store.runs import items, spending
from solon.store.runs.runs import add_active_seconds, find_run
from solon.store.tables import calls

Make = Callable[..., Any]
SEEDS = [f"Explain thing number {n}." for n in range(12)]


def both(make_desk: Make, url: str, at: int, **limits: Any) -> tuple[Any, Any]:
    """Two desks on one run; the second works in the middle of a call of the first."""
    seen: list[str] = []

    def meanwhile(question: Any) -> None:
        seen.append(question.role)
        if len(seen) == at:
            other = threading.Thread(target=lambda: second.project.run("preference", SEEDS))
            other.start()
            other.join()

    settings = {"routing": {"policy": "never"}, "run": {"concurrency": 2}, "limits": limits}
    first, second = make_desk(url, meanwhile, **settings), make_desk(url, **settings)
    first.summary = first.project.run("preference", SEEDS)
    return first, second


def left(desk: Any) -> list[tuple[str, int]]:
    return [(row["by"], row["calls"]) for row in desk.rows("Spending")]


@pytest.mark.parametrize(("at", "most"), [(1, 8), (1, 40), (9, 40)])
def test_two_at_once_make_no_more_calls(make_desk: Make, store_url: str, at: int, most: int) -> None:
    first, second = both(make_desk, store_url, at, calls=most)
    assert first.chat.calls + second.chat.calls == most
    assert first.summary.model_calls == most
    assert first.summary.stopped_because == f"--max-calls {most} reached"
    assert left(first) == [("", most)], "what was set aside is given back"


def test_two_at_once_take_no_more_tokens(make_desk: Make, store_url: str) -> None:
    """Beyond the limit goes only what is in flight when it is reached."""
    first, second = both(make_desk, store_url, 1, tokens=9000)
    assert first.summary.stopped_because == "--max-tokens 9000 reached"
    most = max(row["input_tokens"] + row["output_tokens"] for row in first.rows("Call"))
    assert 9000 <= first.summary.tokens < 9000 + 4 * most
    assert second.chat.calls > first.chat.calls


def test_a_further_session_has_what_is_left(make_desk: Make, store_url: str) -> None:
    limits = {"routing": {"policy": "never"}, "limits": {"calls": 20}}
    desk = make_desk(store_url, **limits)
    desk.project.run("preference", SEEDS)
    assert desk.project.resume().stopped_because == "--max-calls 20 reached"
    assert desk.chat.calls == 20
    limits["limits"]["calls"] = 30
    further = make_desk(store_url, **limits)
    assert further.project.resume().model_calls == 30
    assert further.chat.calls == 10


@pytest.mark.parametrize("alive", [False, True], ids=["killed", "alive"])
def test_what_a_killed_process_had_set_aside_is_free_again(
    make_desk: Make, store_url: str, alive: bool
) -> None:
    desk = make_desk(store_url, routing={"policy": "never"}, limits={"calls": 40})
    run = desk.project.load("preference", SEEDS)
    with ExitStack() as living:
        other = living.enter_context(items.working())
        with desk.project.store.transaction() as connection:
            spending.open_account(connection, run.id, other)
            others, granted = spending.set_aside(connection, run.id, other, spending.Total(), 30, 40)
            assert (others.calls, granted) == (0, 30)
        if not alive:
            living.close()
        desk.project.resume(run.id)
        assert desk.chat.calls == (10 if alive else 40)


def test_a_call_whose_neighbour_met_the_limit_is_kept(store_url: str) -> None:
    """Of two drafts one is in flight when the other one may not be sent: the item is given back once both have
    ended."""
    with fake_server(0.05) as port:
        config = work.config(port, policy="never")
        for most in (1, 2, 3, 4, 5, 90):
            with Project(store_url, config={**config, "limits": {"calls": most}}) as project:
                summary = project.run("preference", work.seeds(1)) if most == 1 else project.resume()
                assert summary.model_calls == min(most, work.CALLS)
                with project.store.connect() as connection:
                    outcomes = list(connection.execute(select(calls.c.outcome)).scalars())
                assert outcomes == ["ok"] * min(most, work.CALLS)
    assert (summary.accepted, summary.stopped_because) == (1, None)


def test_why_an_earlier_session_stopped_is_not_told_of_one_that_was_killed(
    make_desk: Make, store_url: str
) -> None:
    desk = make_desk(store_url, routing={"policy": "never"}, limits={"calls": 3})
    assert desk.project.run("preference", SEEDS[:2]).stopped_because
    told: list[str | None] = []

    def look(_question: Any) -> None:
        told.append(desk.project.summarize().stopped_because)

    make_desk(store_url, look, routing={"policy": "never"}).project.resume()
    assert set(told) == {None}


def test_the_time_of_work_is_counted_while_it_goes_on(
    make_desk: Make, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill would else take all of it along."""
    monkeypatch.setattr(items, "CLAIM_SECONDS", 0.04)
    desk = make_desk(store_url)
    run = desk.project.load("preference", SEEDS[:1])
    counted: list[float] = []

    async def scene() -> None:
        loop, once = asyncio.get_running_loop(), asyncio.Event()

        def add(connection: Connection, run_id: str, seconds: float) -> None:
            add_active_seconds(connection, run_id, seconds)
            counted.append(seconds)
            loop.call_soon_threadsafe(once.set)

        monkeypatch.setattr(runner, "add_active_seconds", add)
        async with asyncio.timeout(60), desk.project.make_runner(run).at_work():
            await once.wait()

    begun = time.monotonic()
    asyncio.run(scene())
    elapsed = time.monotonic() - begun
    assert len(counted) >= 2
    worked = desk.read(lambda connection: find_run(connection, run.id)).active_seconds
    assert worked == pytest.approx(sum(counted))
    assert worked <= elapsed


def test_without_a_limit_nothing_is_set_aside(make_desk: Make, store_url: str) -> None:
    desk = make_desk(store_url, routing={"policy": "never"})
    assert desk.project.run("preference", SEEDS[:2]).accepted == 2
    assert desk.rows("Spending") == []
