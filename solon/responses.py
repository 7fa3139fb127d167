"""The closed sets of answers to a review, one schema per kind of recipe. Imports nothing of Solon but `errors`.

On every wire an answer names candidate ids, never letters or sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from solon.errors import InvalidDecision

Flag = Literal["unsafe", "factually_wrong", "outdated", "personal_data"]
LongText = Annotated[str, Field(max_length=200_000)]

NOT_ANSWERS = ("skip", "decline", "escalate")
"""These never resume the graph."""


class Response(BaseModel):
    """What every answer may carry besides its choice.

    Attributes:
        flags: candidate id -> what is wrong with that text, whatever the choice.
        principles: ids of the principles that decided.
        strength: how clear it was, 1 (barely) to 3 (clearly).
    """

    model_config = ConfigDict(extra="forbid")

    choice: str
    candidate: str | None = None
    text: LongText | None = None
    guidance: LongText | None = None
    rationale: LongText | None = None
    principles: tuple[str, ...] = ()
    flags: dict[str, tuple[Flag, ...]] = Field(default_factory=dict)
    scores: dict[str, int] = Field(default_factory=dict)
    strength: int | None = Field(None, ge=1, le=3)

    @model_validator(mode="after")
    def _parts_fit_the_choice(self) -> Response:
        needs = {"prefer": "candidate", "edit": "candidate"}.get(self.choice)
        if needs and not self.candidate:
            raise ValueError(f"choice {self.choice!r} needs the id of a candidate in {needs!r}")
        if self.choice == "edit" and not (self.text or "").strip():
            raise ValueError("choice 'edit' needs the edited answer in 'text'")
        if self.choice == "redraft" and not (self.guidance or "").strip():
            raise ValueError("choice 'redraft' needs what the new draft shall do in 'guidance'")
        if any(not 1 <= score <= 5 for score in self.scores.values()):
            raise ValueError("scores go from 1 to 5")
        return self


class PairResponse(Response):
    """The answer to a pair: which candidate is better, or why none is."""

    choice: Literal["prefer", "tie", "both_bad", "edit", "redraft"]


class SingleResponse(Response):
    """The answer to a single candidate."""

    choice: Literal["accept", "reject", "edit", "redraft"]


SCHEMAS: dict[str, type[Response]] = {"pair@1": PairResponse, "single@1": SingleResponse}


@cache
def choices_of(schema: str) -> tuple[str, ...]:
    """The closed set of a response schema; empty for one of another version of Solon."""
    if schema not in SCHEMAS:
        return ()
    return tuple(SCHEMAS[schema].model_json_schema()["properties"]["choice"]["enum"])


def parse_response(schema: str, values: Mapping[str, Any], candidates: Sequence[str]) -> Response:
    """Check an answer against its review.

    Raises:
        InvalidDecision: naming the field, what was seen, and the closed set.
    """
    if schema not in SCHEMAS:
        raise InvalidDecision(
            f"this review was opened under the response schema {schema!r}, which this version of Solon does not have",
            next_step="run `solon migrate-threads`, then answer the review that takes its place",
        )
    try:
        response = SCHEMAS[schema].model_validate(dict(values))
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "answer"
        message = problem["msg"].removeprefix("Value error, ")
        raise InvalidDecision(
            f"{field}: {message} (saw {str(problem.get('input'))[:80]!r})",
            next_step=f"choices of this review: {', '.join(choices_of(schema))}; "
            "never resuming: skip, decline, escalate",
        ) from None
    named = [*([response.candidate] if response.candidate else []), *response.flags]
    for name in named:
        if name not in candidates:
            raise InvalidDecision(
                f"candidate {name!r} is not part of this review",
                next_step=f"its candidates: {', '.join(candidates)}",
            )
    if schema == "single@1" and response.candidate is None:
        response = response.model_copy(update={"candidate": candidates[0]})
    return response
