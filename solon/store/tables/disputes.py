"""Questions on which people disagree, questions with a known answer, what reviewers propose; webhooks and jobs."""

from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, ref


class Adjudication(SQLModel, table=True):
    """One question on which reviewers disagree.

    Attributes:
        id: a hash of the item and the content hash.
        item_id: the item in question.
        review_id: the review on which the disagreement was seen first.
        content_hash: names the question: the same request with the same candidates.
        state: open, decided, contested (reviewers hold to their answers against the ruling, or it ruled so),
            withdrawn.
        answers: list of ids of assignments, in the order in which they are numbered for the adjudicator.
        actor: the lead who decided, None before.
        informed: whether that lead had opened the item's page, with what the panel said, before.
        choice: what was ruled, None before.
        candidate_id: the candidate that the ruling prefers, None where it prefers none.
        principle: id of the principle that the ruling cites, None without.
        reason_id: text of its reasons, None without.
        decision_id: the decision that the ruling made, None where it made none.
        soft: id of a text -> share of people who hold that one to be better; only where the question stays
            contested.
        created_at: when the disagreement was seen, epoch seconds.
        decided_at: when it was ruled, None before.
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
    """What a reviewer says, once, to the outcome of an adjudication.

    Attributes:
        id: a hash of the adjudication and the person.
        adjudication_id: the adjudication.
        actor: the reviewer.
        stance: `accepts` or `maintains`.
        text_id: text of what they add, None without.
        created_at: when it was said, epoch seconds.
    """

    __tablename__ = "adjudication_replies"
    id: str = key()
    adjudication_id: str = ref("adjudications.id", index=True)
    actor: str
    stance: str
    text_id: str | None = ref("texts.id", nullable=True)
    created_at: float


class Known(SQLModel, table=True):
    """A question whose answer is known. Its item belongs to a run that stands in no list; each time somebody is
    asked, a review of their own is made.

    Attributes:
        id: a hash of the purpose and the item.
        item_id: the item with the request.
        purpose: golden (measures reliability), practice (gives feedback) or calibration (everybody answers it).
        content_hash: names the question: the same request with the same candidates.
        response_schema: form of the answer, e.g. `pair@1`.
        candidates: list of ids of the candidates shown.
        choice: the known answer; None where a calibration question has none.
        candidate_id: the candidate that the answer prefers, None where it prefers none.
        reason_id: text that explains the answer, None without.
        created_at: when it was imported, epoch seconds.
        retired_at: when it was taken out of use, None while it is asked.
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
    """A principle that a reviewer proposes with an answer.

    Attributes:
        id: a hash of the review, the person and the text.
        review_id: the review that was answered.
        decision_id: the decision of that answer, None where it did not decide.
        actor: who proposes it.
        text_id: text of the principle.
        state: open, taken, declined, or withdrawn with its answer.
        created_at: when it was proposed, epoch seconds.
        amendment_id: the draft that a lead took it into, None otherwise.
        reason_id: text in which a lead says why not, None otherwise.
        closed_by: the lead who closed it, None while it is open.
        closed_at: when it was closed, None while it is open.
    """

    __tablename__ = "proposals"
    id: str = key()
    review_id: str = ref("reviews.id", index=True)
    decision_id: str | None = None
    actor: str
    text_id: str = ref("texts.id")
    state: str = Field(default="open", index=True)
    created_at: float
    amendment_id: str | None = Field(default=None, max_length=64)
    reason_id: str | None = Field(default=None, max_length=64)
    closed_by: str | None = None
    closed_at: float | None = None

    __table_args__ = (ForeignKeyConstraint(["reason_id"], ["texts.id"], name="fk_proposals_reason"),)


class HookDelivery(SQLModel, table=True):
    """An event on its way to a webhook: ids only.

    Attributes:
        id: a hash of the event, what happened and the address.
        event: kind of event, e.g. `review.created`.
        subject: id of the review or constitution that it is about.
        hook: address of the webhook.
        created_at: when it happened, epoch seconds.
        due_at: when it is to be sent next, epoch seconds.
        tries: rounds of sending so far.
        delivered_at: when it arrived, None before.
        given_up_at: when it was given up after the last round, None otherwise.
        problem: why the last round failed, None where none did.
    """

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
    """Work asked for over the API that takes longer than a request.

    Attributes:
        id: a fresh id.
        kind: what is done, e.g. `impact` or `rejudge`.
        state: queued, running, done or failed.
        actor: who asked for it.
        asked: what was asked for, as JSON.
        result: what came of it, None before.
        problem: why it failed, None otherwise.
        created_at: when it was asked for, epoch seconds.
        finished_at: when it ended, None before.
        progress: how far it is and what it has spent, None before it began.
        heartbeat_at: when its server last said that it works on it, None before.
        tries: servers that began it.
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
