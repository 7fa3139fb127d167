"""Recipes of labels: a text gets one of a closed set. `label` asks people, also for a form of one's own; `label-panel`
asks a panel of rules, a classifier and models first."""

from solon.recipes.makers import Given
from solon.recipes.questions import Choice
from solon.recipes.recipe import Recipe
from solon.recipes.sources import Seeds

LABEL = Recipe(
    name="label",
    record="label",
    source=Seeds(most_given=1),
    maker=Given(),
    question=Choice(),
    steps=("draft", "review"),
    resumes=("5b7f73ea4b188b1b",),
)
LABEL_PANEL = Recipe(
    name="label-panel",
    record="label",
    source=Seeds(most_given=1),
    maker=Given(),
    question=Choice(),
    steps=("draft", "judge", "review"),
)
