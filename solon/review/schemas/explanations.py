"""What goes over the wire after an answer: why the review was here, what the critics found, how the judges voted."""

from __future__ import annotations

from pydantic import Field

from solon.review.schemas.desk import SimilarOut
from solon.review.schemas.examples import example
from solon.review.schemas.law_examples import EXPLANATION
from solon.review.schemas.queue import Id, Wire


class PlacedCandidate(Wire):
    """A candidate with the place at which the caller saw it, from 1."""

    id: Id
    place: int


class FindingOut(Wire):
    """A critic's finding beside the principle that it cites. `quote` stands in the candidate's text; with `of_draft` in
    the draft that the candidate is a revision of."""

    candidate: Id
    place: int
    of_draft: bool
    principle: str
    quote: str
    severity: str = Field(description="minor, major or fatal, as the critic said it")
    suggestion: str


class VerdictOut(Wire):
    """One judge's vote. Candidates are named by the places at which the caller saw them."""

    judge: str
    seat: str
    order: str = Field(
        description="the places in the order in which the judge saw them; empty for a single candidate"
    )
    outcome: str = Field(description="prefers (see `favours`), tie, accept, reject or abstain")
    favours: int | None
    p: float | None = Field(
        description="the judge's probability of the panel's first candidate, or of accepting a single one"
    )
    scores: dict[str, float] | None = Field(description="by criterion, where a single candidate was scored")
    abstained: str | None = Field(description="why there is no verdict")
    rationale: str


class ResolutionOut(Wire):
    """What the resolver said. `favours`: a place; `handed_over`: why it left the question to people."""

    favours: int | None
    cites: list[str]
    handed_over: str | None
    text: str


class StandingDecision(Wire):
    """The decision that stands, without a name. `place`: of the candidate that is preferred or edited."""

    yours: bool
    choice: str
    place: int | None
    principles: list[str]


class KnownOut(Wire):
    """The answer of a practice question, and why it is right."""

    choice: str
    place: int | None
    why: str


class Explanation(Wire, json_schema_extra=example(EXPLANATION)):
    """Why a review was here. Of a check (kind `check`) nothing is told of critics, judges and resolver."""

    review: Id
    kind: str = Field(description="interrupt, audit, practice, ...; check for whatever compares experts")
    reasons: list[str]
    margin: float | None = Field(description="between the two likeliest outcomes, in [0, 1]")
    confidence: float | None = Field(description="the panel's probability of its best outcome")
    candidates: list[PlacedCandidate]
    findings: list[FindingOut]
    verdicts: list[VerdictOut]
    resolution: ResolutionOut | None
    decision: StandingDecision | None
    known: KnownOut | None = Field(description="only of a practice question")
    similar: list[SimilarOut] = Field(description="decided items that resemble this one")
