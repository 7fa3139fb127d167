"""What goes over the wire about law in the making: amendments with impact and votes, rules proposed, principles."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from solon.law.amendments import MOST_PARTS
from solon.review.schemas.examples import example
from solon.review.schemas.law_examples import (
    AMENDMENT,
    AMENDMENT_LINE,
    CHANGED,
    DRAFTED,
    FLIP_CASE,
    JOB,
    PRINCIPLES,
    REJUDGING,
    STANDING,
)
from solon.review.schemas.queue import ChangeOut, Id, Wire

Kind = Literal["constitution", "rubric", "rules"]
State = Literal["drafted", "measured", "ratified", "rejected"]
Verdict = Literal["green", "red", "grey"]


class VoteIn(Wire):
    """A lead's vote. What is not green needs an override with its reason."""

    in_favour: bool = Field(examples=[True])
    override: bool = False
    reason: str = Field("", max_length=2000)


class RuleIn(Wire):
    """A rule proposed from a decision.

    Attributes:
        review: id of the decided review it rests on.
        text: the wording of the rule.
        reason: why it should become law.
        name: its id; empty: from its first words.
        first: it stands before all others, else after them.
    """

    review: Annotated[str, Field(max_length=64, pattern="^[0-9a-f]+$", examples=["193cdc94fd10e3f843ace947"])]
    text: str = Field(min_length=1, max_length=600, examples=["Gives every amount with its unit."])
    reason: str = Field(min_length=1, max_length=2000, examples=["A dose without a unit was misread."])
    name: str = Field("", max_length=60)
    first: bool = False


class PartIn(Wire):
    """One of the rules that a principle is divided into; without a name it is named by its first words."""

    text: str = Field(min_length=1, max_length=600, examples=["States the dose first."])
    name: str = Field("", max_length=60)


class SplitIn(Wire):
    """A principle to divide, resting on a decision.

    Attributes:
        review: id of the decided review it rests on.
        principle: id of the principle to divide.
        parts: the rules that take its place.
        reason: why it should be divided.
    """

    review: Annotated[str, Field(max_length=64, pattern="^[0-9a-f]+$", examples=["193cdc94fd10e3f843ace947"])]
    principle: str = Field(min_length=1, max_length=40, examples=["clear-doses"])
    parts: list[PartIn] = Field(
        min_length=2,
        max_length=MOST_PARTS,
        examples=[[{"text": "States the dose first."}, {"text": "Gives every dose with its unit."}]],
    )
    reason: str = Field(min_length=1, max_length=2000, examples=["It says two things."])


class LimitsIn(Wire):
    """Where to stop. A limit on cost needs the price of every model."""

    max_calls: int | None = Field(None, ge=1, le=10**9)
    max_cost: float | None = Field(None, ge=0, le=1e9)


class ImpactIn(LimitsIn):
    """How an amendment is measured; `sample`: decisions at most."""

    sample: int = Field(200, ge=1, le=100_000)


class JobState(Wire, json_schema_extra=example(JOB)):
    """Work under way or done.

    Attributes:
        id: its id.
        kind: what it does: measure an impact, or judge again.
        state: where it stands.
        problem: what went wrong; null where nothing did.
        created_at: when it was asked for, in epoch seconds.
        finished_at: when it ended, in epoch seconds; null before.
        result: what came of it; null before it is done.
        progress: done, of, calls and cost; null before it began.
        limits: the limits that were asked for.
        open: it is still under way.
    """

    id: Id
    kind: str
    state: str
    problem: str | None
    created_at: float
    finished_at: float | None
    result: dict[str, Any] | None
    progress: dict[str, Any] | None
    limits: dict[str, Any]
    open: bool


class RejudgeState(Wire, json_schema_extra=example(REJUDGING)):
    """Stale records and waiting reviews under replaced law.

    Attributes:
        stale: records accepted under law that is replaced.
        waiting: reviews that wait under law that is replaced.
        works: this server asks models.
        job: the newest work of this kind; null where there is none.
    """

    stale: int
    waiting: int
    works: bool
    job: JobState | None


class AmendmentLine(Wire, json_schema_extra=example(AMENDMENT_LINE)):
    """An amendment in the list.

    Attributes:
        id: its id.
        kind: constitution or rubric.
        name: name of the law it changes.
        scope: which seeds that law governs.
        state: where it stands.
        verdict: of its impact; null until it is measured.
        reason: why it was drafted.
        created_at: when it was made, in epoch seconds.
        version: the version of the draft.
    """

    id: Id
    kind: Kind
    name: str
    scope: str
    state: State
    verdict: Verdict | None
    reason: str
    created_at: float
    version: str


class Drafted(Wire, json_schema_extra=example(DRAFTED)):
    """An amendment that was just drafted.

    Attributes:
        id: its id.
        version: the version of the draft.
        state: where it stands.
        warnings: rules that say nearly the same, or may contradict each other.
    """

    id: Id
    version: str
    state: State
    warnings: list[str]


class Paired(Wire):
    """Agreement with experts under two laws, on the same decisions.

    Attributes:
        n: how many decisions were compared.
        before: agreement under the law in force; null of none.
        after: agreement under the draft; null of none.
        gained: decisions that only the draft agrees with.
        lost: decisions that only the law in force agrees with.
    """

    n: int
    before: float | None
    after: float | None
    gained: int
    lost: int
    p_value: float = Field(description="exact McNemar test, two-sided")
    interval: list[float] = Field(description="95%, of the difference of the two agreements; -1 to 1 of none")


class RuleEffectOut(Wire):
    """A rule that is new or goes, on decisions that the author of the draft could not see.

    Attributes:
        id: its name.
        says: its label, and where it matches.
        n: decisions.
        spoke: on how many of them it matches.
        right: on how many of these its label was decided.
        conflicts: on how many of the texts that it matches another rule names another label.
        common: share of its label among the decisions.
    """

    id: str
    says: str
    n: int
    spoke: int
    right: int
    precision: list[float] = Field(description="95%, of right / spoke")
    coverage: list[float] = Field(description="95%, of spoke / n")
    conflicts: int
    common: float
    p_value: float = Field(description="exact, one-sided, that its label is no commoner where it matches")


class ImpactOut(Wire):
    """What the draft would have changed.

    Attributes:
        parts: the comparison by part of the decisions.
        unseen: decisions that its author could not see, which the verdict rests on.
        noise: judging twice under the law in force, where a judge is not deterministic; null otherwise.
        verdict: what follows from the comparison.
        why: why, in words.
        eligible: decisions that could be judged.
        judged_twice: decisions judged twice for the noise.
        calls: model calls that it took.
    """

    parts: dict[Literal["seen", "held_out", "fresh"], Paired]
    unseen: Paired
    noise: Paired | None
    verdict: Verdict
    why: str
    look: int = Field(1, description="measurements of this draft on more unseen decisions than before")
    tried: int = Field(
        0,
        description="measurements of other drafts from the same version on any of these decisions before; each takes "
        "a lower level",
    )
    sample: int = Field(description="decisions judged, of those `eligible`")
    eligible: int
    judged_twice: int
    calls: int
    from_journal: int = Field(description="of the calls, those that cost nothing")
    cost: float | None = Field(description="null where the price of any call is unknown")
    stopped: str | None = Field(description="the limit that ended it early")
    rules: list[RuleEffectOut] = Field([], description="of an amendment of rules, each new one by itself")
    repealed: list[str] = Field([], description="of an amendment of rules, those that go")
    gone: list[RuleEffectOut] = Field([], description="those that go, each by itself")
    worn: int = Field(
        0, description="held-out decisions that measure nothing more: too many drafts looked at them"
    )


class BaseOut(Wire):
    """The version that an amendment changes."""

    id: Id
    version: str
    status: str


class AmendedOut(ChangeOut, json_schema_extra=example(CHANGED)):
    """A change that an amendment makes.

    Attributes:
        place: of the principle in the draft's order; null where it is no part of it.
    """

    place: int | None


class FlipOut(Wire):
    """A verdict that turned, in the panel's words (A, B, accept, reject, tie, neither).

    Attributes:
        precedent_id: id of the decided case.
        item_id: id of the item.
        decision_id: id of the decision.
        part: which part of the decisions it is in.
        decided: what the expert decided.
        before: what the panel says under the law in force.
        after: what it says under the draft.
    """

    precedent_id: Id
    item_id: Id
    decision_id: Id
    part: Literal["seen", "held_out", "fresh"]
    decided: str
    before: str
    after: str


class AnswerShown(Wire):
    place: str = Field(description="A or B, as in the panel's words")
    text: str


class FlipCase(FlipOut, json_schema_extra=example(FLIP_CASE)):
    """A flip with the decided case behind it.

    Attributes:
        amendment: id of the amendment.
        request: the request of the case.
        answers: the answers that were judged.
        choice: what the expert chose.
        rationale: the expert's reason.
        principles: ids of the principles that the expert cited.
    """

    amendment: Id
    request: str
    answers: list[AnswerShown]
    choice: str
    rationale: str
    principles: list[str]


class BelongingOut(Wire):
    """A decision that cited what is split.

    Attributes:
        precedent_id: id of the decided case.
        decision_id: id of the decision.
        item_id: id of the item.
        part: which part of the decisions it is in.
        cited: id of the principle that it cited.
        may: ids of the parts that it may belong to, the likeliest first.
    """

    precedent_id: Id
    decision_id: Id
    item_id: Id
    part: str
    cited: str
    may: list[str]


class VoteOut(Wire):
    """A lead's vote on an amendment.

    Attributes:
        choice: for or against.
        override: it was given although the impact is not green.
        reason: the lead's reason.
        created_at: when it was given, in epoch seconds.
        by: who gave it.
    """

    choice: Literal["for", "against"]
    override: bool
    reason: str
    created_at: float
    by: str


class StandingOut(Wire, json_schema_extra=example(STANDING)):
    """Where the votes leave an amendment.

    Attributes:
        state: where it stands.
        in_favour: how many votes are for it.
        needed: how many it takes.
        missing: what it still needs, in words; empty where nothing.
    """

    state: State
    in_favour: int
    needed: int
    missing: str


class AmendmentOut(Wire, json_schema_extra=example(AMENDMENT)):
    """An amendment, with its impact and its votes.

    Attributes:
        id: its id.
        kind: constitution or rubric.
        name: name of the law it changes.
        scope: which seeds that law governs.
        reason: why it was drafted.
        cites: ids of the decisions that it rests on.
        overrules: ids of decisions that it goes against.
        warnings: rules that say nearly the same, or may contradict each other.
        state: where it stands.
        verdict: of its impact; null until it is measured.
        created_at: when it was made, in epoch seconds.
        measured_at: when its impact was measured, in epoch seconds; null before.
        closed_at: when it came into force or was turned down, in epoch seconds; null before.
        impact: what it would change; null until it is measured.
        stale_records: records that its coming into force made stale.
        version: the version of the draft.
        base: the version that it changes.
        proposer: who drafted it, in words.
        proposer_actor: who drafted it, as the log names them.
        changes: what it changes.
        parts: how many principles or criteria the draft has.
        flips: verdicts that turned, of the seen half only until it is ratified.
        belongs: decisions that cited what is split, of the seen half only until it is ratified.
        belongs_unseen: how many more there are.
        votes: the votes so far.
        standing: where the votes leave it.
        open: it may still be voted on.
    """

    id: Id
    kind: Kind
    name: str
    scope: str
    reason: str
    cites: list[Id]
    overrules: list[Id]
    warnings: list[str]
    state: State
    verdict: Verdict | None
    created_at: float
    measured_at: float | None
    closed_at: float | None
    impact: ImpactOut | None
    stale_records: int
    version: str
    base: BaseOut
    proposer: str
    proposer_actor: str
    changes: list[AmendedOut]
    parts: int
    flips: list[FlipOut]
    belongs: list[BelongingOut]
    belongs_unseen: int
    job: JobState | None = Field(description="the newest measurement that was asked for on a server")
    works: bool = Field(description="this server asks models")
    votes: list[VoteOut]
    standing: StandingOut
    open: bool


class ByPeople(Wire):
    sided: int
    won: int


class UseOut(Wire):
    """Citations of a principle by one source.

    Attributes:
        cited: how often it was cited.
        sided: of these, where one of two sides won in the end.
        won: of these, where the side cited for won.
        rate: won / sided; null of none.
        interval: exact 95% interval of the rate.
        decided_by_people: the same where a person decided.
    """

    cited: int
    sided: int
    won: int
    rate: float | None
    interval: list[float]
    decided_by_people: ByPeople


class PrincipleOut(Wire):
    """A principle with its uses by source.

    Attributes:
        id: its id.
        text: its wording.
        in_force: it stands in the law in force.
        split_into: ids that stand in its place since it was split.
        critics: its uses by critics.
        judges: its uses by judges.
        resolver: its uses by the resolver.
        experts: its uses by experts.
    """

    id: str
    text: str
    in_force: bool
    split_into: list[str]
    critics: UseOut
    judges: UseOut
    resolver: UseOut
    experts: UseOut


class PrinciplesOut(Wire, json_schema_extra=example(PRINCIPLES)):
    """How the principles of a constitution fare, in its order; retired ones after them."""

    name: str
    version: str
    principles: list[PrincipleOut]
