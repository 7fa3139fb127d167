"""What goes over the wire after an answer: why the review was here, what the critics found, how the judges voted."""

from __future__ import annotations

from pydantic import Field

from solon.review.schemas.desk import SimilarOut
from solon.review.schemas.examples import example
from solon.review.schemas.law_examples import EXPLANATION
from solon.review.schemas.queue import EvidenceOut, Id, Wire


class PlacedCandidate(Wire):
    """A candidate with the place at which the caller saw it, from 1."""

    id: Id
    place: int


class FindingOut(Wire):
    """A critic's finding beside the principle that it cites.

    Attributes:
        candidate: id of the candidate.
        place: the place at which the caller saw it.
        of_draft: the quote stands in the draft that the candidate is a revision of.
        principle: id of the principle that is broken.
        quote: the words that break it.
        suggestion: how to mend it.
    """

    candidate: Id
    place: int
    of_draft: bool
    principle: str
    quote: str
    severity: str = Field(description="minor, major or fatal, as the critic said it")
    suggestion: str


class VerdictOut(Wire):
    """One judge's vote. Candidates are named by the places at which the caller saw them.

    Attributes:
        judge: name of the judge.
        seat: the seat of the judge in the panel.
        favours: the place it prefers; null where it prefers none.
        rationale: the reason that was written with it.
        evidence: the words of a single candidate that it points to, as the worst turn of a dialogue.
    """

    judge: str
    seat: str
    order: str = Field(
        description="the places in the order in which the judge saw them; empty for a single candidate"
    )
    outcome: str = Field(description="prefers (see `favours`), tie, accept, reject, a label, or abstain")
    favours: int | None
    p: float | None = Field(
        description="the judge's probability of the panel's first candidate, or of accepting a single one"
    )
    scores: dict[str, float] | None = Field(description="by criterion, where a single candidate was scored")
    abstained: str | None = Field(description="why there is no verdict")
    rationale: str
    evidence: list[EvidenceOut]


class ResolutionOut(Wire):
    """What the resolver said.

    Attributes:
        favours: the place it sides with; null for none, and of one text.
        outcome: what it says of one text; null of pairs.
        cites: ids of the rules cited.
        handed_over: why it left the question to people; null where it did not.
        text: its explanation.
    """

    favours: int | None
    outcome: str | None
    cites: list[str]
    handed_over: str | None
    text: str


class StandingDecision(Wire):
    """The decision that stands, without a name.

    Attributes:
        yours: the caller gave it.
        choice: one of the closed set of answers.
        place: of the candidate that is preferred or edited; null for none.
        principles: ids of the principles cited.
    """

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
    """Why a review was here. Of a check (kind `check`) nothing is told of critics, judges and resolver.

    Attributes:
        review: id of the review.
        reasons: why it came to a person, in words.
        candidates: the candidates by the places at which the caller saw them.
        findings: what critics found.
        verdicts: what the judges said.
        resolution: what the resolver said; null where none was asked.
        decision: the decision that stands; null while there is none.
    """

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
