"""What a server keeps of the answers that it has delivered: nothing."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

from solon.project import Project
from solon.review.live import Live
from solon.review.worker import Worker

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

        asyncio.run(deliver())
        assert not list(project.reviews())
    assert alive[MANY] - alive[FEW] < 100 * (MANY - FEW)  # a graph that is compiled anew is 8,000
