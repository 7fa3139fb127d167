"""Where people decide: reviews, assignments, decisions, the outbox to the graphs, and the log of events."""

from typing import Any

from sqlalchemy import Index, false, text
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, ref

FREE = ("state", "leased", "escalated")


class Review(SQLModel, table=True):
    """A pending human checkpoint. States: opening, waiting, decided, withdrawn. It resolves once."""

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
    # What a decision here is worth in records put right, the minutes that it takes, and the place in the queue that
    # follows (lower comes first). `inclusion`: the known probability with which the item was drawn, where there is one.
    value: float | None = None
    minutes: float | None = None
    priority: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})
    inclusion: float | None = None
    # Copied from the seed when the review begins to wait: `next` must find the right one among 50,000 by an index.
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
    )


class Assignment(SQLModel, table=True):
    """One review in one person's hands: the lease, its token, the draft and the answer.

    States: leased, released, expired, decided, undone, skipped, declined, escalated, second (an answer that came
    after someone else's decision and is kept as a blind second opinion), vote (the answer of a reviewer who is not
    proven). `answer` holds ids and small values.
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

    __table_args__ = (
        Index("ix_assignments_review_actor", "review_id", "actor", "state"),
        Index("ix_assignments_actor_state", "actor", "state", "opened_at"),
        Index("ix_assignments_expiry", "state", "expires_at"),
        Index("ix_assignments_decision", "decision_id"),
        Index(
            "uq_assignments_leased",
            "review_id",
            unique=True,
            sqlite_where=text("state = 'leased'"),
            postgresql_where=text("state = 'leased'"),
        ),
    )


class Decision(SQLModel, table=True):
    """An expert's answer, with who, by which channel, how long it took and under which schema it was given.

    `confidence`: only where votes settled the item, the probability that panel and votes give the choice.
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
    label: str | None = None
    response_schema: str
    content_hash: str = Field(index=True, max_length=64)
    counts: bool = False
    opened_at: float | None = None
    first_input_at: float | None = None
    decided_at: float
    active_seconds: float | None = None
    undone_at: float | None = None
    carried_from: str | None = None
    confidence: float | None = None
    # The adjudicated decision that took its place; the answer itself stays as its author's evidence.
    overruled_by: str | None = Field(default=None, max_length=64)

    __table_args__ = (Index("ix_decisions_answers", "actor", "undone_at", "decided_at"),)


class Outbox(SQLModel, table=True):
    """Decisions on their way into the graphs. Applied only once the resulting state names the decision."""

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
    """What happened, by whom; ids and numbers only, never texts."""

    __tablename__ = "events"
    id: str = key()
    at: float = Field(index=True)
    actor: str
    kind: str
    subject: str = Field(index=True)
    detail: Any = json_column()
