"""What the agents' structured answers must look like. Lenient in what a model may forget, closed in what it may say."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Finding(BaseModel):
    """One thing that a critic found wrong."""

    principle: str = Field("", max_length=200)
    quote: str = Field("", max_length=2000)
    severity: Literal["minor", "major", "fatal"]
    suggestion: str = Field("", max_length=2000)


class Findings(BaseModel):
    """A critic's answer."""

    findings: list[Finding] = Field(max_length=3)


class PairVerdict(BaseModel):
    """A judge's answer on a pair, for models without log probabilities."""

    rationale: str = Field("", max_length=4000)
    verdict: Literal["A", "B", "tie"]
    confidence: float = Field(0.5, ge=0, le=1)


class Scores(BaseModel):
    """A judge's answer on a rubric: criterion id -> score from 1 to 5."""

    rationale: str = Field("", max_length=4000)
    scores: dict[str, float]


class InstructionDraft(BaseModel):
    """A new task with its model answer."""

    instruction: str = Field(min_length=1, max_length=8000)
    response: str = Field(min_length=1, max_length=20000)


class ResolutionAnswer(BaseModel):
    """The resolver's answer."""

    reason: str = Field("", max_length=4000)
    cites: list[str] = Field(default_factory=list, max_length=8)
    verdict: Literal["A", "B", "hand_over"]
