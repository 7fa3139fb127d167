"""What the agents' structured answers must look like. Lenient in what a model may forget, closed in what it may say."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, create_model

from solon.formats.records import LONGEST_QUOTE, LONGEST_SUGGESTION


class Finding(BaseModel):
    """One thing that a critic found wrong. The bounds keep a small model from filling its room with one finding."""

    principle: str = Field("", max_length=40)
    """Id of the principle that it breaks; empty where none fits."""
    quote: str = Field("", max_length=LONGEST_QUOTE)
    """The words of the answer that it speaks of; empty without any."""
    severity: Literal["minor", "major", "fatal"]
    """How grave it is."""
    suggestion: str = Field("", max_length=LONGEST_SUGGESTION)
    """What would be better."""


MOST_FINDINGS = 3
"""Findings of one critique at most."""


class Findings(BaseModel):
    """A critic's answer, the worst finding first."""

    findings: list[Finding] = Field(max_length=MOST_FINDINGS)


_SIDE = re.compile(
    r"\W*(?:(?:the )?(?:answer|response|option|candidate|assistant)\W+)?(?P<side>a|b|tie|hand_over)(?: is better)?\W*",
    re.IGNORECASE,
)


def _as_side(value: Any) -> Any:
    """The side that a verdict names, such as `a`, `Answer A` or `(B)`; what names none is left to be refused."""
    named = _SIDE.fullmatch(value) if isinstance(value, str) else None
    if named is None:
        return value
    side = named["side"].lower()
    return side.upper() if len(side) == 1 else side


def _as_share(value: Any) -> Any:
    """A number between 0 and 1, also as text or in per cent; None for all else, since a certainty that cannot be read
    is unknown."""
    parts = 1
    if isinstance(value, str):
        text, parts = value.strip(), 100 if value.rstrip().endswith("%") else 1
        try:
            value = float(text.removesuffix("%"))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= parts:
        return None
    return value / parts


_SHARE = WithJsonSchema({"maximum": 1, "minimum": 0, "type": "number"})


def _without_default(schema: dict[str, Any]) -> None:
    """Suggest no value to whoever reads the schema."""
    schema.pop("default", None)


class PairVerdict(BaseModel):
    """A judge's answer on a pair, for models without log probabilities."""

    rationale: str = Field("", max_length=600)
    verdict: Annotated[Literal["A", "B", "tie"], BeforeValidator(_as_side)]
    confidence: Annotated[float | None, BeforeValidator(_as_share), _SHARE] = Field(
        None, json_schema_extra=_without_default
    )
    """What the judge said of its own certainty; None where it said nothing that can be read."""


@lru_cache(maxsize=64)
def label_schema(labels: tuple[str, ...]) -> type[BaseModel]:
    """The schema of a judge's label, which can only be one of these."""
    said: Any = (Annotated[str, Field(max_length=600)], "")
    sure: Any = (
        Annotated[float | None, BeforeValidator(_as_share), _SHARE],
        Field(None, json_schema_extra=_without_default),
    )
    label: Any = (Literal[labels], ...)
    return create_model("LabelVerdict", rationale=said, label=label, confidence=sure)


def _as_text(value: Any) -> Any:
    """What a model gives as a text where it has none (null), or several lines (a list of texts)."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    return "" if value is None else value


class InstructionDraft(BaseModel):
    """A new task with its model answer."""

    instruction: str = Field(min_length=1, max_length=8000)
    """What is to be done."""
    input: Annotated[str, BeforeValidator(_as_text)] = Field("", max_length=20000)
    """The text, list, code, ... that the instruction speaks of; empty where it speaks of none."""
    response: str = Field(min_length=1, max_length=20000)
    """The answer to it."""


class UserTurn(BaseModel):
    """What somebody who plays the user says next."""

    ends: bool = False
    """The user has nothing further to ask."""
    message: Annotated[str, BeforeValidator(_as_text)] = Field("", max_length=4000)
    """The user's next turn; empty where the dialogue ends."""


class RequestDraft(BaseModel):
    """The request that a text answers."""

    instruction: str = Field(min_length=1, max_length=8000)
    """What was asked."""


class QuotedDraft(BaseModel):
    """A question about a text, with an answer that rests on places of it."""

    instruction: str = Field(min_length=1, max_length=8000)
    """The question."""
    response: str = Field(min_length=1, max_length=20000)
    """The answer to it."""
    quotes: list[Annotated[str, Field(max_length=600)]] = Field(max_length=8)
    """The words of the text that the answer rests on."""


class ResolutionAnswer(BaseModel):
    """The resolver's answer."""

    reason: str = Field("", max_length=600)
    cites: list[Annotated[str, Field(max_length=64)]] = Field(default_factory=list, max_length=4)
    verdict: Annotated[Literal["A", "B", "hand_over"], BeforeValidator(_as_side)]


HAND_OVER = "hand_over"
"""What the resolver says where nothing settles it."""


class OutcomeAnswer(BaseModel):
    """The resolver's answer on one text."""

    reason: str = Field("", max_length=600)
    cites: list[Annotated[str, Field(max_length=64)]] = Field(default_factory=list, max_length=4)
    verdict: str


def _one_of(names: tuple[str, ...]) -> Any:
    return Literal[names] if names else str


@lru_cache(maxsize=64)
def findings_schema(principles: tuple[str, ...]) -> type[Findings]:
    """The schema of a critic's answer in which a principle can only be one of these, where a server enforces
    it."""
    finding = create_model("Finding", __base__=Finding, principle=(_one_of(principles), ...))
    return create_model(
        "Findings", __base__=Findings, findings=(list[finding], Field(max_length=MOST_FINDINGS))
    )


@lru_cache(maxsize=64)
def resolution_schema(citable: tuple[str, ...]) -> type[ResolutionAnswer]:
    """The schema of a resolver's answer that can cite only what exists: principles and precedents by their
    ids."""
    cites: Any = (list[_one_of(citable)], Field(max_length=4))  # type: ignore[misc]
    return create_model("ResolutionAnswer", __base__=ResolutionAnswer, cites=cites)


@lru_cache(maxsize=64)
def outcome_schema(citable: tuple[str, ...], outcomes: tuple[str, ...]) -> type[OutcomeAnswer]:
    """The same of an answer on one text, which says one of these outcomes or hands over."""
    cites: Any = (list[_one_of(citable)], Field(max_length=4))  # type: ignore[misc]
    verdict: Any = (Literal[(*outcomes, HAND_OVER)], ...)
    return create_model("OutcomeAnswer", __base__=OutcomeAnswer, cites=cites, verdict=verdict)


SCORES = (1, 2, 3, 4, 5)
"""What a criterion of a rubric can be scored with."""


@lru_cache(maxsize=64)
def scores_schema(criteria: tuple[str, ...], turns: int = 0) -> type[BaseModel]:
    """The schema of a judge's scores, which names every criterion of the rubric; of a dialogue of so many turns also
    the number of the worst one, 0 for none."""
    scored: Any = dict.fromkeys(criteria, (Literal[SCORES], ...))
    rationale: Any = (Annotated[str, Field(max_length=600)], "")
    points: Any = (create_model("Points", **scored), ...)
    if not turns:
        return create_model("Scores", rationale=rationale, scores=points)
    worst: Any = (Literal[tuple(range(turns + 1))], 0)
    return create_model("TurnScores", rationale=rationale, turn=worst, scores=points)
