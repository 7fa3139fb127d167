"""The step in which a model drafts a rubric for a request that brings none; an expert corrects it before the judging.

What it drafts is what judges of pairs and single answers go by once a person has confirmed it; as it was drafted nobody
goes by it. After Gunjal et al. 2025, Rubrics as Rewards (arXiv 2507.17746), where strong models write the criteria of
each prompt, with the reference answer in sight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from solon.agents.calls import Ask as Call
from solon.errors import ConfigError
from solon.law.seed_rubrics import COLUMN, LONGEST, read_seed_rubric, seed_rubric_of
from solon.recipes.steps import Ask, Step, StepItem

if TYPE_CHECKING:
    from solon.config import Config

TEMPLATE = "legislator.rubric"
TRIES = 3
"""Drafts that a model is asked for until one can be used."""
MAX_TOKENS = 900
CRITERIA = 8
ASKED = "Are these the criteria of this request? Judges will go by them."


class DraftedCriterion(BaseModel):
    """One criterion as a model writes it."""

    text: Annotated[str, Field(max_length=LONGEST)]
    weight: Annotated[float, Field(gt=0, le=10)]


class DraftedRubric(BaseModel):
    """The criteria of one request as a model writes them."""

    criteria: Annotated[list[DraftedCriterion], Field(min_length=2, max_length=CRITERIA)]


async def draft_rubric(item: StepItem) -> Ask | None:
    """Ask a person for the rubric of the request, with a model's draft of it; None where the seed brought one.

    Raises:
        ConfigError: every judge is a function, and no model is there to draft.
    """
    if seed_rubric_of(item.metadata) is not None:
        return None
    problem = ""
    for sample in range(TRIES):
        drafted = await _draft(item, sample)
        try:
            if drafted is not None:
                _refuse_cut(drafted)
                rubric = read_seed_rubric([one.model_dump() for one in drafted.criteria])
                return Ask(ASKED, criteria=tuple(rubric.as_lines()))
            problem = "no answer"
        except ValueError as unreadable:
            problem = str(unreadable)
    asked = f"Write the criteria of this request; judges will go by them. No draft of {TRIES} was usable: {problem}."
    return Ask(asked, criteria=())


def _refuse_cut(drafted: DraftedRubric) -> None:
    """Raise ValueError where a criterion fills all the room that it has: a server that holds models to a schema ends it
    there, in the middle of a word."""
    for place, one in enumerate(drafted.criteria):
        if len(one.text) >= LONGEST:
            raise ValueError(f"{COLUMN}[{place}].text breaks off at {LONGEST} characters")


def drafting_model(config: Config) -> str:
    """The model that drafts rubrics, that of the first judge; empty where every judge is a function."""
    return next((seat.model for seat in config.judges if not seat.python), "")


async def _draft(item: StepItem, sample: int) -> DraftedRubric | None:
    case = item.case
    model = drafting_model(case.config)
    if not model:
        raise ConfigError(
            '[law] seed_rubrics = "drafted": every judge is a function, and no model is there to draft',
            next_step='name a model in [[judges]], or give the rubrics with the seeds: seed_rubrics = "given"',
        )
    call = Call(
        role="legislator",
        seat=f"rubric/{sample}",
        model=model,
        prompt=case.prompts[TEMPLATE].render(
            case.mark, prompt=item.prompt, input=item.input, reference=item.reference
        ),
        max_tokens=MAX_TOKENS,
        temperature=0.0 if sample == 0 else 0.7,
        seed=case.draw("legislator", "rubric", sample),
        sample=sample,
        schema=DraftedRubric,
    )
    _, parsed = await case.caller.parsed(call)
    return parsed if isinstance(parsed, DraftedRubric) else None


RUBRIC = Step("rubric", draft_rubric, reads=("prompt", "input", "reference", "metadata"), may=(Ask,))
"""Taken before the drafts in runs with `[law] seed_rubrics = "drafted"`."""
