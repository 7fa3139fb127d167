"""Whatever watches a run may break: no state of an item, no record and no call depends on it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from solon.agents.calls import Meter
from solon.display.progress import ProgressDisplay
from solon.observers import Observer, SolonWarning, watched
from solon.store.runs.items import load_items, set_state
from solon.tracing import Tracing

Make = Callable[..., Any]
ALWAYS = {"routing": {"policy": "always"}}
SEEDS = [f"Explain thing number {i}." for i in range(4)]


def raising(error: BaseException) -> Callable[[Any], None]:
    def tell(_progress: Any) -> None:
        raise error

    return tell


def mangling(progress: Any) -> None:
    progress.counts = None


BROKEN = {
    "pipe": raising(BrokenPipeError(32, "Broken pipe")),
    "mistake": raising(ZeroDivisionError("oops")),
    "cancelled": raising(asyncio.CancelledError()),
    "mangling": mangling,
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_a_callback_that_breaks_changes_nothing_and_is_told_once(make_desk: Make, kind: str) -> None:
    desk = make_desk(**ALWAYS)
    with pytest.warns(SolonWarning, match="on_progress raised") as told:
        summary = desk.project.run("preference", SEEDS, on_progress=BROKEN[kind])
    assert len(told) == 1
    assert (summary.pending_review, summary.failed) == (4, 0)
    for review in desk.project.reviews()[:2]:
        desk.project.decide(review, "prefer", review.candidates[0])
    with pytest.warns(SolonWarning, match="on_progress raised"):
        summary = desk.project.resume(on_progress=BROKEN[kind])
    assert (summary.accepted, summary.pending_review, summary.decisions_to_apply) == (2, 2, 0)
    named = {row["decision_id"] for row in desk.rows("Record")}
    assert named == {row["decision_id"] for row in desk.rows("Outbox") if row["applied_at"] is not None}


def test_where_warnings_are_errors_the_work_goes_on_too(
    make_desk: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = make_desk(**ALWAYS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert desk.project.run("preference", SEEDS, on_progress=BROKEN["pipe"]).pending_review == 4
    assert capsys.readouterr().err.count("warning: on_progress raised BrokenPipeError") == 1


def test_ctrl_c_and_exit_pass_the_boundary() -> None:
    for error in (KeyboardInterrupt(), SystemExit(3)):
        with pytest.raises(type(error)):
            Observer("a watcher").call(raising(error), None)


def test_a_callback_that_works_is_called_with_what_it_is_given() -> None:
    seen: list[Any] = []
    tell = watched("tell", lambda *given, **named: seen.append((given, named)))
    assert tell is not None
    tell(1, b=2)
    assert (seen, watched("tell", None)) == ([((1,), {"b": 2})], None)


# Spans ---------------------------------------------------------------------------------------------------------------


class BrokenTracer:
    """A tracer that fails at one place; elsewhere it does nothing."""

    def __init__(self, where: str) -> None:
        self._where, self.reached = where, 0

    def _fail(self, place: str) -> None:
        if self._where == place:
            self.reached += 1
            raise RuntimeError(f"the exporter is down at {place}")

    def start_as_current_span(self, _name: str, **_options: Any) -> Any:
        self._fail("make")
        return self._span()

    @contextmanager
    def _span(self) -> Iterator[BrokenTracer]:
        self._fail("open")
        yield self
        self._fail("close")

    def set_attribute(self, _key: str, _value: Any) -> None:
        self._fail("attribute")


@pytest.mark.parametrize("where", ["make", "open", "attribute", "close"])
def test_a_tracer_that_breaks_changes_nothing(
    make_desk: Make, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    tracer = BrokenTracer(where)
    monkeypatch.setattr("solon.graphs.runner.make_tracing", lambda _config: Tracing(tracer))
    desk = make_desk(**ALWAYS)
    with pytest.warns(SolonWarning, match="tracing raised RuntimeError: the exporter is down") as told:
        assert desk.project.run("preference", SEEDS).pending_review == 4
    assert len(told) == 1
    assert tracer.reached > 4, "it was tried again"
    review = desk.project.reviews()[0]
    desk.project.decide(review, "prefer", review.candidates[0])
    with pytest.warns(SolonWarning):
        summary = desk.project.resume()
    assert (summary.accepted, summary.pending_review, summary.failed) == (1, 3, 0)


def test_what_the_work_raises_passes_a_span() -> None:
    tracing = Tracing(BrokenTracer("nowhere"))
    with pytest.raises(LookupError), tracing.span("x", "CHAIN"):
        raise LookupError


# Hooks of LangChain --------------------------------------------------------------------------------------------------


class Strict(BaseCallbackHandler):
    """A handler that wants its mistakes to end the call."""

    raise_error = True

    def on_llm_end(self, *_given: Any, **_named: Any) -> None:
        raise ValueError("my dashboard is down")

    on_chat_model_start = on_llm_end


def test_a_hook_on_a_model_ends_no_call(make_desk: Make) -> None:
    desk = make_desk(**ALWAYS)
    desk.chat.callbacks = [Strict()]
    summary = desk.project.run("preference", SEEDS[:1])
    assert (summary.pending_review, summary.failed) == (1, 0)


# Standard error ------------------------------------------------------------------------------------------------------


def test_a_display_that_cannot_write_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

        flush = isatty = lambda self: False

    now = [0.0]
    monkeypatch.setattr(sys, "stderr", Gone())
    display = ProgressDisplay(clock=lambda: now[0])
    display.show(type("Progress", (), {"meter": Meter(), "counts": {"queued": 1}, "round": ""})())
    now[0] = 60.0
    with pytest.warns(SolonWarning, match="the display of progress raised BrokenPipeError"):
        display.tick()
    display.__exit__(None, None, None)
    monkeypatch.setattr(sys, "stderr", None)
    with ProgressDisplay(quiet=True) as display:
        display.tick()


PIPED = """
import sys
from pathlib import Path
from solon.cli import main

Path("seeds.jsonl").write_text('{"prompt": "Why is the sky blue?"}\\n')
Path("solon.toml").write_text('[models.default]\\nmodel = "scripted:default"\\n[routing]\\npolicy = "always"\\n')
sys.argv[1:] = ["run", "preference", "--seeds", "seeds.jsonl", "--store", "sqlite:///s.db", "--json"]
sys.exit(main())
"""


@pytest.mark.sqlite("a store file in a folder of its own")
@pytest.mark.parametrize("stderr", ["no reader", "full disk", "closed"])
def test_a_command_whose_stderr_breaks_does_its_work(tmp_path: Path, stderr: str) -> None:
    """`2>&1 | head`, `2>/dev/full`, `2>&-`: the exit code and the last line of standard output are as ever."""
    reading, writing = os.pipe()
    os.close(reading)
    target = {"no reader": "", "full disk": "2>/dev/full", "closed": "2>&-"}[stderr]
    command = ["sh", "-c", f'exec "$0" -c "$1" {target}', sys.executable, PIPED]
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=writing, text=True)
    os.close(writing)
    assert done.returncode == 3
    assert '"pending_review": 1' in done.stdout.splitlines()[-1]


# The guard of the store ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["failed", "parked", "queued"])
def test_what_waits_is_moved_by_its_graph_alone(make_desk: Make, state: str) -> None:
    desk = make_desk(**ALWAYS)
    desk.project.run("preference", SEEDS[:1])
    (row,) = desk.rows("Item")
    (item,) = load_items(desk.project.store, [row["id"]])
    with desk.project.store.transaction() as connection:
        assert not set_state(connection, item.id, item.attempt, state, reason="a mistake around it")
    assert desk.states() == {"waiting": 1}
    with desk.project.store.transaction() as connection:
        assert set_state(connection, item.id, item.attempt, "accepted", route="budget")
    assert desk.states() == {"accepted": 1}
