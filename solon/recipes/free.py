"""Recipe `instruction-free`: a model writes what a user would ask, without any example, and the answer to it."""

from solon.recipes.eliciting import Elicit, Free, FreeSettings
from solon.recipes.questions import Accept
from solon.recipes.recipe import Recipe

INSTRUCTION_FREE = Recipe(
    name="instruction-free",
    record="instruction",
    source=Free(),
    maker=Elicit(),
    question=Accept(),
    steps=("draft", "critique", "revise", "judge", "review"),
    settings=FreeSettings,
)
