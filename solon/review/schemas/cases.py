"""What goes over the wire about disagreements: the case as its adjudicator sees it, the outcome as reviewers do."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from solon.review.schemas import examples
from solon.review.schemas.examples import example
from solon.review.schemas.queue import Id, ShownCandidate, ShownPrinciple, Turn, Wire


class GivenOut(Wire):
    """One answer of a case. `name` only once it is settled."""

    reviewer: int
    name: str | None
    choice: str
    candidate: Id | None
    text: str
    guidance: str
    rationale: str
    principles: list[str]
    strength: int | None
    stance: Literal["accepts", "maintains"] | None
    reply: str


class OutcomeOut(Wire):
    """What a lead settled. `shares` (candidate: share of people for it) only where it stays contested."""

    choice: str
    candidate: Id | None
    principle: str | None
    reason: str
    decided_at: float
    shares: dict[str, float] | None


class CaseLine(Wire, json_schema_extra=example(examples.CASE_LINE)):
    """A case in the list."""

    id: Id
    state: Literal["open", "decided", "contested", "withdrawn"]
    answers: int
    yours: bool
    prompt: str
    created_at: float
    decided_at: float | None


class CaseOut(Wire, json_schema_extra=example(examples.CASE)):
    """A disagreement with its answers side by side. `informed`: its adjudicator had read the panel's votes before."""

    id: Id
    item: Id
    state: Literal["open", "decided", "contested", "withdrawn"]
    prompt: str
    turns: list[Turn]
    input: str
    reference: str
    candidates: list[ShownCandidate]
    constitution: str
    principles: list[ShownPrinciple]
    answers: list[GivenOut]
    choices: list[str] = Field(examples=[["prefer", "tie", "both_bad", "contested"]])
    outcome: OutcomeOut | None
    informed: bool


class RulingIn(Wire):
    """The adjudicator's answer. The reviewers see it with the principle and the sentence."""

    choice: str = Field(max_length=60, examples=["prefer"])
    candidate: Id | None = None
    principle: str | None = Field(None, max_length=100)
    reason: str = Field(max_length=2000, examples=["The interaction is a contraindication."])


class ReplyIn(Wire):
    """A reviewer's one reply. Whoever maintains their answer leaves the question contested."""

    stance: Literal["accepts", "maintains"]
    words: str = Field("", max_length=2000)


class MyOutcome(Wire, json_schema_extra=example(examples.MY_OUTCOME)):
    """A settled case in which the caller has answered: their answer, and what came of it."""

    id: Id
    state: Literal["decided", "contested"]
    prompt: str
    candidates: list[ShownCandidate]
    yours: GivenOut
    outcome: OutcomeOut
    may_reply: bool
