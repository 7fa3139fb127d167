"""The filler: fills what a request leaves open, answers it, and mends an answer that breaks what is asked of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, RootModel, WithJsonSchema, create_model

if TYPE_CHECKING:
    from solon.agents.case import Case

LONGEST_VALUE = 300
"""Characters of what fills a slot."""
Value = Annotated[str, Field(min_length=1, max_length=LONGEST_VALUE)]


async def fill_slots(case: Case, request: str, slots: Mapping[str, str], *, guidance: str) -> dict[str, str]:
    """What stands in the open slots of a request, by their names. Errors are those of `Case.ask`.

    Args:
        request: with its open slots in braces.
        slots: name -> what shall stand there, in words.
        guidance: what an expert asked for in this draft; empty without.
    """
    told = "\n".join(f"{number}. {name}: {what}" for number, (name, what) in enumerate(slots.items(), 1))
    answer = await case.ask(
        "generator.slots", schema=_values_schema(len(slots)), request=request, slots=told, guidance=guidance
    )
    values: list[str] = answer.values  # type: ignore[attr-defined]
    return {name: value.strip() for name, value in zip(slots, values, strict=True)}


async def answer(
    case: Case, request: str, schema: dict[str, Any] | None, *, persona: str, guidance: str, findings: str
) -> str:
    """An answer to a request. Errors are those of `Case.ask`.

    Args:
        schema: the JSON Schema of its object; None: the answer is no object of JSON.
        persona: who answers; empty: nobody in particular.
        guidance: what an expert asked for in this draft; empty without.
        findings: what critics found on the draft before; empty in the first.
    """
    return await _write(
        case, "generator.draft", request, schema, persona=persona, guidance=guidance, findings=findings
    )


async def mend(
    case: Case, request: str, schema: dict[str, Any] | None, *, answer: str, faults: Sequence[str]
) -> str:
    """The answer once more, without these faults. What is not named here is as of `answer`."""
    findings = "\n".join(f"- {fault}" for fault in faults)
    return await _write(case, "generator.revise", request, schema, answer=answer, findings=findings)


async def _write(
    case: Case, template: str, request: str, schema: dict[str, Any] | None, **values: Any
) -> str:
    own = replace(case, prompt=request)  # calls are noted with the case's own
    if schema is None or schema.get("type") != "object":
        text: str = await own.ask(template, **values)
        return text
    written: Any = await own.ask(template, schema=_object_of(json.dumps(schema)), **values)
    return json.dumps(written.root, ensure_ascii=False)


@lru_cache(maxsize=64)
def _values_schema(count: int) -> type[BaseModel]:
    values: Any = (list[Value], Field(min_length=count, max_length=count))
    return create_model("SlotValues", values=values)


@lru_cache(maxsize=64)
def _object_of(schema: str) -> type[BaseModel]:
    """The model of an object of JSON that a server is to hold to this schema. Whether it keeps it is for the caller to
    check."""
    return create_model(
        "AnswerObject", __base__=RootModel[Annotated[dict[str, Any], WithJsonSchema(json.loads(schema))]]
    )
