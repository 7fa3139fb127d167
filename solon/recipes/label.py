"""Recipe `label`: a person says which of a closed set of labels a text gets, or fills in a form of one's own."""

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
