"""A certificate speaks of its panel: it is suspended where another model answered in the place of a judge's."""

from __future__ import annotations

from pathlib import Path

from pilots import answer_all, make_project, query, seeds

from solon.agents.models.scripted import Question, ScriptedChat
from solon.errors import ModelUnavailable
from solon.project import Project
from solon.store.runs.certificates import certificate_of
from solon.store.runs.runs import find_run

FIGURES = "SELECT suspended_at IS NULL, figures FROM certificates WHERE status = 'granted'"


def away(question: Question) -> ModelUnavailable | None:
    """A server that does not answer judges."""
    return ModelUnavailable("HTTP 503") if question.role == "judge" else None


def test_an_answer_of_another_model_suspends_the_certificate_and_is_under_none(tmp_path: Path) -> None:
    with make_project(tmp_path) as project:
        project.run("preference", seeds(160))
        answer_all(project, "pilot", right=1.0)
        assert project.learn().granted
        config, url = project.config.everything(), str(project.store.engine.url)
    default = {**config["models"]["default"], "fallback": "spare"}
    config["models"] = {"default": default, "spare": {"model": "scripted:spare"}}
    models = {"default": ScriptedChat(respond=away), "spare": ScriptedChat(name="spare")}
    with Project(url, config=config, models=models) as project:
        project.store.key = "5a" * 32
        project.run("preference", seeds(160), new_run=True)
        with project.store.connect() as connection:
            run = find_run(connection)
            assert certificate_of(connection, run) is None
        [(in_force, figures)] = query(project, FIGURES)
        assert not in_force
        assert "scripted:spare stood in for scripted:default" in str(figures)
        new = f"SELECT certificate_id FROM records WHERE run_id = '{run.id}'"
        assert {covered for (covered,) in query(project, new)} == {None}
