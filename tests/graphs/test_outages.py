"""A whole run through an outage: nothing is parked, the log tells of it, and another model's answers are its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from solon.agents.models.scripted import ScriptedChat
from solon.errors import ModelUnavailable, StoreError
from solon.graphs.runner import Runner
from solon.project import Project

Make = Callable[..., Any]
SEEDS = [f"Explain thing number {i}." for i in range(4)]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("models.gate.FIRST_PAUSE", "models.gate.LONGEST_PAUSE", "calls.FIRST_PAUSE"):
        monkeypatch.setattr(f"solon.agents.{place}", 0.01)


def test_a_run_waits_and_goes_on(make_desk: Make) -> None:
    asked: list[Any] = []

    def away(question: Any) -> Any:
        asked.append(question)
        return ModelUnavailable("HTTP 503") if 20 < len(asked) <= 40 else None

    desk = make_desk(answer=away, run={"concurrency": 4, "patience": "10m"})
    summary = desk.project.run("preference", SEEDS)
    assert (summary.parked, summary.failed, summary.queued) == (0, 0, 0)
    kinds = [row["kind"] for row in desk.rows("Event") if row["kind"].startswith("run.")]
    assert kinds.count("run.waiting") == kinds.count("run.continued") > 0


def test_answers_of_another_model_are_recorded_as_its_own(make_desk: Make) -> None:
    settings = {"models": {"default": {"fallback": "spare"}, "spare": {"model": "scripted:spare"}}}
    desk = make_desk(answer=lambda q: ModelUnavailable("HTTP 503") if q.role == "judge" else None, **settings)
    given = {"default": desk.chat, "spare": ScriptedChat(name="spare")}
    with Project(desk.url, config=desk.settings, models=given) as project:
        project.run("preference", SEEDS[:2])
    assert {row["judge"] for row in desk.rows("Verdict")} == {"scripted:spare"}
    by_role = {(row["role"], row["model"]) for row in desk.rows("Call") if row["outcome"] == "ok"}
    assert {model for role, model in by_role if role == "generator"} == {"scripted:default"}
    assert {model for role, model in by_role if role == "judge"} == {"scripted:spare"}


def test_what_cannot_be_noted_ends_the_run(make_desk: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that could not be suspended would stand on another model's answers."""

    def fails(*_arguments: Any) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(Runner, "_suspend", fails)
    settings = {"models": {"default": {"fallback": "spare"}, "spare": {"model": "scripted:spare"}}}
    desk = make_desk(answer=lambda q: ModelUnavailable("HTTP 503") if q.role == "judge" else None, **settings)
    given = {"default": desk.chat, "spare": ScriptedChat(name="spare")}
    with (
        Project(desk.url, config=desk.settings, models=given) as project,
        pytest.raises(StoreError, match="disk is full"),
    ):
        project.run("preference", SEEDS)
