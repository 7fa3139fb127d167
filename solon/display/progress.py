"""How a run shows its progress: a bar in a notebook or on a terminal, a line every few seconds elsewhere.

In a notebook it is an HTML element drawn anew: the bars of tqdm and rich need ipywidgets there, and leave nothing in a
saved notebook.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from types import TracebackType
from typing import Any, Protocol, Self

from solon.display.notebook import is_notebook
from solon.display.text import clean, escape_html
from solon.observers import Observer

SECONDS_BETWEEN_LINES = 5.0
SECONDS_OF_SILENCE = 30.0
SECONDS_BETWEEN_BARS = 0.25
_RESTING = ("accepted", "rejected", "failed", "waiting", "parked", "forgotten")


class Spending(Protocol):
    """What a run has spent so far, and why it is about to stop.

    Attributes:
        calls: calls to models.
        input_tokens: tokens sent, as far as the providers say.
        output_tokens: tokens received, as far as the providers say.
        cost: money for the calls whose price is known.
        unknown_cost: number of calls whose cost is not known.
        stopping: why the run is about to stop; empty while it goes on.
        away: which server is being waited for and for how long; empty while none is.
        batches: which batches at providers are waited for, and how far they are; empty while none is.
    """

    calls: int
    input_tokens: int
    output_tokens: int
    cost: float
    unknown_cost: int
    stopping: str
    away: str
    batches: str


class Progress(Protocol):
    """Where a run stands, as the runner reports it: what was spent, `counts`, the number of items by state, and
    `round`, in which round of its budget it is (empty without rounds)."""

    @property
    def meter(self) -> Spending:
        """What the run has spent so far."""
        ...

    counts: dict[str, int]
    round: str


class ProgressDisplay:
    """Shows the progress of a run for as long as its `with` block lasts; hand `show` to the run as `on_progress`.

    Where it cannot write, because whoever read standard error is gone, the run goes on without it.

    Args:
        quiet: show nothing at all.
        clock: gives seconds; another one serves tests.
    """

    def __init__(self, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet, self._clock = quiet, clock
        self._notebook = is_notebook() and not quiet
        on_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._terminal = on_terminal and not self._notebook and not quiet
        self._watcher = Observer("the display of progress")
        self._bar: Any = None
        self._task: Any = None
        self._cell: Any = None
        self._drawn = 0.0
        self._begun = self._last_line = clock()
        self._first: tuple[int, int] | None = None
        self._told = (-1, -1)
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        self._watcher.call(self._begin)
        return self

    def _begin(self) -> None:
        if self._notebook:
            shell: Any = import_module("IPython.display")
            self._cell = shell.display(shell.HTML(self._draw()), display_id=True)
        elif self._terminal:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                BarColumn(24),
                MofNCompleteColumn(),
                TextColumn("{task.description}", markup=False),
                TimeElapsedColumn(),
                console=Console(stderr=True, markup=False, emoji=False, highlight=False),
                refresh_per_second=4,
            )
            self._task = self._bar.add_task("starting", total=None)
            self._bar.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watcher.call(self._end)

    def _end(self) -> None:
        if self._cell is not None:
            self._redraw()
        elif self._bar is not None:
            self._update()
            self._bar.stop()
        elif self._progress is not None and not self._quiet:
            self._say()

    def show(self, progress: Progress) -> None:
        """Take in where the run stands, and show it; the run calls this at every change."""
        self._progress = progress
        if self._first is None:
            self._first = (self._rested(), self._tokens())
            self._begun = self._clock()
        self.tick()

    def tick(self) -> None:
        """Show what is known by now. Called every second, since calls and tokens go on between two changes of items."""
        self._watcher.call(self._tick)

    def _tick(self) -> None:
        if self._progress is None:
            return
        if self._cell is not None:
            if self._clock() - self._drawn >= SECONDS_BETWEEN_BARS:
                self._redraw()
        elif self._bar is not None:
            self._update()
        elif not self._quiet and self._is_news():
            self._last_line = self._clock()
            self._told = (self._rested(), self._progress.meter.calls)
            self._say()

    def _is_news(self) -> bool:
        """A few seconds went by and something moved, or half a minute and nothing did."""
        waited = self._clock() - self._last_line
        state = (self._rested(), self._progress.meter.calls if self._progress is not None else 0)
        return waited >= SECONDS_BETWEEN_LINES and (state != self._told or waited >= SECONDS_OF_SILENCE)

    def restore_terminal(self) -> None:
        """Give the terminal its cursor back; whoever ends the process at once calls it first."""
        if self._bar is not None:
            self._watcher.call(self._bar.stop)

    def _update(self) -> None:
        if self._progress is not None:
            total = sum(self._progress.counts.values())
            self._bar.update(self._task, total=total, completed=self._rested(), description=self.describe())

    def _say(self) -> None:
        sys.stderr.write(clean(self.describe()) + "\n")
        sys.stderr.flush()

    def _redraw(self) -> None:
        shell: Any = import_module("IPython.display")
        self._drawn = self._clock()
        self._cell.update(shell.HTML(self._draw()))

    def _draw(self) -> str:
        total = sum(self._progress.counts.values()) if self._progress is not None else 0
        value = f' value="{self._rested()}" max="{total}"' if total else ""
        return f'<progress{value} style="width:16em;vertical-align:middle"></progress> {escape_html(self.describe())}'

    def _rested(self) -> int:
        """Items that do not move by themselves any more."""
        counts = self._progress.counts if self._progress is not None else {}
        return sum(counts.get(state, 0) for state in _RESTING)

    def _tokens(self) -> int:
        meter = self._progress.meter if self._progress is not None else None
        return meter.input_tokens + meter.output_tokens if meter is not None else 0

    def describe(self) -> str:
        """Return items by state, calls with tokens per second and cost where there were any, and time left, in one
        line."""
        progress = self._progress
        if progress is None:
            return "starting"
        counts, meter = progress.counts, progress.meter
        seconds = max(self._clock() - self._begun, 1e-6)
        rested, tokens = self._first or (0, 0)
        parts = [
            f"{self._rested()}/{sum(counts.values())} items",
            f"{counts.get('accepted', 0)} accepted",
            f"{counts.get('rejected', 0)} rejected",
            f"{counts.get('waiting', 0)} waiting",
            f"{counts.get('failed', 0)} failed",
            *(f"{counts[state]} {state}" for state in ("parked", "forgotten") if counts.get(state)),
        ]
        if meter.calls:
            parts.append(f"{meter.calls} calls, {(self._tokens() - tokens) / seconds:.0f} tokens/s")
            parts.append("cost unknown" if meter.unknown_cost else f"cost {meter.cost:.4f}")
        moved, left = self._rested() - rested, sum(counts.values()) - self._rested()
        if moved > 0 and left > 0:
            parts.append(f"ETA {spell_seconds(left * seconds / moved)}")
        if progress.round:
            parts.append(progress.round)
        if waits := meter.away or meter.batches:
            parts.append(f"waiting: {waits}")
        if meter.stopping:
            parts.append("stopping")
        return ", ".join(parts)


@asynccontextmanager
async def shown(
    on_progress: Callable[[Any], None] | None, progress: bool | None
) -> AsyncIterator[Callable[[Any], None] | None]:
    """Give the function that the runner reports its progress to: the caller's, a display that calls it too, or None.

    Args:
        on_progress: the caller's function, or None.
        progress: True shows a display, False none; None shows one in a notebook, where no function is given.
    """
    if progress is False or (progress is None and (on_progress is not None or not is_notebook())):
        yield on_progress
        return
    with ProgressDisplay() as display:

        def tell(state: Progress) -> None:
            display.show(state)
            if on_progress is not None:
                on_progress(state)

        ticking = asyncio.create_task(_tick(display))
        try:
            yield tell
        finally:
            ticking.cancel()


async def _tick(display: ProgressDisplay) -> None:
    while True:
        await asyncio.sleep(1.0)
        display.tick()


def spell_seconds(seconds: float) -> str:
    """Return a duration as minutes and seconds, with hours where there are any: 75 -> 1:15, 4000 -> 1:06:40."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
