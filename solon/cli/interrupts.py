"""Ctrl-C: the first stops a run cleanly, the second ends the process at once. Either can be resumed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from solon.cli.terminal import STOPPED, say

if TYPE_CHECKING:
    from solon.graphs.runner import Runner

T = TypeVar("T")


def ending_signals() -> dict[signal.Signals, str]:
    """Signals that end a command cleanly, with their names. SIGHUP, that the terminal has gone, is none under nohup."""
    found = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is not None and signal.getsignal(hang_up) != signal.SIG_IGN:
        found[hang_up] = "SIGHUP"
    return found


class Stopper:
    """Turns signals into a clean stop of the runner, once there is one.

    Args:
        before_exit: called before the process ends at once, e.g. to give the cursor back.
        resume: the command that goes on from what is stored.
    """

    def __init__(self, before_exit: Callable[[], None] = lambda: None, resume: str = "solon resume") -> None:
        self._before_exit = before_exit
        self._resume = resume
        self._runner: Runner | None = None
        self._why = ""

    def watch(self, runner: Runner) -> None:
        """Remember the runner that a signal shall stop. To be handed to a run as `on_runner`."""
        self._runner = runner
        if self._why:
            runner.stop(self._why)

    def on_signal(self, name: str) -> None:
        """Stop the runner cleanly at the first signal, and end the process at the next one."""
        if self._why:
            self._before_exit()
            say(f"aborted; `{self._resume}` goes on from what is stored")
            # What is not committed yet is lost and made again: the store survives a kill at any moment.
            os._exit(STOPPED)
        self._why = f"stopped by {name}"
        say("stopping: calls in flight are finished and kept; Ctrl-C again aborts them")
        if self._runner is not None:
            self._runner.stop(self._why)

    def run(self, work: Callable[[], Coroutine[Any, Any, T]], *, tick: Callable[[], None]) -> T:
        """The result of a coroutine, during which SIGINT, SIGTERM and SIGHUP stop the runner. `tick` is called once a
        second meanwhile."""

        async def watched() -> T:
            loop = asyncio.get_running_loop()
            for number, name in ending_signals().items():
                try:
                    loop.add_signal_handler(number, self.on_signal, name)
                except (NotImplementedError, RuntimeError, ValueError):
                    pass  # not the main thread, or no such signals here: Python's own handling stays
            ticking = asyncio.create_task(_repeat(tick))
            try:
                return await work()
            finally:
                ticking.cancel()

        return asyncio.run(watched())


async def _repeat(tick: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(1.0)
        tick()
