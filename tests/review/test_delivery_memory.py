"""What a server keeps between the answers that it delivers: a run that stays open, and nothing of the answers."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from solon.graphs import runner
from solon.project import Project
from solon.review.live import Live
from solon.review.worker import Worker
from solon.store.runs.items import count_states_by_run, load_items

FEW, MANY = 4, 12


def test_a_server_keeps_nothing_of_what_it_has_delivered(tmp_path: Path) -> None:
    """Each answer is a work of its own here, as it is for people who take their time."""
    config = {"models": {"default": {"model": "scripted:split"}}, "routing": {"policy": "always"}}
    with Project(f"sqlite:///{tmp_path}/solon.db", config=config) as project:
        summary = project.run("preference", [f"Explain thing number {n}." for n in range(MANY)])
        reviews = list(project.reviews(limit=MANY))
        worker, alive = Worker(project, Live(project.store), 1.0), {}

        async def deliver() -> None:
            for number, review in enumerate(reviews, 1):
                project.decide(review, "prefer", review.candidates[0])
                await worker._deliver(summary.run_id)
                if number in (FEW, MANY):
                    gc.collect()
                    alive[number] = len(gc.get_objects())

            await worker.stop()

        asyncio.run(deliver())
        assert not list(project.reviews())
    assert alive[MANY] - alive[FEW] < 100 * (MANY - FEW)  # a graph that is compiled anew is 8,000


def test_a_run_stays_open_between_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is opened anew once something was forgotten, with each look for what was left on its way, and after a failure;
    two servers on one store do not disturb each other."""
    config = {"models": {"default": {"model": "scripted:split"}}, "routing": {"policy": "always"}}
    files, whole = Counter[str](), runner.open_saver

    @asynccontextmanager
    async def counted(*given: Any) -> AsyncIterator[Any]:
        files["opened"] += 1
        async with whole(*given) as saver:
            yield saver
        files["closed"] += 1

    monkeypatch.setattr(runner, "open_saver", counted)
    with Project(f"sqlite:///{tmp_path}/solon.db", config=config) as project:
        project.run("preference", [{"id": f"s{n}", "prompt": f"Explain thing number {n}."} for n in range(9)])
        first, second = (Worker(project, Live(project.store), 1.0) for _ in range(2))
        files.clear()

        async def answer(worker: Worker = first) -> tuple[int, int]:
            review = project.reviews()[0]
            project.decide(review.id, "prefer", review.candidates[0].id)
            await worker._once()
            return files["opened"], files["closed"]

        async def go() -> None:
            assert [await answer() for _ in range(2)] == [(1, 0)] * 2
            assert await answer(second) == (2, 0)
            assert await answer() == (2, 0)
            (last,) = load_items(project.store, [project.reviews()[-1].item_id])
            await project.aforget(last.seed_id)
            assert await answer() == (3, 1), "nothing that was forgotten is kept"
            first.wake(begun=True)
            await first._once()
            assert (files["opened"], files["closed"]) == (3, 2)
            with monkeypatch.context() as patched:
                patched.setattr(project, "close_round", lambda *_: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    await answer()
            assert (files["opened"], files["closed"]) == (4, 3)
            assert await answer() == (5, 3)
            for worker in (first, second):
                await worker.stop()
            assert files["opened"] == files["closed"]

        asyncio.run(go())
        with project.store.connect() as connection:
            (counts,) = count_states_by_run(connection).values()
        assert counts == {"accepted": 7, "waiting": 1, "forgotten": 1}
