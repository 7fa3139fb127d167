"""A store, its checkpoints, configuration, export and release as an earlier Solon left them go on under this one.

`made_before/0.1.0.tar.xz` was made by version 0.1.0 before its modules moved: eight seeds, three of them accepted, five
that wait for a person, one decision that no worker has carried to its item yet, an expert, and a sealed release.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from solon.cli import main
from solon.operations.backup import CHECKPOINTS, STORE
from solon.project import Project

MADE = Path(__file__).parent / "made_before" / "0.1.0.tar.xz"
pytestmark = pytest.mark.sqlite("the store is a file")


@pytest.fixture
def untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as it was left, and the working folder of the test."""
    with tarfile.open(MADE) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOLON_STORE", raising=False)
    return tmp_path


@pytest.fixture
def left(untouched: Path) -> Path:
    """The same, once its store was brought to the present schema."""
    assert main(["doctor", "--migrate"]) == 0
    return untouched


def test_that_it_is_older_is_said_once(untouched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.count("the store has schema 0013") == 1


def test_it_opens_and_the_decision_on_its_way_arrives(left: Path) -> None:
    with Project() as project:
        before = project.summarize()
        assert (before.items, before.accepted, before.pending_review, before.decisions_to_apply) == (
            8,
            3,
            5,
            1,
        )
        after = project.resume()
    assert (after.accepted, after.pending_review, after.decisions_to_apply) == (4, 4, 0)
    assert after.model_calls == before.model_calls, "what was answered before is not asked again"


def test_what_waits_is_answered_and_ends(left: Path) -> None:
    with Project() as project:
        project.resume()
        for review in project.reviews():
            project.decide(review, "prefer", review.candidates[0], rationale="It says what was asked.")
        ended = project.resume()
    assert (ended.accepted, ended.pending_review) == (8, 0)


def test_its_records_are_exported_as_they_were(left: Path) -> None:
    assert main(["export", "--format", "jsonl", "--output", "again.jsonl"]) == 0
    told, found = (
        {
            row["id"]: (row["prompt"], row["chosen"], row["rejected"])
            for row in map(json.loads, text.splitlines())
        }
        for text in ((left / "out.jsonl").read_text(), (left / "again.jsonl").read_text())
    )
    assert found == told
    again = map(json.loads, (left / "again.jsonl").read_text().splitlines())
    assert {row["shares"] for row in again} == {None}, "records of then kept none"


def test_its_release_is_verified(left: Path) -> None:
    assert main(["release", "verify", "release"]) == 0


def test_a_backup_of_it_is_put_back(untouched: Path) -> None:
    """A backup outlives the schema of its store, which is brought to the present one afterwards."""
    made = untouched / "saved"
    made.mkdir()
    for name, kept in (("solon.db", STORE), ("solon.checkpoints.db", CHECKPOINTS)):
        shutil.move(name, made / kept)
    told = {"database": "sqlite", "schema": "0013", "version": "0.1.0", "made_at": "", "bytes": 0}
    hashes = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in made.iterdir()}
    (made / "manifest.json").write_text(json.dumps({**told, "files": hashes}))
    assert main(["restore", "saved"]) == 1
    assert main(["doctor", "--migrate"]) == 0
    with Project() as project:
        assert project.resume().accepted == 4
