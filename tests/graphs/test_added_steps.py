"""Steps that a configuration adds to recipes (a resolver, a drafted rubric): a run has those that it was begun with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from solon.config import parse_config
from solon.graphs.versions import graph_version, outdated_threads
from solon.project import Project
from solon.recipes.registry import Recipes
from tests.graphs.conftest import BASE, Desk, merge
from tests.graphs.test_resume import forget_checkpoints

DRAFTED = {"law": {"seed_rubrics": "drafted"}}
HEARD = {"resolver": {"scope": "all"}}
ALWAYS = {"routing": {"policy": "always"}, "label": {"labels": ["bird", "fish"]}}


def answer(question: Any) -> Any:
    if question.schema_name == "DraftedRubric":
        return {"criteria": [{"text": "Is right.", "weight": 1}, {"text": "Is kind.", "weight": 1}]}
    return None


@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
@pytest.mark.parametrize(
    ("begun", "today"),
    [(DRAFTED, {}), ({}, DRAFTED), (HEARD, {}), ({}, HEARD)],
    ids=["drafted-off", "off-drafted", "heard-off", "off-heard"],
)
def test_a_run_keeps_the_steps_that_it_was_begun_with(
    make_desk: Callable[..., Desk], begun: dict[str, Any], today: dict[str, Any], lost: bool
) -> None:
    recipe = "preference" if DRAFTED in (begun, today) else "label-panel"
    desk = make_desk(answer=answer, **ALWAYS, **begun)
    assert desk.project.run(recipe, ["A flying fish."]).pending_review == 1
    if lost:
        forget_checkpoints(desk)
    desk.close()
    desk.settings = merge(merge(BASE, ALWAYS), today)
    desk._project = project = Project(desk.url, config=desk.settings, models={"default": desk.chat})
    assert outdated_threads(project.store, project.recipes) == 0
    if begun is DRAFTED:
        project.decide(project.reviews()[0], "go_on")
        assert project.resume().pending_review == 1
    (review,) = project.reviews()
    project.decide(review, review.choices[0], review.candidates[0], rationale="It is right.")
    assert project.resume().accepted == 1
    own = Recipes(parse_config(desk.settings)).of_run(recipe, {}, config=parse_config(begun))
    assert [row["graph_version"] for row in desk.rows("Item")] == [graph_version(own)[0]]
