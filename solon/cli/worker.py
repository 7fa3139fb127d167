"""`solon worker`: carries decisions to their items without a page, beside servers that run with `--no-work`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from solon.cli.interrupts import ending_signals
from solon.cli.options import ConfigOption, StoreOption, open_project
from solon.cli.terminal import FAILED, say

if TYPE_CHECKING:
    from solon.project import Project


def register(app: typer.Typer) -> None:
    """Add `solon worker` to the command line."""
    app.command("worker")(worker)


def worker(
    store: StoreOption = None,
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="End when nothing is left to apply.")] = False,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="Look for decisions so often.")] = 2.0,
) -> None:
    """Apply decisions as they come, and learn from them, until Ctrl-C; beside servers with --no-work.

    Example: solon worker --once
    """
    with open_project(store, config) as project:
        asyncio.run(_work(project, seconds, once))


async def _work(project: Project, seconds: float, once: bool) -> None:
    from solon.review.live import Live
    from solon.review.worker import Worker

    live = Live(project.store)
    courier, ended = Worker(project, live, seconds), asyncio.Event()
    for number in ending_signals():
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    courier.start()
    told = ""
    while not ended.is_set():
        counts = await asyncio.to_thread(live.counts)
        line = f"{counts['to_apply']} decisions to apply"
        if live.worker_says:
            line += f"; the worker stopped: {live.worker_says}"
        if line != told:
            say(line)
            told = line
        if courier.lost or (once and (not counts["to_apply"] or live.worker_says)):
            break
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), min(1.0, seconds))
    left = live.worker_says
    await courier.stop()
    if courier.lost is not None:
        raise courier.lost
    if once and left:
        say("decisions that are left out stay where they are")
        raise typer.Exit(FAILED)
