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
    """What every error holds.

    Attributes:
        error: code of the error.
        cause: what is wrong.
        next_step: what to do next.
        field: the field it is about; null where none.
        kept: id of the assignment in which the answer is kept; null where none.
    """

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


class SeedCriterionOut(Wire):
    """A criterion of the rubric that a seed brought.

    Attributes:
        id: C1, C2, ...; scores of single answers name it so.
        name: a short name; may be empty.
        text: what is scored.
        weight: its part in the whole; all of a rubric sum to 1.
        scores: what an answer with each of 1 to 5 looks like; empty where the rubric does not say.
    """

    id: str
    name: str
    text: str
    weight: float
    scores: list[str] = Field(default_factory=list)


class Turn(Wire):
    role: str
    content: str


class RemarkOut(Wire):
    """Something that code or a critic found in a text.

    Attributes:
        principle: id of the principle that is broken; empty where none is named.
        quote: the words that it is about; may be empty.
        suggestion: how to mend it.
    """

    principle: str
    quote: str
    severity: str = Field(description="minor, major or fatal, as the critic said it")
    suggestion: str


class FirstAnswer(Wire):
    """What somebody else answered before.

    Attributes:
        choice: what they chose.
        text: the text that they made of the candidate; empty where they did not edit it.
        rationale: why, in their words; empty where they gave no reason.
    """

    choice: Choice
    text: str
    rationale: str


class OrderOut(Wire, json_schema_extra=example(examples.ORDER)):
    """Words of a text that give orders to models.

    Attributes:
        where: `prompt`, `input`, `turn 1` of those before it, or the id of a candidate.
        start: where they begin, in characters (code points) of the text.
        end: where they end, exclusive.
        quote: the words.
        tries: what they try, in words.
    """

    where: str
    start: int
    end: int
    quote: str
    tries: str


class BlindItem(Wire, json_schema_extra=example(examples.BLIND_ITEM)):
    """A review before its answer.

    Attributes:
        assignment: id of this person's turn.
        review: id of the review.
        token: precondition and idempotency key of the decision.
        leased_until: until when nobody else gets it, in epoch seconds.
        answer_schema: name of the closed set of answers.
        choices: the answers that may be given.
        recipe: name of the recipe.
        prompt: the request, as it is shown.
        turns: the conversation before it, if there was one.
        input: the text that the request is about; empty without one.
        asks: of a request of which nothing is drafted yet, what has to be decided about it; empty otherwise.
        reference: the source that answers are checked against; empty without one.
        candidates: the candidates, in an order drawn for this review and this person.
        constitution: name and version of the constitution.
        principles: the principles that may be cited.
        criteria: the criteria with their anchors.
        rubric: what this request asks of an answer, where the seed brought a rubric and judges go by it; else empty.
        rationale_wanted: a reason is needed, whatever is answered.
        rationale_for: the choices that are refused without a reason; all, where `rationale_wanted`.
        may_check: a model reads the answer before it is sent, where that is asked for.
        draft: what was typed before, in the fields of an answer; null where nothing.
        suggestion: what the panel found, in words; empty where none is shown.
        remarks: what was found in the candidate, where the question shows that; else empty.
        fix: the candidate as a model would have it, where the question shows that; an `edit` with this text takes it.
        first: what the first person answered, where further people are told; else null.
        orders: words of these texts that give orders to models; whoever judges need not do what they say.
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
    asks: str = ""
    reference: str
    candidates: list[ShownCandidate]
    constitution: str = Field(examples=["general 1.0.0"])
    principles: list[ShownPrinciple]
    criteria: list[ShownCriterion]
    rubric: list[SeedCriterionOut] = Field(default_factory=list)
    rationale_wanted: bool
    rationale_for: list[str] = Field(default_factory=list, examples=[["both_bad", "edit"]])
    may_check: bool = False
    draft: dict[str, Any] | None
    suggestion: str = ""
    remarks: list[RemarkOut] = Field(default_factory=list)
    fix: str = ""
    first: FirstAnswer | None = None
    orders: list[OrderOut] = Field(default_factory=list)


Written = Annotated[str, Field(max_length=20_000)]


class InstructionIn(Wire):
    """An instruction of one's own.

    Attributes:
        prompt: the request.
        input: the text that the request is about; may be empty.
        answer: the answer to it.
    """

    prompt: Written = Field(min_length=1, examples=["The kitchen tap drips. What can I do tonight?"])
    input: Written = ""
    answer: Written = Field(min_length=1, examples=["Close the valve under the sink."])


class InstructionOut(Wire, json_schema_extra=example(examples.INSTRUCTION)):
    """`item`: id of the item that the instruction became."""

    item: Id


class CheckIn(Wire, json_schema_extra=example(examples.CHECK_IN)):
    """`answer`: as it would be sent."""

    answer: dict[str, Any] = Field(
        examples=[{"choice": "both_bad", "rationale": "Both give twice the safe dose."}]
    )


class CheckRemarkOut(Wire):
    """Something that may be wrong with an answer.

    Attributes:
        kind: the reason speaks for another answer; a principle or an earlier decision speaks against it; a reason is
            missing.
        text: the remark, as a model wrote it.
        cites: ids of the principles and earlier decisions that it rests on.
    """

    kind: Literal["contradiction", "principle", "precedent", "missing_reason"]
    text: str
    cites: list[str]


class CheckOut(Wire, json_schema_extra=example(examples.CHECK)):
    """What a model said of an answer before it is sent.

    Attributes:
        made: the model read it; where it could not, nothing is noted and the answer may be sent all the same.
        remarks: what may be wrong; empty where it found nothing.
        message: the same in a sentence.
    """

    made: bool
    remarks: list[CheckRemarkOut]
    message: str


class NextIn(Wire):
    """`exclude`: assignments that are on screen or just answered."""

    exclude: list[Id] = Field(default_factory=list, max_length=32)


EmptyReason = Literal[
    "all_done", "nothing_for_you", "in_hand", "held", "being_judged", "stopped", "guidelines", "onboarding"
]


class NextOut(Wire, json_schema_extra=example(examples.NEXT)):
    """The next review, or why there is none.

    Attributes:
        item: the review; null where there is none.
        empty: why there is none; null where there is one.
        message: the same in words.
        until: when the panel will be through at its pace, in epoch seconds; null where not known.
    """

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
    """An answer to a review that one has in hand.

    Attributes:
        token: that of the lease; else the header `If-Match`.
        answer: an object with `choice` (one of the item's `choices`, or `skip`, `decline`, `escalate`) and what belongs
            to it: `candidate` (an id, of `prefer` and `edit`), `text` (of `edit` and `write`), `guidance` (of
            `redraft`), `ranking`, `spans`, `reason` (of `decline`), `vote` (an answer, of `escalate`), the fields of
            the item's form; and with any answer `rationale`, `strength` (1 to 3), `flags` and `scores` by candidate and
            criterion, `principles`, `evidence` (marked words) and `proposal` (a rule for the constitution).
        times: when it was begun, and how long it took.
        next: ask for the next review at once.
        exclude: assignments that are on screen or just answered.
    """

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
    """What became of an answer.

    Attributes:
        kind: what became of it; `second`: someone decided first, and it is kept as a blind second opinion.
        review: id of the review.
        assignment: id of this person's turn.
        decision: id of the decision; null where none was made.
        replayed: the same answer had come before.
        message: the same in words.
        next: the next review, where it was asked for.
    """

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
    """One of one's own answers.

    Attributes:
        kind: a decision, one that somebody else took back, a vote, or how a question that still waits was set aside.
        decision: id that takes it back; of all but a decision it is the assignment's.
        review: id of the review.
        choice: one of the closed set of answers.
        candidate: id of the candidate that the choice is about; null where it is about all.
        place: number of that candidate as the caller saw them, from 1; null without one, or where one alone was shown.
        rankings: of a ranking, by the name of each question (empty where it has none), such numbers, the best first;
            tied ones stand together. Empty of other answers.
        decided_at: when it was decided, in epoch seconds.
        undoable: it can still be taken back.
        prompt: the request, as it is shown.
    """

    kind: Literal["decided", "taken_back", "vote", "skipped", "declined", "escalated"]
    decision: Id
    review: Id
    choice: str
    candidate: Id | None
    place: int | None
    rankings: dict[str, list[list[int]]]
    decided_at: float
    undoable: bool
    prompt: str


class EvidenceOut(Wire):
    """Words of a candidate that an answer points to.

    Attributes:
        candidate: id of the candidate.
        start: where they begin, in characters (code points) of its text.
        end: where they end, exclusive.
        flag: the flag that they are the evidence of; null: of the reason.
        quote: the words; empty where the text was erased.
    """

    candidate: Id
    start: int
    end: int
    flag: str | None
    quote: str


class PreviewIn(Wire):
    """A text that somebody is writing on the page."""

    text: str = Field(max_length=200_000)


class Progress(Wire):
    """How far the work is.

    Attributes:
        mine_today: the caller's answers of the last 24 hours.
        mine: the caller's answers in all.
        team: everybody's answers.
        waiting: reviews that wait.
        left: reviews that the caller has in hand or would be given now; more than 1,000 are not counted.
    """

    mine_today: int
    mine: int
    team: int
    waiting: int
    left: int


class Me(Wire, json_schema_extra=example(examples.ME)):
    """Who is logged in.

    Attributes:
        id: its id.
        name: the person's name.
        role: what the person may do: worker, expert, lead or admin.
        specialties: fields that the person answers in.
        languages: languages that the person answers in.
        settings: settings of the page.
        progress: how far the work is.
        stage: guidelines, practice, calibration or proven.
    """

    id: Id
    name: str
    role: str
    specialties: list[str]
    languages: list[str]
    settings: dict[str, Any]
    progress: Progress
    stage: str = Field(examples=["proven"])


class SettingsIn(Wire, json_schema_extra=example(examples.SETTINGS)):
    """The page's settings.

    Attributes:
        keys: keys by action.
        keys_on: keys work.
        send_at_once: a choice is sent without a further key.
        together: both answers scroll together.
        lock_minutes: idle minutes after which the text is covered; 0: never.
        session_minutes: minutes after which the page reminds of a break; 0: never.
    """

    keys: dict[Annotated[str, Field(max_length=20)], Annotated[str, Field(max_length=20)]] = Field(
        default_factory=dict, max_length=40
    )
    keys_on: bool = True
    send_at_once: bool = False
    together: bool = True
    lock_minutes: int = Field(15, ge=0, le=240)
    session_minutes: int = Field(45, ge=0, le=480)
    mails: bool = Field(True, description="a daily mail with counts, where an address is known")


class ReviewOut(Wire):
    """A review in the leads' list.

    Attributes:
        id: its id.
        item_id: id of the item.
        run_id: id of the run.
        recipe: name of the recipe.
        kind: interrupt, audit, overlap, ....
        state: where it stands.
        leased: someone has it in hand.
        escalated: it waits for a lead.
        specialty: field that is asked for; null: any.
        lang: language that is asked for; null: any.
        rule: what brought it to a person.
        reasons: why, in words.
        margin: how far the first outcome leads the second, 0 to 1; null without a panel.
        confidence: the panel's probability of its best outcome; null without a panel.
        constitution: name and version of the constitution.
        created_at: since when it waits, in epoch seconds.
        resolved_at: when it ended, in epoch seconds; null before.
        prompt: the request, as it is shown.
    """

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
    """One person's work, and their agreement with others' blind answers on the same reviews.

    Attributes:
        id: its id.
        name: the person's name.
        role: what the person may do: worker, expert, lead or admin.
        decided: decisions, but for second opinions.
        vote: votes.
        second: second opinions: answers to an overlap, and those that came after another's decision.
        skipped: reviews skipped.
        declined: reviews declined.
        escalated: reviews handed to a lead.
        median_seconds: median seconds of active work on a decision, vote or second opinion; null of none.
        compared: how many blind answers were compared with others'.
        agreed: how many of these agreed.
        agreement: that share's exact 95% interval; null of none.
        known: golden questions answered.
        known_right: golden questions answered rightly.
        known_interval: exact 95% interval of that rate; null of none.
        stage: guidelines, practice, calibration or proven.
        revoked: the person may not log in any more.
    """

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


class SignOut(Wire):
    """A sign that a person may not read.

    Attributes:
        kind: hurried, place, key or follows.
        told: what it says of the person.
        n: answers that could show it.
        count: answers that did.
        p: exact p-value, adjusted for the number of people.
        alarm: a lead should look.
    """

    kind: str
    told: str
    n: int
    count: int
    p: float
    alarm: bool


class PersonTest(Wire):
    """One person's answers to golden questions against the wanted level, and how they answer.

    Attributes:
        id: the person's id.
        name: the person's name.
        n: golden questions answered.
        right: golden questions answered rightly.
        interval: exact 95% interval of that rate.
        p: two-sided exact p-value against the wanted level, adjusted for the number of people.
        verdict: in words: meets it, does not meet it, or cannot tell yet, with how many more it takes.
        power_better: how often so many answers tell somebody at `better`.
        power_worse: how often so many answers tell somebody at `worse`.
        signs: hurried, place, key and follows.
    """

    id: Id
    name: str
    n: int
    right: int
    interval: list[float]
    p: float
    verdict: str
    power_better: float
    power_worse: float
    signs: list[SignOut]


class PeopleTest(Wire):
    """Everybody's test. Nothing follows from it by itself.

    Attributes:
        wanted: share of golden questions that a person shall answer rightly.
        better: the level above it at which power is stated.
        worse: the level below it at which power is stated.
        tested: people who answered any golden question.
        people: everybody, by name.
    """

    wanted: float
    better: float
    worse: float
    tested: int
    people: list[PersonTest]


class RunStats(Wire):
    """A run in figures.

    Attributes:
        id: its id.
        recipe: name of the recipe.
        status: how the run stands.
        items: items in all.
        accepted: items accepted.
        rejected: items rejected.
        waiting: items that wait for a person.
        failed: items that failed.
        queued: items not judged yet.
        forgotten: items whose texts were erased.
        decisions_to_apply: decisions that wait for a worker.
        calls: model calls, as of a minute ago, in large stores of up to ten.
        tokens: tokens of these.
        cost: their price; null where not known.
        seconds: how long the run has worked.
        created_at: when it was begun, in epoch seconds.
        learned: what the newest consensus version learned of the judges, in words; empty where nothing showed.
    """

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
    learned: str


class SelfAgreement(Wire):
    """How one person answered, blind, what they had answered before.

    Attributes:
        id: its id.
        name: the person's name.
        asked: how often they were asked again.
        same: how often they answered alike.
        interval: exact 95% interval of that rate; null of none.
    """

    id: Id
    name: str
    asked: int
    same: int
    interval: list[float] | None


class QueueCounts(Wire, json_schema_extra=example(examples.QUEUE)):
    """Reviews that wait, and decisions that wait to be applied.

    Attributes:
        free: reviews that anybody may take.
        leased: reviews in someone's hands.
        escalated: reviews that wait for a lead.
        opening: reviews being prepared.
        held: reviews held back under a budget.
        to_apply: decisions that wait for a worker.
        worker: why they do; empty where nothing stops it.
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
    """The work in figures; an expert sees their own.

    Attributes:
        queue: the reviews that wait.
        me: the caller's own work; null where the caller answers nothing.
        team: everybody's work, for leads only.
        runs: the runs, for leads only.
        compared: pairs of blind answers of two people, in the newest run that a panel judged; in all runs without one.
        agreed: how many of these agreed.
        agreement: that share's 95% interval; null of fewer than five pairs.
        compared_in: id of that run; null without one.
        repeated: who was asked the same again, for leads only.
        test: everybody against the wanted level, and who may not read; for leads only.
    """

    queue: QueueCounts
    me: ReviewerStats | None
    team: list[ReviewerStats] | None = None
    runs: list[RunStats] | None = None
    compared: int | None = None
    agreed: int | None = None
    agreement: list[float] | None = None
    compared_in: Id | None = None
    repeated: list[SelfAgreement] | None = None
    test: PeopleTest | None = None


class LawOut(Wire, json_schema_extra=example(examples.LAW)):
    """One version of a constitution or rubric.

    Attributes:
        id: its id.
        name: its name.
        version: its version.
        status: `in_force`, or `superseded` by a later version.
        author: who wrote it.
        reason: why it was written.
        created_at: when it was made, in epoch seconds.
        in_force_at: since when it is in force, in epoch seconds; null where it never was.
        document: the law itself.
    """

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
    """A difference between two versions of a law.

    Attributes:
        action: what was done.
        id: id of the principle or criterion.
        field: which field differs; `order` for a new order; empty unless `changed`.
        old: how it was before.
        new: how it is after.
    """

    action: str
    id: str
    field: str
    old: Any
    new: Any


class AuditOut(Wire):
    """An entry of the log.

    Attributes:
        seq: its number in the log.
        at: when it happened, in epoch seconds.
        actor: who did it.
        action: what was done.
        subject: what it was done to.
        detail: what else is noted.
        hash: what seals it and all before it.
    """

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
    """Whether the log verifies.

    Attributes:
        intact: the chain verifies.
        entries: how many entries were checked.
        head: hash of the last one.
        problem: what does not fit; empty where all does.
        at_entry: number of the first entry that does not fit; null where all do.
    """

    intact: bool
    entries: int
    head: str
    problem: str
    at_entry: int | None


class ExpertIn(Wire):
    """A person to add.

    Attributes:
        name: the person's name.
        role: what the person may do: worker, expert, lead or admin.
        email: address for the daily mail and single sign-on; empty for none.
        specialties: fields that the person answers in.
        languages: languages that the person answers in.
        credential: what the person is qualified by.
    """

    name: str = Field(min_length=1, max_length=200, examples=["Dr Ada Lind"])
    role: Literal["worker", "expert", "lead", "admin"] = "expert"
    email: str = Field("", max_length=320)
    proven: bool | None = Field(None, description="decides at once; default: as the server is configured")
    specialties: list[Annotated[str, Field(max_length=60)]] = Field(default_factory=list, max_length=40)
    languages: list[Annotated[str, Field(max_length=20)]] = Field(default_factory=list, max_length=40)
    credential: str = Field("", max_length=200)


class ExpertOut(Wire, json_schema_extra=example(examples.EXPERT)):
    """A person.

    Attributes:
        id: its id.
        name: the person's name.
        role: what the person may do: worker, expert, lead or admin.
        specialties: fields that the person answers in.
        languages: languages that the person answers in.
        credential: what the person is qualified by.
        stage: guidelines, practice, calibration or proven.
        revoked: the person may not log in any more.
        token: the key to log in with, only in the answer that makes it.
        login: a link to log in with, only in the answer that makes it.
    """

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
