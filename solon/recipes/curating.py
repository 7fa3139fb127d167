"""Experts' own instructions: the source that wants an answer with each request, and the maker that tells agents
what they are to be like, and says where an answer is hard to read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from solon.agents.outputs import Finding
from solon.formats.seed_rows import RowProblem, SeedRow
from solon.languages import find_language
from solon.recipes.makers import Given
from solon.recipes.sources import Seeds
from solon.words import measure_readability

if TYPE_CHECKING:
    from solon.agents.case import Case

Words = Annotated[str, Field(min_length=1, max_length=2000)]


class TaskExample(BaseModel):
    """An instruction as an example of a task.

    Attributes:
        prompt: its request.
        answer: its answer.
        why: what makes it a good one, or a bad one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: Words
    answer: Words
    why: str = Field("", max_length=2000)


class CurateSettings(BaseModel):
    """The keys of `[recipes.instruction-curate]`: the schema of the task that the instructions are of, and a bound on
    how hard answers may be to read.

    Source of the schema: Wang et al. 2022, "Super-NaturalInstructions: Generalization via Declarative Instructions on
    1600+ NLP Tasks", section 3.

    Attributes:
        definition: what the task is, in words; empty: nothing is said of it.
        positive: instructions as they should be.
        negative: instructions as they should not be.
        readability: the Flesch reading ease (100 very easy, 0 very hard) below which an English answer of ten words or
            more is said to be hard to read; None: none is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    definition: str = Field("", max_length=4000)
    positive: tuple[TaskExample, ...] = Field((), max_length=10)
    negative: tuple[TaskExample, ...] = Field((), max_length=10)
    readability: float | None = Field(None, le=100)

    def tell(self) -> str:
        """The schema as agents read it."""
        parts = [f"Each request with its answer is an instruction of this task: {self.definition}"]
        for told, examples in (("should be", self.positive), ("should not be", self.negative)):
            parts += [
                f"One as it {told}:\nRequest: {one.prompt}\nAnswer: {one.answer}"
                + (f"\nWhy: {one.why}" if one.why else "")
                for one in examples
            ]
        return "\n\n".join(parts if self.definition else parts[1:])


@dataclass(frozen=True)
class Written(Seeds):
    """One seed for each row, which has a request with the one answer that a person wrote to it."""

    most_given: int | None = 1

    def seeds(self, row: SeedRow) -> Iterable[SeedRow]:
        """The row itself.

        Raises:
            RowProblem: it has no answer.
        """
        if not row.responses:
            raise RowProblem('responses: the answer is missing; an instruction has one: [{"text": "..."}]')
        return (row,)


@dataclass(frozen=True)
class Curated(Given):
    """The answer that came with the request."""

    def brief(self, settings: BaseModel | None) -> str:
        """The schema of the task."""
        return settings.tell() if isinstance(settings, CurateSettings) else ""

    def notice(self, case: Case, answer: str, *, own_task: bool) -> list[Finding]:
        """That an English answer is harder to read than `readability` allows."""
        least = case.settings.readability if isinstance(case.settings, CurateSettings) else None
        language = find_language(answer) if least is not None else ()
        ease = measure_readability(answer) if not language or "en" in language else None
        if least is None or ease is None or ease >= least:
            return []
        told = f"It is hard to read (reading ease {ease:.0f}, wanted {least:g}): shorter sentences and words."
        return [Finding(principle="", quote="", severity="minor", suggestion=told)]
