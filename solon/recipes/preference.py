"""Recipes of pairs, one answer chosen and one rejected: `preference` asks a panel first; in `preference-expert` people
rank several answers, or write one."""

from solon.recipes.makers import Answer
from solon.recipes.pairings import Configured
from solon.recipes.questions import Pair, Ranking
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
PREFERENCE_EXPERT = Recipe(
    name="preference-expert",
    record="preference",
    source=Seeds(),
    maker=Answer(),
    question=Ranking(),
    steps=("draft", "review"),
)
