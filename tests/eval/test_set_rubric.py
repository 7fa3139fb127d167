"""The data set by a rubric: figures that are known elsewhere, each with its n, in report and card."""

from __future__ import annotations

from pathlib import Path

import pytest

from solon import Project
from solon.eval import set_rubric
from solon.eval.material import gather
from solon.eval.report.markdown import render_markdown
from solon.eval.report.page import render_page
from solon.eval.report.report import build_report
from solon.eval.set_rubric import judge_set
from solon.eval.suites import duplicates

NAMES = ["originality", "diversity", "quality control", "documentation"]


def test_report_and_card_tell_what_the_suites_find(tmp_path: Path) -> None:
    config = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "never"}}
    seeds = [
        {"prompt": f"Explain {word} to a child.", "lang": "en", "licence": "CC0-1.0" if n else None}
        for n, word in enumerate(("herons", "rivers", "boats", "bridges", "rain", "snow"))
    ]
    with Project(f"sqlite:///{tmp_path / 's.db'}", config=config) as project:
        project.run("preference", seeds)
        material = gather(project.store)
        found = judge_set(material)
        assert [one.name for one in found.criteria] == NAMES
        originality, _, control, documents = found.criteria
        assert originality.measures[0].figure == duplicates.evaluate(material).exact_prompts
        stated = {one.name.rsplit(" ", 1)[-1]: one.figure.value for one in documents.measures}
        assert stated == {"language": 1.0, "licence": 5 / 6, "source": 0.0, "consent": 0.0}
        assert [one.spell() for one in control.measures][1:3] == [
            "100.0% (of all 6)",
            "not known (no expert answered blind what a panel had judged so, n = 0)",
        ]
        report = build_report(material)
        assert report.set_rubric == found
        assert "DataRubrics" in render_page(report)
        assert render_markdown(report).count("records whose seed states its licence 83.3%") == 1
        project.export("trl-sft", tmp_path / "set", folder=True)
    card = (tmp_path / "set" / "README.md").read_text()
    assert "## By a rubric" in card
    assert "records whose seed states its licence 83.3% \\(of all 6\\)" in card


def test_a_large_set_is_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "never"}}
    monkeypatch.setattr(set_rubric, "READ", 5)
    with Project(f"sqlite:///{tmp_path / 's.db'}", config=config) as project:
        project.run("preference", [f"Explain thing number {n} to a child." for n in range(8)])
        originality, diversity, *_ = judge_set(gather(project.store)).criteria
        sampled = judge_set(gather(project.store, limit=6)).criteria
    assert not any(measure.counted for one in sampled for measure in one.measures)
    assert sampled[3].measures[0].spell() == "0.0% (0.0% to 45.9%; n = 6)"
    assert [one.figure.n for one in diversity.measures] == [5, 5, 5, 5]
    assert originality.measures[0].figure.n > 5
