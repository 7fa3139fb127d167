"""`solon worker` applies what servers with `--no-work` stored, and `solon status` says that it waits."""

from __future__ import annotations

from typing import Any

import pytest

from solon.cli.app import run_command
from solon.project import Project
from solon.store.reviewing import queue
from solon.store.reviewing.answering import answer_lease


def test_the_worker_applies_what_waits(
    project: Project, person: Any, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    (tmp_path / "solon.toml").write_text('[models.default]\nmodel = "scripted:split"\n')
    ada = person("Ada")[0]
    with project.store.transaction() as connection:
        found = queue.lease_next(connection, ada)
        assert found is not None
        lease, review = found
        given = {"choice": "prefer", "candidate": review.candidates[0], "rationale": "r"}
        answer_lease(
            project.store, connection, ada, lease.token, given, review_id=review.id, channel="api", times={}
        )
    at = ["--store", project.store.url, "--config", str(tmp_path / "solon.toml")]
    run_command(["status", *at])
    told = capsys.readouterr()
    assert "1 decisions wait for a worker" in told.out + told.err
    assert run_command(["worker", "--once", "--seconds", "0.1", *at]) == 0
    assert "0 decisions to apply" in capsys.readouterr().err
    assert project.summarize().accepted == 1
