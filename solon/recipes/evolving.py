"""The maker that evolves requests by operators, and what it draws for each of them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from solon.agents import generator
from solon.agents.drafts import Draft
from solon.agents.tasks import find_refusal
from solon.recipes.makers import Instruct, refuse_functions
from solon.recipes.personas import Personas, draw_line
from solon.words import find_words

if TYPE_CHECKING:
    from solon.agents.case import Case
    from solon.config import Config

EVOLVE = "evolve"
"""The name under which the draws of an evolved request are kept."""
UNCHANGED, BEGS, REFUSAL = "unchanged", "begs_the_question", "refusal"
"""Why an evolved request is dropped, as its draft is kept."""
Operator = Literal["deepen", "broaden", "concretise", "reason", "breadth"]
OPERATORS: dict[Operator, str] = {
    "deepen": "asks the same more deeply, so that a good answer takes more knowledge of the matter",
    "broaden": "asks the same and adds one more requirement or condition that the answer must meet",
    "concretise": "asks the same of one particular case, with concrete names, numbers or circumstances in place of "
    "general words",
    "reason": "asks about the same matter in a way that takes several steps of reasoning",
    "breadth": "is of the same domain and about as hard, but about another and rarer matter, and unlike all tasks that "
    "are there already",
}
"""An operator -> what the new request does."""
LONG_ANSWER = 6
"""An answer of fewer words stands in a request by chance, as one of several choices does."""
Word = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\r\n]+$")]


class EvolveSettings(BaseModel):
    """The keys of `[recipes.instruction-evolve]`; a recipe of one's own may derive its settings from them.

    Attributes:
        operators: they are taken in turn, from one drawn for the item.
        personas: one is drawn for each item, see `solon.recipes.personas`.
        attributes: a name -> values, of which each request is asked to have one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    operators: tuple[Operator, ...] = tuple(OPERATORS)
    personas: Personas = None
    attributes: dict[Word, tuple[Word, ...]] = {}

    @field_validator("operators")
    @classmethod
    def _each_once(cls, operators: tuple[Operator, ...]) -> tuple[Operator, ...]:
        if not operators or len({*operators}) < len(operators):
            raise ValueError("name one operator or more, each once")
        return operators

    @field_validator("attributes")
    @classmethod
    def _can_differ(cls, attributes: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, values in attributes.items():
            if len({*values}) < max(2, len(values)):
                raise ValueError(f"{name} needs two values or more, each once")
        return attributes


@dataclass(frozen=True)
class Evolve(Instruct):
    """A request made out of the latest of its seed by an operator, with its response. A request that is no other than
    the one that it was made of, that holds its own answer, or whose answer declines is dropped, and drafted again by
    the next operator.

    Source: Xu et al. 2023, "WizardLM: Empowering Large Language Models to Follow Complex Instructions" (Evol-Instruct),
    section 3; attributes: Yu et al. 2023, "Large Language Model as Attributed Training Data Generator" (AttrPrompt).
    """

    template: ClassVar[str] = "generator.evolve"
    templates: ClassVar[frozenset[str]] = frozenset({"generator.evolve"})

    def count(self, config: Config) -> int:
        """One candidate a round.

        Raises:
            ConfigError: functions are to draft.
        """
        refuse_functions(
            config, "write tasks of their own, and evolve none", "leave it out, or run the recipe instruction"
        )
        return 1

    async def make(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """The request that an operator makes of its origin, with its response."""
        settings = case.settings if isinstance(case.settings, EvolveSettings) else EvolveSettings()
        drawn = case.keep(EVOLVE, lambda: _draw(case, settings, round), given=settings.model_dump_json())
        return await generator.evolve(
            case,
            index,
            operation=OPERATORS[drawn["operator"]],
            person=drawn.get("persona", ""),
            attributes=drawn.get("attributes", {}),
            round=round,
            guidance=guidance,
            findings=findings,
        )

    def refuse(self, case: Case, draft: Draft) -> str:
        """`unchanged`, `begs_the_question` or `refusal`, or why the new request does not stand by itself."""
        asked, answered = find_words(draft.prompt), find_words(draft.text)
        origin = case.origin
        if asked + find_words(draft.input) == find_words(origin.prompt) + find_words(origin.input):
            return UNCHANGED
        if len(answered) >= LONG_ANSWER and f" {' '.join(answered)} " in f" {' '.join(asked)} ":
            return BEGS
        return REFUSAL if find_refusal(draft.text) else super().refuse(case, draft)


def _draw(case: Case, settings: EvolveSettings, round: int) -> dict[str, Any]:
    """What the request of a round is asked to be; the person stays the same in all of them."""
    operators = settings.operators
    drawn: dict[str, Any] = {"operator": operators[(case.draw("operator") + round) % len(operators)]}
    if settings.personas is not None:
        drawn["persona"] = draw_line(settings.personas, case.draw("persona"))
    if settings.attributes:
        draw = random.Random(case.draw("attributes", round))
        drawn["attributes"] = {
            name: draw_thin(values, case.covered.get(name, {}), draw)
            for name, values in settings.attributes.items()
        }
    return drawn


def draw_thin(values: Sequence[str], covered: Mapping[str, int], draw: random.Random) -> str:
    """One of the values, with a chance that grows by what it has less than the mean has and one more.

    Args:
        covered: value -> how many records there are of it.
    """
    counts = [covered.get(value, 0) for value in values]
    wanted = sum(counts) / len(values) + 1
    return draw.choices(values, [max(0.0, wanted - count) for count in counts])[0]
