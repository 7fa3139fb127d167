"""Recipe `preference`: a seed's request becomes a pair of answers, one chosen and one rejected."""

from solon.recipes.makers import Answer
from solon.recipes.pairings import Configured
from solon.recipes.questions import Pair
from solon.recipes.recipe import Recipe
from solon.recipes.sources import Seeds

PREFERENCE = Recipe(
    name="preference",
    record="preference",
    source=Seeds(),
    maker=Answer(),
    question=Pair(),
    pairing=Configured(),
    steps=("draft", "critique", "revise", "judge", "resolve", "review"),
)
