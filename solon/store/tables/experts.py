"""Who may answer: experts, their ways in, and the sealed log of what everyone did. Tokens are stored hashed only."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, ref


class Expert(SQLModel, table=True):
    """A person who answers reviews. `token_key` finds the row, `token_hash` proves it. Roles: see `store.experts`.

    `trust`: proven or unproven where a lead said so, else empty. `measured`: reliability, n, low and high, from blind
    answers beside those of others; written when the store learns.
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
    # Stages: guidelines, practice, calibration, proven. Only who is proven decides.
    stage: str = Field(default="proven", sa_column_kwargs={"server_default": "proven"})
    acknowledged_at: float | None = None
    email: str | None = Field(default=None, max_length=320)
    # issuer and subject of a single sign-on
    subject: str | None = Field(default=None, unique=True, max_length=400)


class LoginLink(SQLModel, table=True):
    """A way in that works once, for ten minutes. The id is a hash of the secret in the link."""

    __tablename__ = "login_links"
    id: str = key()
    expert_id: str = ref("experts.id", index=True)
    created_at: float
    expires_at: float
    used_at: float | None = None


class Session(SQLModel, table=True):
    """A browser that is logged in. The id is a hash of what the cookie holds."""

    __tablename__ = "sessions"
    id: str = key()
    expert_id: str = ref("experts.id", index=True)
    created_at: float
    seen_at: float
    expires_at: float
    ended_at: float | None = None


class AuditEntry(SQLModel, table=True):
    """One link of the chain: ids, numbers and keyed hashes, so that it still verifies once texts are erased."""

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
