"""Task schemas of experts: a request with slots, and constraints on its answer that code verifies. The source that
makes seeds of them, the maker that fills, answers and mends, and the step that stops what still breaks them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from solon.agents import filler
from solon.agents.drafts import Draft
from solon.constraints import stated_constraints
from solon.constraints.constraint import Constraint
from solon.constraints.ifeval import ARGUMENTS, IDS, check_columns
from solon.constraints.written import COLUMN, check_constraints, read_constraints
from solon.errors import NoAnswer
from solon.formats.seed_rows import RowProblem, SeedRow, read_cell
from solon.recipes.makers import Maker, refuse_functions
from solon.recipes.sources import Source
from solon.recipes.steps import Ask, Reject, Step, StepItem

if TYPE_CHECKING:
    from solon.agents.case import Case
    from solon.config import Config

SLOTS = "slots"
"""The column of a row that holds its slots: name -> the values that it takes, or what shall stand there, in words."""
FILLED = "filled"
"""The column of a seed that holds what stands in the slots that have lists; of a record, in all of them."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z]\w{0,39}$")]
Value = Annotated[str, Field(min_length=1, max_length=2000)]
Values = Annotated[tuple[Value, ...], Field(min_length=1, max_length=1000)]
_SLOTS = TypeAdapter(Annotated[dict[Name, Value | Values], Field(max_length=20)])


class SchemaSettings(BaseModel):
    """The keys of `[recipes.instruction-schema]`; a recipe of one's own may derive its settings from them.

    Attributes:
        told: the constraints of a row stand below its request, in English; false: its prompt says them itself.
        repairs: so often an answer that breaks a constraint is mended, at most.
        unmet: what becomes of one that still does: it is rejected, or a person is asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    told: bool = True
    repairs: int = Field(2, ge=0, le=10)
    unmet: Literal["reject", "ask"] = "reject"

    @classmethod
    def of(cls, case: Case) -> SchemaSettings:
        """Those of a case; as they come, where its recipe has others."""
        return case.settings if isinstance(case.settings, cls) else cls()


@dataclass(frozen=True)
class Schemas(Source):
    """The seeds of task schemas, one in each row: its request with one of the listed values in each slot that has some,
    as many combinations as there are and `each` allows, drawn by the row's id. They are one group, unless the row names
    one. Slots that are only described stay open.

    Attributes:
        each: the most seeds of a row.
        most_given: as of every source.
        expand: as of every source.
    """

    each: int = 10
    most_given: int | None = 0
    expand: int = 1

    def seeds(self, row: SeedRow) -> Iterable[SeedRow]:
        """One for each combination, `ROW#NUMBER`, or the row itself where no slot has a list.

        Raises:
            RowProblem: what stands in `slots` or `constraints` cannot be used.
        """
        row = _read_table(row)
        slots = read_slots(row)
        listed = {name: values for name, values in slots.items() if not isinstance(values, str)}
        if not listed:
            yield row
            return
        left = {name: told for name, told in slots.items() if name not in listed}
        for number, values in enumerate(_combinations(listed, self.each, row.id), start=1):
            prompt = fill(row.prompt, values)
            turns = (*row.messages[:-1], {**row.messages[-1], "content": prompt}) if row.messages else ()
            yield replace(
                row,
                id=f"{row.id}#{number}",
                prompt=prompt,
                messages=turns,
                group=row.group or row.id,
                metadata={**row.metadata, SLOTS: left, FILLED: values},
            )


def _read_table(row: SeedRow) -> SeedRow:
    """The row with the values of those columns that a table holds as JSON texts."""
    columns = (SLOTS, COLUMN, IDS, ARGUMENTS)
    read = {name: read_cell(row.metadata[name], name) for name in columns if name in row.metadata}
    return replace(row, metadata={**row.metadata, **read})


def read_slots(row: SeedRow) -> dict[str, str | tuple[str, ...]]:
    """The slots of a row; its constraints are checked, too.

    Raises:
        RowProblem: naming the key, the value seen and what is wrong with it.
    """
    try:
        if row.metadata.get(COLUMN) is not None:
            check_constraints(row.metadata[COLUMN])
        else:
            check_columns(row.metadata)
        slots = _SLOTS.validate_python(row.metadata.get(SLOTS) or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join([SLOTS, *(str(part) for part in first["loc"] if "[" not in str(part))])
        raise RowProblem(f"{place}: {first['msg']} (saw {first['input']!r:.80})") from None
    except ValueError as error:
        raise RowProblem(str(error)) from None
    if absent := [name for name in slots if f"{{{name}}}" not in row.prompt]:
        raise RowProblem(f"slots.{absent[0]}: {{{absent[0]}}} stands nowhere in the prompt")
    return slots


def fill(request: str, values: Mapping[str, str]) -> str:
    """The request with these values in their slots; what a value says in braces is no slot."""
    return re.sub(r"\{(\w+)\}", lambda slot: values.get(slot[1], slot[0]), request)


def _combinations(
    listed: Mapping[str, tuple[str, ...]], most: int, drawn_by: str
) -> Iterator[dict[str, str]]:
    """Combinations of values, all different: all of them in their order, or `most` drawn by a text."""
    total = prod(len(values) for values in listed.values())
    numbers: set[int] = set(range(total)) if total <= most else set()
    draw = random.Random(drawn_by)
    while len(numbers) < min(most, total):
        numbers.add(draw.randrange(total))
    for number in sorted(numbers):
        chosen = {}
        for name, values in listed.items():
            number, place = divmod(number, len(values))
            chosen[name] = values[place]
        yield chosen


@dataclass(frozen=True)
class Fill(Maker):
    """The request of a task schema with its slots filled, and an answer that is mended until it keeps the constraints,
    as often as `repairs` allows.

    Source of constraints that code can verify: Zhou et al. 2023, "Instruction-Following Evaluation for Large Language
    Models" (IFEval).
    """

    templates: ClassVar[frozenset[str]] = frozenset({"generator.slots"})

    def count(self, config: Config) -> int:
        """One candidate a round.

        Raises:
            ConfigError: functions are to draft.
        """
        refuse_functions(
            config,
            "draft answers, and slots are filled by models",
            "leave it out, or run the recipe instruction",
        )
        return 1

    def calls(self, config: Config) -> int:
        """Two: the slots that are open, and the answer."""
        return 2

    async def make(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """The filled request with its answer."""
        constraints = stated_constraints(case.metadata)
        request = await _write_request(case, constraints, guidance)
        form = read_constraints(case.metadata.get(COLUMN) or {}).json_form
        schema = form if isinstance(form, dict) else None
        personas = case.config.generator.personas
        text = await filler.answer(
            case,
            request,
            schema,
            persona=personas[index % len(personas)],
            guidance=guidance,
            findings=findings,
        )
        for _ in range(SchemaSettings.of(case).repairs):
            if not (faults := find_faults(constraints, text)):
                break
            try:
                text = await filler.mend(case, request, schema, answer=text, faults=[*faults.values()])
            except NoAnswer:  # the step says what is wrong with the one before
                break
        return case.draft(text, prompt=request)


async def _write_request(case: Case, constraints: Iterable[Constraint], guidance: str) -> str:
    """The request as whoever answers reads it: with what fills its open slots, and with the row's constraints."""
    slots = _SLOTS.validate_python(case.metadata.get(SLOTS) or {})
    values = {
        name: told[case.draw("slot", name) % len(told)]
        for name, told in slots.items()
        if not isinstance(told, str)  # of a schema that no source has made seeds of
    }
    request = fill(case.prompt, values)
    if left := {name: told for name, told in slots.items() if isinstance(told, str)}:
        written = await filler.fill_slots(case, request, left, guidance=guidance)
        request, values = fill(request, written), values | written
    if values:  # kept with the draft, so that its record tells them
        case.keep("filled", lambda: {FILLED: values}, given=json.dumps(values))
    told = [one.told for one in constraints if one.told] if SchemaSettings.of(case).told else []
    return "\n\n".join([request, *([" ".join(told)] if told else [])])


def find_faults(constraints: Iterable[Constraint], text: str) -> dict[str, str]:
    """The kinds of the constraints that a text breaks, each with how it does."""
    return {one.kind: fault for one in constraints if (fault := one.find_fault(text))}


async def verify(item: StepItem) -> Reject | Ask | None:
    """Reject an answer that breaks a constraint of its row, or ask a person about it, as the settings say."""
    constraints = stated_constraints(item.metadata)
    for candidate in item.candidates:
        if faults := find_faults(constraints, candidate.text):
            told = f"the answer breaks {', '.join(faults)}"  # without numbers: rejections are counted by their reason
            if SchemaSettings.of(item.case).unmet == "ask":
                return Ask(f"{told}. {' '.join(faults.values())}")
            return Reject(told)
    return None


VERIFY = Step("verify", verify, reads=("metadata", "candidates"), may=(Reject, Ask))
"""The step that verifies drafts."""
