"""Nobody reads what a command says, its streams are closed, or their disk is full: the command does its work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture
def unread() -> Iterator[int]:
    """The end of a pipe whose reader is gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def solon_process(*arguments: str | Path, **streams: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "solon", *map(str, arguments)]
    return subprocess.run(command, text=True, check=False, **streams)


def test_a_run_whose_streams_nobody_reads_ends_as_ever(
    solon: Cli, five_seeds: Path, folder: Path, unread: int
) -> None:
    ended = solon_process("run", "preference", "--seeds", five_seeds, stdout=unread, stderr=unread)
    assert ended.returncode in (0, 3)
    told = solon("status", "--json").json["runs"][0]
    assert (told["items"], told["failed"], told["queued"]) == (5, 0, 0)
    assert ended.returncode == (3 if told["pending_review"] else 0)


def test_output_that_nobody_reads(solon: Cli, five_seeds: Path, folder: Path, unread: int) -> None:
    assert solon("run", "preference", "--seeds", five_seeds).code in (0, 3)
    for line in ("status --json", "constitution show", "export -f jsonl -o a.jsonl", "--help"):
        ended = solon_process(*line.split(), stdout=unread, stderr=subprocess.PIPE)
        notes = [said.split(" ")[0] for said in ended.stderr.splitlines()]
        assert (ended.returncode, notes) == (0, ["note:", "note:"] if line.startswith("export") else []), line
    assert (folder / "a.jsonl").exists()


def test_streams_that_are_closed(solon: Cli, five_seeds: Path) -> None:
    assert solon("run", "preference", "--seeds", five_seeds).code in (0, 3)
    for closed in (">&-", "<&- >&- 2>&-"):
        shell = f'exec "{sys.executable}" -m solon status {closed}'
        ended = subprocess.run(["sh", "-c", shell], check=False, capture_output=True, text=True)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", ""), closed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_the_disk_has_no_room_for(folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = solon_process("constitution", "show", stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: standard output: No space left on device\n  -> ")
    assert "Traceback" not in ended.stderr
