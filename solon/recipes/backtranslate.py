"""Recipe `instruction-backtranslate`: a passage of a document becomes the answer to a request that is written for it,
or a question with an answer that quotes it."""

from solon.recipes.makers import Backtranslate
from solon.recipes.questions import Accept
from solon.recipes.recipe import Recipe
from solon.recipes.sources import ConfiguredDocuments

INSTRUCTION_BACKTRANSLATE = Recipe(
    name="instruction-backtranslate",
    record="instruction",
    source=ConfiguredDocuments(),
    maker=Backtranslate(),
    question=Accept(),
    steps=("draft", "critique", "judge", "review"),
)
