"""Accepted answers scored by another judge. Scripted models: no model stands behind a score here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon.cli.app import run_command
from solon.errors import LimitReached, UsageError
from solon.eval import registry
from solon.eval.material import gather
from solon.eval.scoring import Scores, score_records
from solon.project import Project
from solon.sync import run_sync

CONFIG: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default"}, "other": {"model": "openai:other"}},
    "routing": {"policy": "never", "audit_share": 0},
}


@pytest.fixture
def project(tmp_path: Path) -> Any:
    with Project(f"sqlite:///{tmp_path / 'store.db'}", config=CONFIG) as made:
        assert made.run("preference", ["Why is the sky blue?", "Name three uses of vinegar."]).accepted == 2
        yield made


def scored(project: Project, judge: str, **options: Any) -> Scores:
    from solon.agents.models.scripted import ScriptedChat

    models = {"other": ScriptedChat(name="default", script={"otherwise": "default"})}
    work = score_records(gather(project.store), project.config, judge, models=models, **options)
    return run_sync(work)


def test_another_judge_scores_both_answers_by_criterion(project: Project) -> None:
    before = project.trace(project.records()[0].id)["calls"]
    found = scored(project, "other")
    assert (found.n, found.unscored, found.judge) == (2, 0, "openai:other")
    assert found.producers == ("scripted:default",)
    assert found.overall.value is not None
    assert 1 <= found.overall.value <= 5
    assert found.gap.n == 2
    assert set(found.criteria) == set(project.rubric().ids())
    # What was asked about a record afterwards stands in no lineage, and is not asked twice.
    assert project.trace(project.records()[0].id)["calls"] == before
    assert scored(project, "other", max_calls=1) == found


def test_a_model_does_not_score_its_own_family_unless_told_to(project: Project) -> None:
    with pytest.raises(UsageError, match="its own family wrote"):
        scored(project, "default")
    assert scored(project, "default", own_family=True).n == 2
    with pytest.raises(UsageError, match="has no 'strong'"):
        scored(project, "strong")


def test_the_family_is_that_of_the_configuration_where_it_states_one(project: Project) -> None:
    models = project.config.models
    kin = models["other"].model_copy(update={"family": "Default"})
    project.config = project.config.model_copy(update={"models": {**models, "other": kin}})
    with pytest.raises(UsageError, match="its own family wrote"):
        scored(project, "other")
    own = models["default"].model_copy(update={"family": "another"})
    project.config = project.config.model_copy(update={"models": {"default": own, "other": kin}})
    assert scored(project, "other").n == 2


def test_it_is_a_suite_like_the_others(project: Project) -> None:
    assert "scores" in registry.suite_names()
    suite = registry.find_suite("scores")
    with pytest.raises(UsageError, match="its own family wrote"):
        suite(gather(project.store))


def test_calls_are_bounded(project: Project) -> None:
    with pytest.raises(LimitReached, match="max-calls 1"):
        scored(project, "other", max_calls=1)
    assert scored(project, "other").n == 2


def test_command(project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "solon.toml"
    file.write_text('[models.default]\nmodel = "scripted:default"\n', encoding="utf-8")
    given = ["--store", project.store.url, "--config", str(file)]
    assert run_command(["eval", "scores", *given]) == 2
    assert "--own-family" in capsys.readouterr().err
    assert run_command(["eval", "scores", "--own-family", "--json", *given]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["n"] == 2
