"""Recipe `instruction-evolve`: requests are evolved by operators, generation after generation, with their answers."""

from solon.recipes.evolving import Evolve, EvolveSettings
from solon.recipes.questions import Accept
from solon.recipes.recipe import Recipe
from solon.recipes.sources import Generations

INSTRUCTION_EVOLVE = Recipe(
    name="instruction-evolve",
    record="instruction",
    source=Generations(),
    maker=Evolve(),
    question=Accept(),
    steps=("draft", "critique", "revise", "judge", "review"),
    settings=EvolveSettings,
)
