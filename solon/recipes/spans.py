"""The recipe of spans: models mark a text, their readings are merged, and people decide where they differ."""

from solon.recipes.makers import Mark
from solon.recipes.questions import Spans
from solon.recipes.recipe import Recipe
from solon.recipes.sources import Confirmed

LABEL_SPANS = Recipe(
    name="label-spans",
    record="spans",
    source=Confirmed(),
    maker=Mark(),
    question=Spans(),
    steps=("draft", "judge", "review"),
)
