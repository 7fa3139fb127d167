"""Recipes: which records are made of seeds, as values of parts. Must never import langgraph, the store or graphs, so
that no part sees them.

    from solon.recipes import Answer, Pair, Recipe
    MINE = Recipe("mine", record="preference", maker=Answer(), question=Pair())

A recipe is found by its name, see `solon.recipes.registry`: some are shipped, others come from `[recipes.NAME]` of the
configuration, from installed packages (entry points of the group `solon.recipes`) or from `Project(recipes=[...])`.
"""

from solon.agents.drafts import Draft
from solon.agents.judge import Verdict
from solon.agents.outputs import Finding
from solon.recipes.curating import Curated, CurateSettings, Written
from solon.recipes.eliciting import Elicit, Free, FreeSettings
from solon.recipes.evolving import Evolve, EvolveSettings
from solon.recipes.makers import Answer, Backtranslate, Contrasted, Converse, Given, Instruct, Maker, Mark
from solon.recipes.pairings import (
    BestSecond,
    BestWorst,
    Contender,
    Contrast,
    DraftRevision,
    Pairing,
    Proposal,
    RevisionDraft,
    Sweet,
)
from solon.recipes.questions import Accept, Choice, Curate, Dialogue, Pair, Question, Ranking, Spans
from solon.recipes.recipe import STEPS, Recipe
from solon.recipes.sources import Confirmed, Documents, Generations, Pool, Seeds, Source
from solon.recipes.steps import Ask, Redraft, Reject, Step, StepItem
from solon.recipes.task_schemas import VERIFY, Fill, Schemas, SchemaSettings

__all__ = [
    "STEPS",
    "VERIFY",
    "Accept",
    "Answer",
    "Ask",
    "Backtranslate",
    "BestSecond",
    "BestWorst",
    "Choice",
    "Confirmed",
    "Contender",
    "Contrast",
    "Contrasted",
    "Converse",
    "Curate",
    "CurateSettings",
    "Curated",
    "Dialogue",
    "Documents",
    "Draft",
    "DraftRevision",
    "Elicit",
    "Evolve",
    "EvolveSettings",
    "Fill",
    "Finding",
    "Free",
    "FreeSettings",
    "Generations",
    "Given",
    "Instruct",
    "Maker",
    "Mark",
    "Pair",
    "Pairing",
    "Pool",
    "Proposal",
    "Question",
    "Ranking",
    "Recipe",
    "Redraft",
    "Reject",
    "RevisionDraft",
    "SchemaSettings",
    "Schemas",
    "Seeds",
    "Source",
    "Spans",
    "Step",
    "StepItem",
    "Sweet",
    "Verdict",
    "Written",
]
