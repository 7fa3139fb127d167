"""Recipe `instruction`: a seed becomes a new instruction with its response, scored on the rubric."""

from solon.recipes.makers import Instruct
from solon.recipes.questions import Accept
from solon.recipes.recipe import Recipe
from solon.recipes.sources import Seeds

INSTRUCTION = Recipe(
    name="instruction",
    record="instruction",
    source=Seeds(most_given=1),
    maker=Instruct(),
    question=Accept(),
    steps=("draft", "critique", "revise", "judge", "review"),
)
