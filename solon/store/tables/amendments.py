"""How law changes: amendments, what they would have changed, and who voted."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, ref


class Amendment(SQLModel, table=True):
    """A proposed next version of a constitution or rubric. States: drafted, measured, ratified, rejected.

    `document` is the whole draft, frozen at `created_at`; `cites` and `overrules` are ids of decisions.
    """

    __tablename__ = "amendments"
    id: str = key()
    kind: str
    name: str = Field(index=True)
    scope: str
    base_id: str = Field(max_length=64)
    document_id: str = Field(max_length=64)
    document: Any = json_column()
    proposer: str
    reason: str = ""
    cites: Any = json_column()
    overrules: Any = json_column()
    warnings: Any = json_column()
    state: str = Field(default="drafted", index=True)
    verdict: str | None = None
    impact: Any = json_column()
    created_at: float
    measured_at: float | None = None
    closed_at: float | None = None
    stale_records: int = 0


class Trial(SQLModel, table=True):
    """One precedent re-judged for an amendment: the decided outcome, the panel's before and after, and once more
    under the old law (`again`) where a judge is not deterministic. `part`: seen, held_out or fresh."""

    __tablename__ = "amendment_trials"
    id: str = key()
    amendment_id: str = ref("amendments.id")
    precedent_id: str = ref("precedents.id", index=True)
    part: str
    decided: str
    before: str
    after: str
    again: str | None = None
    margin_before: float
    margin_after: float
    created_at: float

    __table_args__ = (Index("ix_amendment_trials_amendment", "amendment_id", "part"),)


class Vote(SQLModel, table=True):
    """A lead's vote on an amendment; one each. `override`: for it although its impact is not green."""

    __tablename__ = "amendment_votes"
    id: str = key()
    amendment_id: str = ref("amendments.id", index=True)
    actor: str
    choice: str
    override: bool = False
    reason: str = ""
    created_at: float
