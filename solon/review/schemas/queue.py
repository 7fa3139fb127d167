"""What goes over the wire. Before the answer every review looks the same, whatever brought it here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from solon.review.schemas import examples
from solon.review.schemas.examples import example

Choice = str
Id = Annotated[str, Field(max_length=64)]


class Wire(BaseModel):
    """Strict about keys."""

    model_config = ConfigDict(extra="forbid")


class Problem(Wire):
    """Every error: a code, the cause, what to do next, and the field or kept assignment it is about."""

    error: str = Field(examples=["lease_lost"])
    cause: str = Field(examples=["someone else has this review open"])
    next_step: str = Field(examples=["ask for the next one"])
    field: str | None = None
    kept: str | None = None


class ShownCandidate(Wire):
    """A candidate, by its id. `prompt` only where it has its own request."""

    id: Id
    text: str
    prompt: str | None = None


class ShownPrinciple(Wire):
    id: str
    text: str


class ShownCriterion(Wire):
    id: str
    text: str
    anchors: dict[str, str]


class Turn(Wire):
    role: str
    content: str


class BlindItem(Wire, json_schema_extra=example(examples.BLIND_ITEM)):
    """A review before its answer. The order of the candidates is drawn for this review and this person.

    `token` is the precondition and the idempotency key of the decision.
    """

    assignment: Id
    review: Id
    token: str
    leased_until: float
    answer_schema: str = Field(examples=["pair@1"])
    choices: list[str]
    fields: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="JSON schema of what an answer may hold further, by field; `required` says if it must",
    )
    recipe: str
    prompt: str
    turns: list[Turn]
    input: str
    reference: str
    candidates: list[ShownCandidate]
    constitution: str = Field(examples=["general 1.0.0"])
    principles: list[ShownPrinciple]
    criteria: list[ShownCriterion]
    rationale_wanted: bool
    draft: dict[str, Any] | None


class NextIn(Wire):
    """`exclude`: assignments that are on screen or just answered."""

    exclude: list[Id] = Field(default_factory=list, max_length=32)


EmptyReason = Literal[
    "all_done", "nothing_for_you", "in_hand", "held", "being_judged", "stopped", "guidelines", "onboarding"
]


class NextOut(Wire, json_schema_extra=example(examples.NEXT)):
    """The next review, or why there is none. `until`: epoch seconds at which the panel is through, at its pace."""

    item: BlindItem | None
    empty: EmptyReason | None = None
    message: str = ""
    until: float | None = None


class LeaseOut(Wire, json_schema_extra=example(examples.LEASE)):
    assignment: Id
    state: str
    leased_until: float


class DraftIn(Wire):
    """Whatever was typed so far, in the fields of an answer; unfinished as it is."""

    draft: dict[str, Any] = Field(examples=[{"choice": "edit", "text": "Take one tab"}])


class Times(Wire):
    """Epoch seconds, and the seconds with the page in use."""

    opened_at: float | None = Field(None, ge=0, le=1e11)
    first_input_at: float | None = Field(None, ge=0, le=1e11)
    active_seconds: float | None = Field(None, ge=0, le=1e7)


class DecisionIn(Wire):
    """An answer under its lease's token (or the header `If-Match`). `next` asks for the next review at once."""

    token: str | None = Field(None, max_length=128)
    answer: dict[str, Any] = Field(
        examples=[
            {"choice": "prefer", "candidate": "193cdc94fd10e3f843ace947", "strength": 2},
            {"choice": "both_bad", "rationale": "Both give twice the safe dose."},
            {"choice": "decline", "reason": "not_my_field"},
        ]
    )
    times: Times = Times(opened_at=None, first_input_at=None, active_seconds=None)
    next: bool = False
    exclude: list[Id] = Field(default_factory=list, max_length=32)


class DecisionOut(Wire, json_schema_extra=example(examples.DECISION_MADE)):
    """`second`: someone decided first; the answer is kept as a blind second opinion."""

    kind: Literal["decided", "vote", "second", "skipped", "declined", "escalated"]
    review: Id
    assignment: Id
    decision: Id | None
    replayed: bool
    message: str
    next: NextOut | None = None


class UndoOut(Wire, json_schema_extra=example(examples.UNDO)):
    """`item` where the review is open again at once; else it comes back once a worker has replayed it."""

    decision: Id
    item: BlindItem | None
    message: str


class MyAnswer(Wire, json_schema_extra=example(examples.MY_ANSWER)):
    """One of one's own answers. `decision` takes it back: of a vote it is the assignment's id."""

    kind: Literal["decided", "vote"]
    decision: Id
    review: Id
    choice: str
    decided_at: float
    undoable: bool
    prompt: str


class Progress(Wire):
    mine_today: int
    mine: int
    team: int
    waiting: int


class Me(Wire, json_schema_extra=example(examples.ME)):
    id: Id
    name: str
    role: str
    specialties: list[str]
    languages: list[str]
    settings: dict[str, Any]
    progress: Progress
    stage: str = Field(examples=["proven"])


class SettingsIn(Wire, json_schema_extra=example(examples.SETTINGS)):
    """The page's settings: keys by action, whether keys work, whether a choice sends at once, idle lock."""

    keys: dict[Annotated[str, Field(max_length=20)], Annotated[str, Field(max_length=20)]] = Field(
        default_factory=dict, max_length=40
    )
    keys_on: bool = True
    send_at_once: bool = False
    lock_minutes: int = Field(15, ge=0, le=240)
    session_minutes: int = Field(45, ge=0, le=480)
    mails: bool = Field(True, description="a daily mail with counts, where an address is known")


class ReviewOut(Wire):
    """A review in the leads' list."""

    id: Id
    item_id: Id
    run_id: Id
    recipe: str
    kind: str
    state: str
    leased: bool
    escalated: bool
    specialty: str | None
    lang: str | None
    rule: str
    reasons: list[str]
    margin: float | None
    confidence: float | None
    constitution: str
    created_at: float
    resolved_at: float | None
    prompt: str


class ReviewPage(Wire, json_schema_extra=example(examples.REVIEW_PAGE)):
    """`cursor` continues the list; absent at its end."""

    reviews: list[ReviewOut]
    cursor: str | None


class ReviewerStats(Wire):
    """One person's work. `agreement` with others' blind answers on the same review, with a 95% exact interval.

    `median_seconds`: of active work on an answer: decisions, votes and second opinions.

    `known`: golden questions answered, and how many rightly, with the interval of that rate."""

    id: Id
    name: str
    role: str
    decided: int
    vote: int
    second: int
    skipped: int
    declined: int
    escalated: int
    median_seconds: float | None
    compared: int
    agreed: int
    agreement: list[float] | None
    known: int
    known_right: int
    known_interval: list[float] | None
    stage: str
    revoked: bool


class RunStats(Wire):
    id: Id
    recipe: str
    status: str
    items: int
    accepted: int
    rejected: int
    waiting: int
    failed: int
    queued: int
    forgotten: int
    decisions_to_apply: int
    calls: int
    tokens: int
    cost: float | None
    seconds: float
    created_at: float


class SelfAgreement(Wire):
    """Answers of one person on what they had answered before, blind: how many, and how many alike, with the exact 95%
    interval of that rate."""

    id: Id
    name: str
    asked: int
    same: int
    interval: list[float] | None


class QueueCounts(Wire, json_schema_extra=example(examples.QUEUE)):
    """Reviews that wait: free, in someone's hands, for a lead, being prepared, held back under a budget.

    `to_apply`: decisions that wait for a worker; `worker`: why they do, empty where nothing stops it.
    """

    free: int
    leased: int
    escalated: int
    opening: int
    held: int
    to_apply: int
    worker: str


class Health(Wire, json_schema_extra=example(examples.HEALTH)):
    """The store can be read, by this version of Solon."""

    status: Literal["ok"]
    version: str


class Statistics(Wire, json_schema_extra=example(examples.STATISTICS)):
    """`team`, `runs` and `repeated` (who was asked the same again) for leads only; an expert sees themselves."""

    queue: QueueCounts
    me: ReviewerStats | None
    team: list[ReviewerStats] | None = None
    runs: list[RunStats] | None = None
    compared: int | None = None
    agreed: int | None = None
    agreement: list[float] | None = None
    repeated: list[SelfAgreement] | None = None


class LawOut(Wire, json_schema_extra=example(examples.LAW)):
    id: Id
    name: str
    version: str
    status: str
    author: str
    reason: str
    created_at: float
    in_force_at: float | None
    document: dict[str, Any]


class ChangeOut(Wire, json_schema_extra=example(examples.CHANGE)):
    action: str
    id: str
    field: str
    old: Any
    new: Any


class AuditOut(Wire):
    seq: int
    at: float
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    hash: str


class AuditPage(Wire, json_schema_extra=example(examples.AUDIT_PAGE)):
    entries: list[AuditOut]
    before: int | None


class AuditCheck(Wire, json_schema_extra=example(examples.AUDIT_CHECK)):
    intact: bool
    entries: int
    head: str
    problem: str
    at_entry: int | None


class ExpertIn(Wire):
    name: str = Field(min_length=1, max_length=200, examples=["Dr Ada Lind"])
    role: Literal["worker", "expert", "lead", "admin"] = "expert"
    email: str = Field("", max_length=320)
    proven: bool | None = Field(None, description="decides at once; default: as the server is configured")
    specialties: list[Annotated[str, Field(max_length=60)]] = Field(default_factory=list, max_length=40)
    languages: list[Annotated[str, Field(max_length=20)]] = Field(default_factory=list, max_length=40)
    credential: str = Field("", max_length=200)


class ExpertOut(Wire, json_schema_extra=example(examples.EXPERT)):
    """`token` and `login` only in the answer that makes them."""

    id: Id
    name: str
    role: str
    specialties: list[str]
    languages: list[str]
    credential: str
    stage: str
    revoked: bool
    token: str | None = None
    login: str | None = None


class Guidelines(Wire, json_schema_extra=example(examples.GUIDELINES)):
    """What a new expert acknowledges: a text, and the constitutions in force."""

    html: str
    constitutions: list[LawOut]
    acknowledged: bool
