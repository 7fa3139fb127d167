"""The trial on recorded people with a scripted fake: plumbing, no rate of any model."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.evidence import DATA, Evidence, draw_pairs


@pytest.mark.skipif(not (DATA / "pandalm.jsonl").is_file(), reason="needs the recorded data")
def test_the_trial_tells_what_people_answered_and_what_was_true(tmp_path: Path) -> None:
    rows = draw_pairs(24)
    trial = Evidence(f"sqlite:///{tmp_path / 'trial.db'}", "scripted:default", 0.2, rows)
    found = trial.run(tmp_path)
    assert found["items"] == found["pairs"] == 24
    assert found["pilot"]["n"] == 24 // 4
    assert found["look"]["sample"] == 24 // 4
    assert found["look"]["threshold"] is None  # six decisions certify nothing
    assert found["certified"]["n"] == found["minutes_saved"] == 0
    assert found["panel_on_what_people_answered"]["n"] == 24
    assert found["all_records"]["agree"] == 1.0
    assert found["release"]["verified"]
    assert (
        trial.run(tmp_path / "again")["panel_on_what_people_answered"]
        == (found["panel_on_what_people_answered"])
    )


@pytest.mark.skipif(not (DATA / "pandalm.jsonl").is_file(), reason="needs the recorded data")
def test_recorded_judges_are_brought_along_and_no_model_is_asked(tmp_path: Path) -> None:
    trial = Evidence(f"sqlite:///{tmp_path / 'trial.db'}", "", 0.2, draw_pairs(24))
    found = trial.run(tmp_path)
    asked, certified = found["pilot"]["n"], found["certified"]["n"]
    assert 6 <= asked < 24
    assert 0 < certified <= 24 - asked  # of what the panel calls a tie there is no pair
    assert found["panel_on_what_people_answered"]["n"] >= asked  # and audits of what the panel decided
    assert found["minutes_saved"] == certified
    with trial.project() as project:
        assert project.summarize().model_calls == 0
