"""A process is killed at some of its seams, and the store is then as if nothing had been; `make chaos` takes all."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.sqlite("the processes that die keep their stores in files")
def test_killed_at_some_seams() -> None:
    command = [sys.executable, "-m", "benchmarks.seams", "--scenarios", "resume", "--every", "9"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr[-3000:]
    (told,) = json.loads(ended.stdout)["scenarios"]
    assert told["seams"] >= 10
    assert told["reached"] >= 2
    assert told["wrong"] == 0
