"""Recipe `instruction-curate`: experts' own instructions are checked, and experts decide, with a fix beside each."""

from solon.recipes.curating import Curated, CurateSettings, Written
from solon.recipes.pairings import Proposal
from solon.recipes.questions import Curate
from solon.recipes.recipe import Recipe

INSTRUCTION_CURATE = Recipe(
    name="instruction-curate",
    record="instruction",
    source=Written(),
    maker=Curated(),
    question=Curate(),
    pairing=Proposal(),
    steps=("draft", "critique", "revise", "judge", "review"),
    settings=CurateSettings,
)
