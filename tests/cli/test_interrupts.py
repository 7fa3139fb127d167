"""Signals to a real process: the first stops cleanly, the second aborts, and both can be resumed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from solon.cli.interrupts import Stopper, ending_signals
from solon.review.worker import Worker

Cli = Callable[..., Any]


@pytest.fixture
def start(folder: Path, write_seeds: Callable[..., Path]) -> Callable[..., subprocess.Popen[str]]:
    """Starts a run of 30 items on a slow fake, or another command, and waits until it is at work."""
    log = folder / "calls.log"
    (folder / "slow.json").write_text(json.dumps({"latency": 0.2, "otherwise": "default", "log": str(log)}))
    (folder / "solon.toml").write_text('[models.default]\nmodel = "scripted:slow.json"\nconcurrency = 4\n')
    seeds = write_seeds(*({"prompt": f"Explain topic {i}."} for i in range(30)))

    def go(*words: str) -> subprocess.Popen[str]:
        words = words or ("run", "preference", "--seeds", str(seeds), "--json")
        process = subprocess.Popen(
            [sys.executable, "-m", "solon", *words],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ},
        )
        deadline = time.monotonic() + 300
        while not log.exists() or log.stat().st_size == 0:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return process

    return go


def wait_until_stopping(process: subprocess.Popen[str]) -> None:
    """Wait until a process says that it has taken in the first signal."""
    assert process.stderr is not None
    assert any(line.startswith("stopping:") for line in process.stderr)


def finish_fast(folder: Path) -> None:
    (folder / "slow.json").write_text(json.dumps({"otherwise": "default", "log": str(folder / "calls.log")}))


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_the_first_signal_stops_cleanly_and_resume_finishes(
    solon: Cli, folder: Path, start: Callable[[], subprocess.Popen[str]], number: int, name: str
) -> None:
    process = start()
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 4, err
    summary = json.loads(out.splitlines()[-1])
    assert summary["stopped_because"] == f"stopped by {name}"
    assert summary["queued"] > 0
    assert summary["queued"] + summary["pending_review"] + summary["accepted"] + summary["rejected"] == 30
    assert "Traceback" not in err
    finish_fast(folder)
    done = solon("resume", "--json")
    assert done.code in (0, 3), done
    assert done.json["queued"] == done.json["failed"] == 0
    # What was stopped is not paid for again: every call that was ever made is in the journal, once.
    assert len((folder / "calls.log").read_text().splitlines()) == done.json["model_calls"]


def hang_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)


@pytest.fixture
def terminal() -> Iterator[None]:
    """SIGHUP counts in this process, also where the tests were begun under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("terminal")
def test_a_terminal_that_goes_away_stops_a_run_as_ctrl_c_does() -> None:
    stopped: list[str] = []
    stopper = Stopper()
    stopper.watch(SimpleNamespace(stop=stopped.append))  # type: ignore[arg-type]

    async def work() -> None:
        hang_up()
        while not stopped:  # noqa: ASYNC110
            await asyncio.sleep(0)

    stopper.run(work, tick=lambda: None)
    assert stopped == ["stopped by SIGHUP"]


@pytest.mark.usefixtures("terminal")
def test_it_ends_a_worker_and_a_server(solon: Cli, waiting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker, "start", lambda _: hang_up())
    assert solon("worker").code == 0
    served = solon("review", "serve", "--port", "0")
    assert (served.code, "Reviews at" in served.err) == (0, True)


def test_under_nohup_it_ends_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert list(ending_signals().values()) == ["Ctrl-C", "SIGTERM"]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_second_signal_aborts_at_once_and_resume_finishes(
    solon: Cli, folder: Path, start: Callable[[], subprocess.Popen[str]]
) -> None:
    (folder / "slow.json").write_text(json.dumps({"latency": 30, "log": str(folder / "calls.log")}))
    process = start()
    process.send_signal(signal.SIGINT)
    wait_until_stopping(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 4, err
    assert "aborted" in err
    finish_fast(folder)
    done = solon("resume", "--json")
    assert done.json["items"] == 30
    assert done.json["queued"] == done.json["failed"] == 0


@pytest.mark.sqlite("the name of the demo's file")
def test_a_demo_that_is_stopped_says_how_it_goes_on(
    solon: Cli, folder: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start("demo", "--model", "scripted:slow.json")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 4, err
    finish_fast(folder)
    resume, *_ = (line.strip() for line in out.split("Next\n")[1].splitlines())
    assert resume == "solon resume --store sqlite:///solon-demo-real/solon.db"
    assert solon(*resume.split()[1:], "--json").json["queued"] == 0


@pytest.mark.sqlite("the name of the demo's file")
def test_the_second_signal_names_the_demos_store(
    folder: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    (folder / "slow.json").write_text(json.dumps({"latency": 30, "log": str(folder / "calls.log")}))
    process = start("demo", "--model", "scripted:slow.json")
    process.send_signal(signal.SIGINT)
    wait_until_stopping(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert "aborted; `solon resume --store sqlite:///solon-demo-real/solon.db` goes on" in err


def test_an_interrupt_of_any_command_ends_as_documented(solon: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("solon.cli.options.read_config", interrupted)
    told = solon("status")
    assert told.code == 4
    assert "stopped" in told.err
    assert "Traceback" not in told.err
