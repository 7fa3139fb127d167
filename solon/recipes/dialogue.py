"""Recipe `instruction-dialogue`: a seed is the first request of a user, whom a model plays on, and answers."""

from solon.recipes.makers import Converse
from solon.recipes.questions import Dialogue
from solon.recipes.recipe import Recipe
from solon.recipes.sources import Seeds

INSTRUCTION_DIALOGUE = Recipe(
    name="instruction-dialogue",
    record="instruction",
    source=Seeds(most_given=1),
    maker=Converse(),
    question=Dialogue(),
    steps=("draft", "critique", "judge", "review"),
)
