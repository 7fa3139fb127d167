"""Where people decide: reviews, assignments, decisions, the outbox to the graphs, and the log of events."""

from typing import Any

from sqlalchemy import Index, false, text
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, partial_index, ref

FREE = ("state", "leased", "escalated")
DRAWN = text("kind != 'interrupt' OR inclusion < 1.0")
"""Reviews that measure somebody, or whose item was drawn: few of a large run."""
WAITS = text("state = 'waiting'")
ASKS_FOR_RUBRIC = text("response_schema = 'rubric@1'")
GIVES_ORDERS = text("""CAST(reasons AS VARCHAR) LIKE '%"code": "injection"%'""")
"""Reviews that wait, that ask for a rubric (`responses.RUBRIC`), and whose texts give orders to models. Their indexes
say it in the same words, else a database does not follow them."""


class Review(SQLModel, table=True):
    """A pending human checkpoint. It resolves once.

    Attributes:
        id: a hash of the item, its attempt and the ordinal.
        item_id: the item that is asked about.
        run_id: run of that item.
        recipe: recipe of that run.
        attempt: attempt of that item.
        ordinal: number of the item's reviews before it in this attempt; negative for those that no graph waits for.
        kind: interrupt (a graph waits), audit, overlap, or, for one person: golden, practice, calibration, repeat.
        state: opening (not saved yet), held (by a budget), waiting, decided or withdrawn.
        response_schema: form of the answer, e.g. `pair@1`.
        candidates: list of ids of the candidates shown.
        reasons: list of {code, text, value} that say why a person is asked.
        rule: the rule that sent it here, e.g. pilot, threshold, budget or audit.
        margin: the panel's best probability minus its second, None without a panel.
        confidence: the probability that an expert agrees with the panel, None without a panel.
        thread_id: LangGraph thread of the item's attempt.
        interrupt_id: the interrupt that the answer resumes, None where no graph waits.
        prefer_actor: the person who should get it, or who alone gets it where it is made for one; None for anybody.
        content_hash: names the question: the same request with the same candidates.
        decision_id: the decision that resolved it, None before.
        created_at: when it was opened, epoch seconds.
        resolved_at: when it was decided or withdrawn, None before.
        value: expected number of records that a decision puts right, None where not known.
        minutes: minutes that a decision is expected to take, None where not known.
        priority: its place in the queue by value per minute; the lowest comes first.
        inclusion: known probability with which the item was drawn, None where it was not drawn.
        best: the outcome that the panel found best; None without a verdict, or without a panel.
        specialty: copied from the seed when it begins to wait, in lower case: `next` must find the right one among
            50,000 by an index. None for any.
        lang: likewise.
        escalated: a lead is to answer it.
        leased: somebody has it in hand.
    """

    __tablename__ = "reviews"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    run_id: str = ref("runs.id")
    recipe: str
    attempt: int
    ordinal: int
    kind: str = "interrupt"
    state: str = "opening"
    response_schema: str
    candidates: Any = json_column()
    reasons: Any = json_column()
    rule: str = ""
    margin: float | None = None
    confidence: float | None = None
    thread_id: str
    interrupt_id: str | None = None
    prefer_actor: str | None = None
    content_hash: str = Field(index=True, max_length=64)
    decision_id: str | None = None
    created_at: float
    resolved_at: float | None = None
    value: float | None = None
    minutes: float | None = None
    priority: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})
    inclusion: float | None = None
    best: str | None = None
    specialty: str | None = None
    lang: str | None = None
    escalated: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    leased: bool = Field(default=False, sa_column_kwargs={"server_default": false()})

    __table_args__ = (
        Index("ix_reviews_queue", "state", "created_at", "id"),
        Index("ix_reviews_of_run", "run_id", "created_at", "id"),
        Index("ix_reviews_made", "created_at", "id"),
        Index("ix_reviews_order", "state", "priority", "created_at", "id"),
        Index("ix_reviews_next", *FREE, "specialty", "lang", "priority", "created_at", "id"),
        Index("ix_reviews_specialty", *FREE, "specialty", "priority", "created_at", "id"),
        Index("ix_reviews_prefer", *FREE, "prefer_actor", "priority", "created_at", "id"),
        Index("ix_reviews_first", *FREE, "priority", "created_at", "id"),
        Index("ix_reviews_counts", *FREE, "kind"),
        partial_index("ix_reviews_drawn", "run_id", "item_id", where=DRAWN),
        partial_index("ix_reviews_waiting", "run_id", "kind", "rule", "minutes", "state", where=WAITS),
        partial_index("ix_reviews_rubrics", "run_id", "state", where=ASKS_FOR_RUBRIC),
        partial_index("ix_reviews_orders", "run_id", "state", where=GIVES_ORDERS),
    )


class Assignment(SQLModel, table=True):
    """One review in one person's hands: the lease, its token, the draft and the answer.

    Attributes:
        id: a fresh id.
        review_id: the review.
        actor: the person.
        state: leased, released, expired, decided, undone, skipped, declined, escalated, second (an answer that came
            after someone else's decision and is kept as a blind second opinion), vote (the answer of a reviewer who
            is not proven), late (an answer from a graph that came after the decision, and is never counted).
        token: names the lease in requests, so that an answer cannot arrive twice.
        draft_id: text of an unfinished answer, None without.
        decision_id: the decision that the answer made, None where it made none.
        opened_at: when it was handed out, epoch seconds.
        expires_at: when the lease runs out, epoch seconds.
        heartbeat_at: when the person was last heard of, epoch seconds.
        revealed_at: when the person was shown what panel and others say, None while they are blind.
        closed_at: when the lease ended, None before.
        answer: ids and small values of the answer, None before.
        reason: why it was skipped, declined or undone, None otherwise.
        suggestion: `outcome` that the panel suggested, `how` (shown, randomised) and whether it was `seen`; None
            without, and where more than that was seen.
        checked: what was answered before a model first read the answer (`first`), whether that was `blind`, when (`at`)
            and ids of the texts of what it `said`; None where no model read it.
    """

    __tablename__ = "assignments"
    id: str = key()
    review_id: str = ref("reviews.id")
    actor: str
    state: str = "leased"
    token: str = Field(index=True)
    draft_id: str | None = ref("texts.id", nullable=True)
    decision_id: str | None = None
    opened_at: float
    expires_at: float
    heartbeat_at: float | None = None
    revealed_at: float | None = None
    closed_at: float | None = None
    answer: Any = json_column()
    reason: str | None = None
    suggestion: Any = json_column()
    checked: Any = json_column()

    __table_args__ = (
        Index("ix_assignments_review_actor", "review_id", "actor", "state"),
        Index("ix_assignments_actor_state", "actor", "state", "opened_at"),
        Index("ix_assignments_expiry", "state", "expires_at"),
        Index("ix_assignments_decision", "decision_id"),
        partial_index("uq_assignments_leased", "review_id", where=text("state = 'leased'"), unique=True),
    )


class Decision(SQLModel, table=True):
    """An expert's answer, with who gave it, by which channel, how long it took and under which schema.

    Attributes:
        id: a fresh id; of a decision that was carried over a hash of the review and the earlier one.
        review_id: the review answered.
        item_id: its item.
        ordinal: ordinal of the review.
        actor: who decided.
        channel: how it came: page, api, cli, python, bulk, import, votes, carried, adjudication.
        choice: what was chosen, from the closed set of the response schema.
        candidate_id: the candidate chosen, None where the choice names none.
        edit_id: text of the edited candidate, None without.
        guidance_id: text of what a redraft should do, None without.
        rationale_id: text of the reasons, None without.
        principles: list of ids of the principles cited.
        flags: candidate id -> list of flags, e.g. unsafe.
        scores: criterion -> score, None without.
        strength: how clear the preference is, 1 to 3; None where it was not asked.
        evidence: words that the answer points to, each with candidate, start, end and flag; None without.
        label: the label chosen, in recipes of labels; None otherwise.
        response_schema: form of the answer.
        content_hash: names the question: the same request with the same candidates.
        counts: it was given by an expert with a token of their own, and counts for learning.
        opened_at: when the review was opened, None where not known.
        first_input_at: when the person first touched the form, None where not known.
        decided_at: when it was decided, epoch seconds.
        active_seconds: time that the person was active on it, None where not known.
        undone_at: when it was taken back, None while it stands.
        carried_from: the decision of an earlier run that it repeats, None otherwise.
        confidence: probability that panel and votes give the choice; only where votes settled the item.
        shares: outcome -> its probability by panel and votes together; only where votes settled the item.
        suggestion: as of the turn in which it was given.
        checked: as of the turn, with the parts of the answer that were `changed` after it, and whether it was given
            `alone`: with nothing but the check in sight.
        overruled_by: the adjudicated decision that took its place, None otherwise; the answer itself stays as its
            author's evidence.
    """

    __tablename__ = "decisions"
    id: str = key()
    review_id: str = ref("reviews.id", index=True)
    item_id: str = ref("items.id", index=True)
    ordinal: int
    actor: str = Field(index=True)
    channel: str
    choice: str
    candidate_id: str | None = ref("candidates.id", nullable=True)
    edit_id: str | None = ref("texts.id", nullable=True)
    guidance_id: str | None = ref("texts.id", nullable=True)
    rationale_id: str | None = ref("texts.id", nullable=True)
    principles: Any = json_column()
    flags: Any = json_column()
    scores: Any = json_column()
    strength: int | None = None
    evidence: Any = json_column()
    label: str | None = None
    response_schema: str
    content_hash: str = Field(index=True, max_length=64)
    counts: bool = False
    suggestion: Any = json_column()
    checked: Any = json_column()
    opened_at: float | None = None
    first_input_at: float | None = None
    decided_at: float
    active_seconds: float | None = None
    undone_at: float | None = None
    carried_from: str | None = None
    confidence: float | None = None
    shares: Any = json_column()
    overruled_by: str | None = Field(default=None, max_length=64)

    __table_args__ = (
        Index("ix_decisions_answers", "actor", "undone_at", "decided_at", "carried_from"),
        Index("ix_decisions_newest", "decided_at"),
        partial_index("ix_decisions_again", "actor", "content_hash", where=text("undone_at IS NULL")),
        partial_index("ix_decisions_carried", "item_id", where=text("carried_from IS NOT NULL")),
    )


class Outbox(SQLModel, table=True):
    """A decision on its way into its graph. Applied only once the resulting state names the decision.

    Attributes:
        decision_id: the decision.
        item_id: the item whose graph waits for it.
        created_at: when it was decided, epoch seconds.
        claimed_by: name of the worker that delivers it, None where none does.
        claimed_until: when that claim runs out, None without one.
        applied_at: when the graph had taken it in, None before.
        tries: how often a worker began to deliver it.
        problem: why the last try failed, None where none did.
    """

    __tablename__ = "outbox"
    decision_id: str = key()
    item_id: str = ref("items.id", index=True)
    created_at: float
    claimed_by: str | None = None
    claimed_until: float | None = None
    applied_at: float | None = None
    tries: int = 0
    problem: str | None = None

    __table_args__ = (Index("ix_outbox_pending", "applied_at", "created_at"),)


class Event(SQLModel, table=True):
    """What happened, by whom; ids and numbers only, never texts.

    Attributes:
        id: a fresh id, roughly ordered by time.
        at: when it happened, epoch seconds.
        actor: who did it; `system` where no person did.
        kind: what happened, e.g. `withdrawn`.
        subject: id of what it happened to.
        detail: further ids and numbers.
    """

    __tablename__ = "events"
    id: str = key()
    at: float = Field(index=True)
    actor: str
    kind: str
    subject: str = Field(index=True)
    detail: Any = json_column()

    __table_args__ = (
        partial_index("ix_events_taken_out", "subject", where=text("kind IN ('doubted', 'turned')")),
    )
