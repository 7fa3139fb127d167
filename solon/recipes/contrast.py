"""Recipe `preference-contrast`: an answer that follows a principle and one that breaks it become a pair."""

from solon.recipes.makers import Contrasted
from solon.recipes.pairings import Contrast
from solon.recipes.questions import Pair
from solon.recipes.recipe import Recipe
from solon.recipes.sources import Seeds

PREFERENCE_CONTRAST = Recipe(
    name="preference-contrast",
    record="preference",
    source=Seeds(most_given=0),
    maker=Contrasted(),
    question=Pair(),
    pairing=Contrast(),
    steps=("draft", "judge", "resolve", "review"),
)
