"""Recipe `instruction-schema`: an expert's task schemas become requests, and code verifies their answers."""

from solon.recipes.questions import Accept
from solon.recipes.recipe import Recipe
from solon.recipes.task_schemas import VERIFY, Fill, Schemas, SchemaSettings

INSTRUCTION_SCHEMA = Recipe(
    name="instruction-schema",
    record="instruction",
    source=Schemas(),
    maker=Fill(),
    question=Accept(),
    steps=("draft", VERIFY, "critique", "judge", "review"),
    settings=SchemaSettings,
)
