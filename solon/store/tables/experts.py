"""Who may answer: experts, their ways in, and the sealed log of what everyone did. Tokens are stored hashed only."""

from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, ref


class Expert(SQLModel, table=True):
    """A person who answers reviews.

    Attributes:
        id: a fresh id; decisions and logs name the person by it, as `expert:ID`.
        name: what others see; unique in the store.
        role: worker, expert, lead or admin.
        specialties: list of the fields that the person knows.
        languages: list of codes of the languages that the person reads; empty for any.
        credential: the person's qualification as it was entered; may be empty.
        token_key: the public part of the token, by which the row is found.
        token_hash: argon2 hash that proves the secret part.
        token_made_at: when the token in use was made, epoch seconds.
        settings: the person's own settings of the review page.
        trust: `proven` or `unproven` where a lead said so, else empty.
        measured: reliability with n, low and high, from blind answers beside those of others; written when the store
            learns, None before.
        created_at: when the person was added, epoch seconds.
        revoked_at: when the person was shut out, None while they may act.
        stage: guidelines, practice, calibration or proven. Whoever is not proven decides nothing.
        acknowledged_at: when the guidelines were read and accepted, None before.
        email: where mails go, None for nowhere.
        subject: issuer and subject of a single sign-on, None without one.
    """

    __tablename__ = "experts"
    id: str = key()
    name: str = Field(unique=True, max_length=200)
    role: str = "expert"
    specialties: Any = json_column()
    languages: Any = json_column()
    credential: str = ""
    token_key: str = Field(index=True, max_length=64)
    token_hash: str
    token_made_at: float
    settings: Any = json_column()
    trust: str = Field(default="", sa_column_kwargs={"server_default": ""})
    measured: Any = json_column()
    created_at: float
    revoked_at: float | None = None
    stage: str = Field(default="proven", sa_column_kwargs={"server_default": "proven"})
    acknowledged_at: float | None = None
    email: str | None = Field(default=None, max_length=320)
    subject: str | None = Field(default=None, max_length=400)

    __table_args__ = (UniqueConstraint("subject", name="uq_experts_subject"),)


class LoginLink(SQLModel, table=True):
    """A way in that works once, for ten minutes.

    Attributes:
        id: a hash of the secret in the link.
        expert_id: whom it lets in.
        created_at: when it was made, epoch seconds.
        expires_at: when it stops working, epoch seconds.
        used_at: when it was used, None while it still may be.
    """

    __tablename__ = "login_links"
    id: str = key()
    expert_id: str = ref("experts.id", index=True)
    created_at: float
    expires_at: float
    used_at: float | None = None


class Session(SQLModel, table=True):
    """A browser that is logged in.

    Attributes:
        id: a hash of what the cookie holds.
        expert_id: who is logged in.
        created_at: when the person logged in, epoch seconds.
        seen_at: when the browser was last heard of, epoch seconds.
        expires_at: when the session ends by itself, epoch seconds.
        ended_at: when it was ended before that, None otherwise.
    """

    __tablename__ = "sessions"
    id: str = key()
    expert_id: str = ref("experts.id", index=True)
    created_at: float
    seen_at: float
    expires_at: float
    ended_at: float | None = None


class AuditEntry(SQLModel, table=True):
    """One entry of the sealed log: ids, numbers and keyed hashes, so that it still verifies once texts are erased.

    Attributes:
        seq: place in the chain, from 1 without a gap.
        at: when it happened, epoch seconds.
        actor: who did it.
        action: what was done, e.g. `privacy.held`.
        subject: id of what it was done to.
        detail: further ids and numbers.
        key_id: short name of the key that sealed the entry; tells nothing of the key.
        previous: seal of the entry before; zeros for the first.
        hash: the seal, an HMAC over all the other columns.
    """

    __tablename__ = "audit_log"
    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: float = Field(index=True)
    actor: str
    action: str
    subject: str = Field(index=True)
    detail: Any = json_column()
    key_id: str = Field(max_length=16)
    previous: str = Field(max_length=64)
    hash: str = Field(max_length=64)

    __table_args__ = (Index("ix_audit_log_actor", "actor", "action"),)
