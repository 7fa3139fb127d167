"""Two commands at once on one store: they begin one run, share its items, and judge all before a budget is spent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from solon.store.runs import items, runs

Make = Callable[..., Any]
SEEDS = [f"Explain thing number {n}." for n in range(12)]


def test_they_begin_one_run(make_desk: Make, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the second looks for a run just when the first is about to begin one."""
    first, second = make_desk(store_url), make_desk(store_url)
    assert first.project.store.url == second.project.store.url
    find, begun = runs.find_same_run, []

    def look(*asked: Any) -> Any:
        found = find(*asked)
        if not begun:
            begun.append(
                threading.Thread(target=lambda: begun.append(second.project.load("preference", SEEDS)))
            )
            begun[0].start()
            begun[0].join(0.5)  # whoever does not wait for its turn is through by then
        return found

    monkeypatch.setattr(runs, "find_same_run", look)
    mine = first.project.load("preference", SEEDS)
    begun[0].join()
    assert begun[1].id == mine.id
    assert (first.count("Run"), first.count("Item")) == (1, 12)


def test_they_share_the_items(make_desk: Make, store_url: str) -> None:
    """The second begins, works and ends in the middle of a call of the first."""
    calls: list[str] = []

    def meanwhile(question: Any) -> None:
        calls.append(question.key.hex())
        if len(calls) == 1:
            other = threading.Thread(target=lambda: told.append(second.project.run("preference", SEEDS)))
            other.start()
            other.join()

    told: list[Any] = []
    settings = {"routing": {"policy": "never"}, "run": {"concurrency": 2}}
    first, second = make_desk(store_url, meanwhile, **settings), make_desk(store_url, **settings)
    summary = first.project.run("preference", SEEDS)
    assert (summary.accepted, summary.queued, summary.stopped_because) == (12, 0, None)
    assert told[0].stopped_because == "another process is at work on 8 items"
    assert first.chat.calls + second.chat.calls == summary.model_calls == first.count("Call")


def test_a_budget_is_spent_when_all_are_judged(make_desk: Make, store_url: str) -> None:
    """Not by whoever is through first: what is worth most is chosen among all."""
    settings = {"routing": {"policy": "budget", "budget": 2}}
    desk = make_desk(store_url, **settings)
    run = desk.project.load("preference", SEEDS)
    with items.working() as other:
        with desk.project.store.transaction() as connection:
            items.claim(connection, run.id, 1, other)
        summary = desk.project.resume(run.id)
        assert (summary.accepted, summary.queued, len(desk.project.reviews())) == (0, 1, 0)
    summary = desk.project.resume(run.id)
    assert (summary.accepted, summary.pending_review) == (10, 2)
