"""The measurements run and count the work that they say they do. No times are asserted: they belong to the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import server
from benchmarks.run import _contender, _server


@pytest.mark.parametrize("what", ["raw", "solon", "resumes"])
def test_a_contender_does_the_whole_work(what: str) -> None:
    """Each checks its own rows and calls, and fails where one is missing."""
    with _server() as port:
        told = _contender(what, port, 8)
    assert (told["what"], told["rows"]) == (what, 8)
    assert told["cpu_ms_per_row"] > 0


def test_the_fake_judge_prefers_the_same_draft_in_both_orders() -> None:
    chat = server.Chat(iter(()), 0.0)
    asked = b'{"logprobs":true,"messages":"draft %s ... draft %s"}'
    assert chat._answer(asked % (b"0007", b"0003")) == server.PREFERS["A"]
    assert chat._answer(asked % (b"0003", b"0007")) == server.PREFERS["B"]


def test_one_json_object_is_the_last_line(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    command = [sys.executable, "-m", "benchmarks.run", "--only", "server", "--rows", "32", "--repeats", "1"]
    ended = subprocess.run([*command, "-o", str(file)], capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["server"]["rows_per_s"] > 0
    assert json.loads(file.read_text()) == found
