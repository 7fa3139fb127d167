"""The progress of a run: a line every few seconds where nobody sits at a terminal."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from solon.agents.calls import Meter
from solon.display.progress import ProgressDisplay, spell_seconds


@dataclass
class Fake:
    """A fake of the runner's progress."""

    meter: Meter = field(default_factory=Meter)
    counts: dict[str, int] = field(default_factory=dict)
    round: str = ""


def test_lines_are_rare_and_say_everything(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    display = ProgressDisplay(clock=lambda: now[0])
    fake = Fake(counts={"queued": 10})
    with display:
        display.show(fake)
        for second in range(1, 12):
            now[0] = float(second)
            fake.counts = {"queued": 10 - second // 2, "accepted": second // 2}
            fake.meter.calls, fake.meter.input_tokens = second, 100 * second
            display.tick()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3  # at 5, at 10, and the end
    assert lines[0] == (
        "2/10 items, 2 accepted, 0 rejected, 0 waiting, 0 failed, 5 calls, 100 tokens/s, cost 0.0000, ETA 0:20"
    )


def test_an_unknown_cost_is_not_zero() -> None:
    display = ProgressDisplay(quiet=True)
    display.show(Fake(meter=Meter(calls=1, unknown_cost=1), counts={"waiting": 1}))
    assert "cost unknown" in display.describe()


def test_where_no_model_is_asked_nothing_is_said_of_tokens_and_cost() -> None:
    display = ProgressDisplay(quiet=True)
    display.show(Fake(counts={"accepted": 1}))
    assert display.describe() == "1/1 items, 1 accepted, 0 rejected, 0 waiting, 0 failed"


@pytest.mark.parametrize(("seconds", "text"), [(5, "0:05"), (75, "1:15"), (4000, "1:06:40")])
def test_seconds_are_spelt(seconds: float, text: str) -> None:
    assert spell_seconds(seconds) == text
