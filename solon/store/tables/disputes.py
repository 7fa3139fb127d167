"""Where people disagree or know beforehand: adjudications, known questions, proposals; and what is sent out."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, ref


class Adjudication(SQLModel, table=True):
    """One question on which reviewers disagree. States: open, decided, contested, withdrawn.

    `answers` are ids of assignments, in the order in which they are numbered for the adjudicator. `soft` maps ids of
    texts to the share of people who hold that one to be better; only where the question stays contested.
    """

    __tablename__ = "adjudications"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    review_id: str = ref("reviews.id")
    content_hash: str = Field(index=True, max_length=64)
    state: str = Field(default="open")
    answers: Any = json_column()
    actor: str | None = None
    informed: bool = False
    choice: str | None = None
    candidate_id: str | None = ref("candidates.id", nullable=True)
    principle: str | None = None
    reason_id: str | None = ref("texts.id", nullable=True)
    decision_id: str | None = None
    soft: Any = json_column()
    created_at: float
    decided_at: float | None = None

    __table_args__ = (Index("ix_adjudications_state", "state", "created_at", "id"),)


class Reply(SQLModel, table=True):
    """What a reviewer says to the outcome, once. Stances: accepts, maintains."""

    __tablename__ = "adjudication_replies"
    id: str = key()
    adjudication_id: str = ref("adjudications.id", index=True)
    actor: str
    stance: str
    text_id: str | None = ref("texts.id", nullable=True)
    created_at: float


class Known(SQLModel, table=True):
    """A question whose answer is known. Purposes: golden (reliability), practice (feedback), calibration (all answer).

    Its item belongs to a run that stands in no list; each time somebody is asked, a review of their own is made.
    """

    __tablename__ = "known_items"
    id: str = key()
    item_id: str = ref("items.id")
    purpose: str = Field(index=True)
    content_hash: str = Field(index=True, max_length=64)
    response_schema: str
    candidates: Any = json_column()
    choice: str | None = None
    candidate_id: str | None = ref("candidates.id", nullable=True)
    reason_id: str | None = ref("texts.id", nullable=True)
    created_at: float
    retired_at: float | None = None


class Proposal(SQLModel, table=True):
    """A principle that a reviewer proposes with an answer. States: open, taken, declined."""

    __tablename__ = "proposals"
    id: str = key()
    review_id: str = ref("reviews.id", index=True)
    decision_id: str | None = None
    actor: str
    text_id: str = ref("texts.id")
    state: str = Field(default="open", index=True)
    created_at: float
    # What a lead made of it: the draft that it went into, or a sentence why not.
    amendment_id: str | None = Field(default=None, max_length=64)
    reason_id: str | None = ref("texts.id", nullable=True)
    closed_by: str | None = None
    closed_at: float | None = None


class HookDelivery(SQLModel, table=True):
    """An event on its way to a webhook: ids only. Given up after the last try; `problem` says why."""

    __tablename__ = "hook_deliveries"
    id: str = key()
    event: str
    subject: str = Field(max_length=64)
    hook: str
    created_at: float
    due_at: float
    tries: int = 0
    delivered_at: float | None = None
    given_up_at: float | None = None
    problem: str | None = None

    __table_args__ = (
        Index("ix_hook_deliveries_due", "delivered_at", "given_up_at", "due_at"),
        Index("ix_hook_deliveries_subject", "subject", "event"),
    )


class Job(SQLModel, table=True):
    """Work asked for over the API that takes longer than a request. States: queued, running, done, failed.

    `progress`: how far it is, and what it has spent; `heartbeat_at`: when its server last said that it works on it;
    `tries`: servers that began it.
    """

    __tablename__ = "jobs"
    id: str = key()
    kind: str
    state: str = Field(default="queued", index=True)
    actor: str
    asked: Any = json_column()
    result: Any = json_column()
    problem: str | None = None
    created_at: float
    finished_at: float | None = None
    progress: Any = json_column()
    heartbeat_at: float | None = None
    tries: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
