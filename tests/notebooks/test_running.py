"""Running from a notebook: data frames in, a loop that runs already, a bar, an interrupt."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow
import pytest

from solon.errors import SeedError, UsageError
from solon.formats.seed_rows import SeedRow
from solon.project import Project
from solon.workspace.seeds import as_rows, fingerprint_seeds, read_rows

Open = Callable[..., Project]
ROWS = [
    {"id": "a", "prompt": "One?", "lang": "en", "n": 1},
    {"id": "b", "prompt": "Two?", "lang": None, "n": 2},
]


@pytest.mark.parametrize("make", [pd.DataFrame, pyarrow.Table.from_pylist], ids=["pandas", "arrow"])
def test_a_data_frame_is_its_rows(open_project: Open, make: Callable[..., Any]) -> None:
    project = open_project()
    seeds: list[Any] = list(read_rows(make(ROWS), project.config))
    assert [(row.id, row.prompt, row.lang, row.metadata) for row in seeds] == [
        ("a", "One?", "en", {"n": 1}),
        ("b", "Two?", None, {"n": 2}),
    ]
    first = project.run("preference", make(ROWS))
    assert first.items == 2
    assert project.run("preference", make(ROWS)).run_id == first.run_id


def test_missing_values_lists_and_times_of_a_frame_are_read(open_project: Open) -> None:
    frame = pd.DataFrame(
        {
            "prompt": ["One?", "Two?", None],
            "tags": [["x", "y"], None, None],
            "when": pd.to_datetime(["2026-01-02", None, None]),
            "score": [1.5, float("nan"), 2.0],
        }
    )
    found = list(read_rows(frame, open_project().config))
    good = [row for row in found if isinstance(row, SeedRow)]
    assert [row.tags for row in good] == [("x", "y"), ()]
    assert good[0].metadata == {"when": "2026-01-02T00:00:00", "score": 1.5}
    assert good[1].metadata == {"when": None, "score": None}
    assert len(found) - len(good) == 1


def test_frames_that_differ_in_a_long_array_are_other_seeds(open_project: Open) -> None:
    import numpy as np

    config = open_project().config
    rows = [{"prompt": "One?", "vector": np.arange(5000)}]
    other = [{"prompt": "One?", "vector": np.where(np.arange(5000) == 2500, 0, np.arange(5000))}]
    assert fingerprint_seeds(pd.DataFrame(rows), config) != fingerprint_seeds(pd.DataFrame(other), config)


def test_a_frame_with_two_columns_of_one_name_is_refused() -> None:
    frame = pd.DataFrame([["One?", "Two?"]], columns=["prompt", "prompt"])
    with pytest.raises(UsageError, match="same name"):
        as_rows(frame)


def test_an_empty_frame_says_that_there_is_no_row(open_project: Open) -> None:
    with pytest.raises(SeedError, match="there is no row"):
        open_project().run("preference", pd.DataFrame({"prompt": []}))


def test_run_and_resume_work_inside_a_running_loop(open_project: Open) -> None:
    project = open_project()

    async def cell() -> tuple[int, int]:
        first = project.run("preference", ROWS)
        for review in project.reviews():
            project.decide(review, "prefer", review.candidates[0])
        assert first.pending_review == 2
        return project.resume().accepted, (await project.arun("preference", ROWS)).accepted

    assert asyncio.run(cell()) == (2, 2)


def test_other_tasks_go_on_during_arun(open_project: Open) -> None:
    project = open_project(latency=0.02)
    ticks = 0

    async def other() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    async def cell() -> None:
        ticking = asyncio.create_task(other())
        await project.arun("preference", ROWS)
        ticking.cancel()

    asyncio.run(cell())
    assert ticks


def test_an_interrupt_in_a_notebook_ends_the_run_cleanly(
    open_project: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = open_project(latency=0.01, run={"concurrency": 8})
    seeds = [f"Question {number}?" for number in range(40)]
    begun, stopping = threading.Event(), threading.Event()
    stop = project.stop

    def stop_and_say() -> None:
        stop()
        stopping.set()

    monkeypatch.setattr(project, "stop", stop_and_say)

    def interrupt() -> None:
        begun.wait(300)
        os.kill(os.getpid(), signal.SIGINT)

    def hold(_: Any) -> None:
        """The run, in its thread, goes on only after the interrupt has reached it: it never ends before."""
        begun.set()
        assert stopping.wait(300)

    async def cell() -> Any:
        return project.run("preference", seeds, on_progress=hold)

    # A kernel's loop has no handler of its own for the signal, as `asyncio.run` would have.
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        stopped = loop.run_until_complete(cell())
    finally:
        thread.join()
        loop.close()
    assert stopped.stopped_because == "interrupted"
    assert 0 < stopped.queued <= stopped.items == 40
    assert project.run("preference", seeds).queued == 0


class Shell:
    """A fake of what IPython shows: the HTML of one cell's output."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def display(self, html: str, *, display_id: bool) -> Shell:
        assert display_id
        self.shown.append(html)
        return self

    def update(self, html: str) -> None:
        self.shown.append(html)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    """This process passes for a Jupyter kernel."""
    fake, kernel, shown = Shell(), type("ZMQInteractiveShell", (), {}), ModuleType("IPython.display")
    top = ModuleType("IPython")
    top.get_ipython = kernel  # type: ignore[attr-defined]
    shown.display, shown.HTML = fake.display, str  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", top)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    return fake


def test_a_notebook_shows_one_bar_that_ends_full(open_project: Open, shell: Shell) -> None:
    open_project().run("preference", ROWS)
    assert "<progress " in shell.shown[0]
    assert 'value="2" max="2"' in shell.shown[-1]
    assert "2/2 items" in shell.shown[-1]


def test_a_bar_can_be_left_out(open_project: Open, shell: Shell) -> None:
    seen: list[Any] = []
    open_project().run("preference", ROWS, progress=False)
    open_project().run("preference", ROWS, new_run=True, on_progress=seen.append)
    assert shell.shown == []
    assert seen


def test_a_script_shows_lines_when_asked(open_project: Open, capsys: pytest.CaptureFixture[str]) -> None:
    project = open_project()
    project.run("preference", ROWS)
    assert capsys.readouterr().err == ""
    project.run("preference", ROWS, new_run=True, progress=True)
    assert "2/2 items" in capsys.readouterr().err
