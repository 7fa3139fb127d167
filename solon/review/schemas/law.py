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

Kind = Literal["constitution", "rubric"]
State = Literal["drafted", "measured", "ratified", "rejected"]
Verdict = Literal["green", "red", "grey"]


class VoteIn(Wire):
    """A lead's vote. What is not green needs an override with its reason."""

    in_favour: bool = Field(examples=[True])
    override: bool = False
    reason: str = Field("", max_length=2000)


class RuleIn(Wire):
    """A rule proposed from a decision; `first`: before all others, else after them."""

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
    """A principle to divide, resting on a decision."""

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
    """Work under way or done: `progress` has done, of, calls and cost; `limits` what was asked for."""

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
    """Stale records and waiting reviews under replaced law; `works`: this server asks models."""

    stale: int
    waiting: int
    works: bool
    job: JobState | None


class AmendmentLine(Wire, json_schema_extra=example(AMENDMENT_LINE)):
    """An amendment in the list. `verdict` of its impact, null until it is measured; `version`: the draft's."""

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
    """An amendment that was just drafted. `warnings`: rules that say nearly the same, or may contradict each other."""

    id: Id
    version: str
    state: State
    warnings: list[str]


class Paired(Wire):
    """Agreement with experts under the law in force (`before`) and under the draft, on the same `n` decisions."""

    n: int
    before: float | None
    after: float | None
    gained: int
    lost: int
    p_value: float = Field(description="exact McNemar test, two-sided")
    interval: list[float] = Field(description="95%, of the difference of the two agreements; -1 to 1 of none")


class ImpactOut(Wire):
    """What the draft would have changed. `unseen`: decisions that its author could not see, which the verdict rests on.

    `noise`: judging twice under the law in force, where a judge is not deterministic.
    """

    parts: dict[Literal["seen", "held_out", "fresh"], Paired]
    unseen: Paired
    noise: Paired | None
    verdict: Verdict
    why: str
    look: int = Field(
        1, description="measurements on more unseen decisions than before; each has half the level"
    )
    sample: int = Field(description="decisions judged, of those `eligible`")
    eligible: int
    judged_twice: int
    calls: int
    from_journal: int = Field(description="of the calls, those that cost nothing")
    cost: float | None = Field(description="null where the price of any call is unknown")
    stopped: str | None = Field(description="the limit that ended it early")


class BaseOut(Wire):
    """The version that an amendment changes."""

    id: Id
    version: str
    status: str


class AmendedOut(ChangeOut, json_schema_extra=example(CHANGED)):
    """A change; `place`: of the principle in the draft's order, null where it is no part of it."""

    place: int | None


class FlipOut(Wire):
    """A verdict that turned, in the panel's words (A, B, accept, reject, tie, neither)."""

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
    """A flip with the decided case behind it."""

    amendment: Id
    request: str
    answers: list[AnswerShown]
    choice: str
    rationale: str
    principles: list[str]


class BelongingOut(Wire):
    """A decision that cited what is split; `may`: ids of the parts that it may belong to, the likeliest first."""

    precedent_id: Id
    decision_id: Id
    item_id: Id
    part: str
    cited: str
    may: list[str]


class VoteOut(Wire):
    choice: Literal["for", "against"]
    override: bool
    reason: str
    created_at: float
    by: str


class StandingOut(Wire, json_schema_extra=example(STANDING)):
    """Where the votes leave an amendment. `missing`: what it still needs, in words; empty where nothing."""

    state: State
    in_favour: int
    needed: int
    missing: str


class AmendmentOut(Wire, json_schema_extra=example(AMENDMENT)):
    """An amendment. `cites` and `overrules` are decisions; `parts`: how many principles or criteria the draft has.

    `flips` and `belongs` tell of the seen half only until it is ratified; `belongs_unseen` counts the rest.
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
    """Citations by one source. `sided`: of these, where one of two sides won in the end; `won`: the side cited for.

    `rate` is won / sided, null of none, with its exact 95% interval.
    """

    cited: int
    sided: int
    won: int
    rate: float | None
    interval: list[float]
    decided_by_people: ByPeople


class PrincipleOut(Wire):
    """A principle with its uses by source. `split_into`: ids that stand in its place since it was split."""

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
