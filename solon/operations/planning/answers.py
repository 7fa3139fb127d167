"""What further questions cost the experts, in minutes of their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solon.consensus.target import read_target
from solon.operations.planning.assumed import Assumed
from solon.operations.planning.ranges import Range
from solon.store.runs.throughput import AnswerTime, answer_time

if TYPE_CHECKING:
    from solon.config import Config
    from solon.learning.growing import PilotGrowth
    from solon.recipes.recipe import Recipe
    from solon.store.database.store import Store
    from solon.workspace.workspace import Workspace

SECOND = 0.25
"""Part of a pilot that a second expert answers, where a promise speaks of a single one."""


def answers_a_question(target: str) -> float:
    """Return how many people answer a question of the pilot, on average."""
    experts = read_target(target).experts
    return 1.0 + SECOND if experts == 1 else float(experts)


def known_time(store: Store | None, config: Config, recipe: Recipe) -> AnswerTime:
    """Return what the store knows of the time that an answer takes; nothing without a store."""
    if store is None:
        return AnswerTime()
    with store.connect() as connection:
        return answer_time(connection, recipe.name, config.routing.review_seconds)


def minutes_of(store: Store, config: Config, recipe: Recipe, questions: int) -> Range:
    """Return the minutes that so many questions of a pilot take of all experts together, second answers included."""
    seconds = Assumed(config, recipe, None).review_seconds(known_time(store, config, recipe))
    return seconds.times(questions * answers_a_question(config.routing.target) / 60)


def minutes_of_growth(home: Workspace, grown: PilotGrowth) -> Range:
    """Return the minutes that the further questions of a run's pilot take of all experts together."""
    from solon.store.runs.runs import find_run

    with home.store.connect() as connection:
        run = find_run(connection, grown.run_id)
    config = home.config_of(run)
    return minutes_of(
        home.store,
        config,
        home.recipes.of_run(run.recipe, config.plugins, run.id, config),
        grown.asked,
    )
