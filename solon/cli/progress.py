"""How a run shows its progress, on standard error: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from solon.cli.terminal import console, say

if TYPE_CHECKING:
    from solon.agents.calls import Meter

SECONDS_BETWEEN_LINES = 5.0
SECONDS_OF_SILENCE = 30.0
_FINAL = ("accepted", "rejected", "failed")


class Progress(Protocol):
    """What the runner tells."""

    meter: Meter
    counts: dict[str, int]


class ProgressDisplay:
    """A context manager; hand `show` to the run as `on_progress`. `quiet` shows nothing at all."""

    def __init__(self, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet, self._clock = quiet, clock
        self._terminal = sys.stderr.isatty() and not quiet
        self._bar: Any = None
        self._task: Any = None
        self._begun = self._last_line = clock()
        self._first: tuple[int, int] | None = None
        self._told = (-1, -1)
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        if self._terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                BarColumn(24),
                MofNCompleteColumn(),
                TextColumn("{task.description}", markup=False),
                TimeElapsedColumn(),
                console=console(error=True),
                refresh_per_second=4,
            )
            self._task = self._bar.add_task("starting", total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._update()
            self._bar.stop()
        elif self._progress is not None and not self._quiet:
            say(self.describe())

    def show(self, progress: Progress) -> None:
        """Take in where the run stands."""
        self._progress = progress
        if self._first is None:
            self._first = (self._rested(), self._tokens())
            self._begun = self._clock()
        self.tick()

    def tick(self) -> None:
        """Show what is known by now; between two changes of items, calls and tokens go on."""
        if self._progress is None:
            return
        if self._bar is not None:
            self._update()
        elif not self._quiet and self._is_news():
            self._last_line = self._clock()
            self._told = (self._rested(), self._progress.meter.calls)
            say(self.describe())

    def _is_news(self) -> bool:
        """A few seconds went by and something moved, or half a minute and nothing did."""
        waited = self._clock() - self._last_line
        state = (self._rested(), self._progress.meter.calls if self._progress is not None else 0)
        return waited >= SECONDS_BETWEEN_LINES and (state != self._told or waited >= SECONDS_OF_SILENCE)

    def restore_terminal(self) -> None:
        """Give the cursor back, for whoever ends the process at once."""
        if self._bar is not None:
            self._bar.stop()

    def _update(self) -> None:
        if self._progress is not None:
            total = sum(self._progress.counts.values())
            self._bar.update(self._task, total=total, completed=self._rested(), description=self.describe())

    def _rested(self) -> int:
        """Items that do not move by themselves any more."""
        counts = self._progress.counts if self._progress is not None else {}
        return sum(counts.get(state, 0) for state in (*_FINAL, "waiting", "parked"))

    def _tokens(self) -> int:
        meter = self._progress.meter if self._progress is not None else None
        return meter.input_tokens + meter.output_tokens if meter is not None else 0

    def describe(self) -> str:
        """Items, states, calls, speed, cost and time left, in one line."""
        progress = self._progress
        if progress is None:
            return "starting"
        counts, meter = progress.counts, progress.meter
        seconds = max(self._clock() - self._begun, 1e-6)
        rested, tokens = self._first or (0, 0)
        failed = counts.get("failed", 0) + counts.get("parked", 0)
        parts = [
            f"{self._rested()}/{sum(counts.values())} items",
            f"{counts.get('accepted', 0)} accepted",
            f"{counts.get('rejected', 0)} rejected",
            f"{counts.get('waiting', 0)} waiting",
            f"{failed} failed",
            f"{meter.calls} calls",
            f"{(self._tokens() - tokens) / seconds:.0f} tokens/s",
            "cost unknown" if meter.unknown_cost else f"cost {meter.cost:.4f}",
        ]
        moved, left = self._rested() - rested, sum(counts.values()) - self._rested()
        if moved > 0 and left > 0:
            parts.append(f"ETA {spell_seconds(left * seconds / moved)}")
        if meter.stopping:
            parts.append("stopping")
        return ", ".join(parts)


def spell_seconds(seconds: float) -> str:
    """75 -> 1:15, 4000 -> 1:06:40."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
