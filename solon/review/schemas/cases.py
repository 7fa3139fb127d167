"""What goes over the wire about disagreements: the case as its adjudicator sees it, the outcome as reviewers do."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from solon.review.schemas import examples
from solon.review.schemas.examples import example
from solon.review.schemas.queue import EvidenceOut, Id, ShownCandidate, ShownPrinciple, Turn, Wire


class GivenOut(Wire):
    """One answer of a case.

    Attributes:
        reviewer: number of the person within the case, from 1.
        name: who it is, once the case is settled; null before.
        alone: it was given without sight of what the panel says or of other answers.
        choice: one of the closed set of answers.
        candidate: id of the candidate that the choice is for; null where it is for none.
        text: an edited text, where the choice is an edit; an answer that the person wrote, where it is `write`.
        rankings: of a ranking, by the name of each question (empty where it has none), ids of the candidates, the best
            first; tied ones stand together. Empty of other answers.
        fields: what the person filled in, where the question has a form.
        guidance: what a redraft should heed.
        rationale: the reason that was written with it.
        principles: ids of the principles that the person cited.
        strength: how clear it was, 1 (barely) to 3 (clearly); null where not said.
        flags: candidate id -> what the person flagged it as.
        evidence: the words that the answer points to.
        stance: the reply to the outcome; null before one.
        reply: the words of that reply.
    """

    reviewer: int
    name: str | None
    alone: bool = True
    choice: str
    candidate: Id | None
    text: str
    rankings: dict[str, list[list[Id]]] = Field(default_factory=dict)
    fields: dict[str, JsonValue]
    guidance: str
    rationale: str
    principles: list[str]
    strength: int | None
    flags: dict[str, list[str]]
    evidence: list[EvidenceOut]
    stance: Literal["accepts", "maintains"] | None
    reply: str


class OutcomeOut(Wire):
    """What a lead settled.

    Attributes:
        choice: one of the closed set of answers.
        candidate: id of the candidate that the choice is for; null where it is for none.
        principle: id of the principle it rests on; null where none was named.
        reason: the lead's sentence.
        fields: what the form holds now, where the question has one.
        rankings: the ranking that holds now, as in the answers; empty without one.
        decided_at: when it was decided, in epoch seconds.
        shares: share of people for each candidate, where it stays contested; null otherwise.
    """

    choice: str
    candidate: Id | None
    principle: str | None
    reason: str
    fields: dict[str, JsonValue]
    rankings: dict[str, list[list[Id]]] = Field(default_factory=dict)
    decided_at: float
    shares: dict[str, float] | None


class RankingFlip(Wire):
    """Two candidates that rankings order both ways.

    Attributes:
        question: name of the question; empty where it has none.
        a: id of a candidate.
        b: id of the other one.
        a_first: how many people hold `a` for the better one.
        b_first: how many hold `b` for it.
    """

    question: str
    a: Id
    b: Id
    a_first: int
    b_first: int


class RankingCycle(Wire):
    """Candidates of which people together prefer each to the next, and the last to the first: no order fits them.

    Attributes:
        question: name of the question; empty where it has none.
        candidates: their ids.
    """

    question: str
    candidates: list[Id]


class CaseLine(Wire, json_schema_extra=example(examples.CASE_LINE)):
    """A case in the list.

    Attributes:
        id: its id.
        item: id of the item.
        state: where it stands.
        answers: how many answers it has.
        yours: the caller gave one of them.
        recipe: recipe of its run.
        prompt: the request, as it is shown.
        created_at: when it was made, in epoch seconds.
        decided_at: when it was settled, in epoch seconds; null while it is open.
    """

    id: Id
    item: Id
    state: Literal["open", "decided", "contested", "withdrawn"]
    answers: int
    yours: bool
    recipe: str
    prompt: str
    created_at: float
    decided_at: float | None


class CaseOut(Wire, json_schema_extra=example(examples.CASE)):
    """A disagreement with its answers side by side.

    Attributes:
        id: its id.
        item: id of the item.
        state: where it stands.
        prompt: the request, as it is shown.
        turns: the conversation before it, if there was one.
        input: the text that the request is about; empty without one.
        reference: the source that answers are checked against; empty without one.
        candidates: the candidates, in the order in which they are shown.
        constitution: name and version of the constitution.
        principles: the principles that may be cited.
        answers: what people answered, side by side.
        flips: the pairs that rankings of different people order both ways; empty where nothing is ranked.
        cycles: the candidates that no order of all rankings fits; empty where nothing is ranked.
        choices: the closed set that the ruling is from.
        fields: the fields of the question's form as JSON schemas, by their names; empty where it has none.
        outcome: what was settled; null while it is open.
        informed: whoever settled it had read the panel's votes before.
    """

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
    flips: list[RankingFlip] = Field(default_factory=list)
    cycles: list[RankingCycle] = Field(default_factory=list)
    choices: list[str] = Field(examples=[["prefer", "tie", "both_bad", "contested"]])
    fields: dict[str, dict[str, JsonValue]]
    outcome: OutcomeOut | None
    informed: bool


class RulingIn(Wire):
    """The adjudicator's answer. The reviewers see it with the principle and the sentence.

    Attributes:
        choice: one of the closed set of answers.
        candidate: id of the candidate that the choice is for; null where it is for none.
        principle: id of the principle it rests on.
        reason: one sentence that the reviewers read.
        fields: what the form shall hold, where the question has one; null: what the first filled in who said the same.
    """

    choice: str = Field(max_length=60, examples=["prefer"])
    candidate: Id | None = None
    principle: str | None = Field(None, max_length=100)
    reason: str = Field(max_length=2000, examples=["The interaction is a contraindication."])
    fields: dict[str, JsonValue] | None = None


class ReplyIn(Wire):
    """A reviewer's one reply. Whoever maintains their answer leaves the question contested."""

    stance: Literal["accepts", "maintains"]
    words: str = Field("", max_length=2000)


class MyOutcome(Wire, json_schema_extra=example(examples.MY_OUTCOME)):
    """A settled case in which the caller has answered: their answer, and what came of it.

    Attributes:
        id: its id.
        state: where it stands.
        prompt: the request, as it is shown.
        candidates: the candidates, in the order in which they are shown.
        fields: the fields of the question's form as JSON schemas, by their names; empty where it has none.
        yours: the caller's answer.
        outcome: what a lead settled.
        may_reply: the caller has not replied yet.
    """

    id: Id
    state: Literal["decided", "contested"]
    prompt: str
    candidates: list[ShownCandidate]
    fields: dict[str, dict[str, JsonValue]]
    yours: GivenOut
    outcome: OutcomeOut
    may_reply: bool
