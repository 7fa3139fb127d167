"""Forms of answers, as somebody would write them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from solon.responses import LabelResponse


class Triage(LabelResponse):
    """How soon a patient has to be seen."""

    choice: Literal["now", "this_week", "not_at_all"]
    setting: Literal["ward", "clinic"] = Field(title="Where")
    minutes: int = Field(0, ge=0, le=120, description="of a doctor's time")
    urgent: bool = False
    note: Annotated[str, Field(max_length=500)] | None = None
    passages: list[str] = Field(default_factory=list, title="Words that decided")


class Open(LabelResponse):
    """No closed set."""


class Nested(LabelResponse):
    choice: Literal["yes", "no"]
    more: dict[str, int] = Field(default_factory=dict)


class Taken(LabelResponse):
    choice: Literal["yes", "skip"]
