"""What the agents follow: constitutions, rubrics, consensus versions and precedents."""

from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, ref


class Constitution(SQLModel, table=True):
    """One version of a constitution; immutable. Of one name and scope one is `in_force`, the rest are `superseded`."""

    __tablename__ = "constitutions"
    id: str = key()
    name: str
    version: str
    scope: str = "global"
    status: str = "in_force"
    document: Any = json_column()
    author: str = ""
    reason: str = ""
    created_at: float
    in_force_at: float | None = None
    superseded_at: float | None = None

    __table_args__ = (
        Index(
            "uq_constitutions_in_force",
            "name",
            "scope",
            unique=True,
            sqlite_where=text("status = 'in_force'"),
            postgresql_where=text("status = 'in_force'"),
        ),
    )


class Rubric(SQLModel, table=True):
    """One version of a rubric; immutable. Of one name and scope one is `in_force`, the rest are `superseded`."""

    __tablename__ = "rubrics"
    id: str = key()
    name: str
    version: str
    scope: str = "global"
    status: str = "in_force"
    document: Any = json_column()
    author: str = ""
    reason: str = ""
    created_at: float
    in_force_at: float | None = None
    superseded_at: float | None = None

    __table_args__ = (
        Index(
            "uq_rubrics_in_force",
            "name",
            "scope",
            unique=True,
            sqlite_where=text("status = 'in_force'"),
            postgresql_where=text("status = 'in_force'"),
        ),
    )


class ConsensusVersion(SQLModel, table=True):
    """An immutable, numbered set of judge weights, calibration and threshold."""

    __tablename__ = "consensus_versions"
    id: str = key()
    number: int = Field(index=True)
    kind: str
    scope: str = Field(default="", index=True)
    payload: Any = json_column()
    fitted_on: Any = json_column()
    created_at: float


class Precedent(SQLModel, table=True):
    """A decided item kept as case law. Its half (seen or held out) is fixed when it is made."""

    __tablename__ = "precedents"
    id: str = key()
    decision_id: str = ref("decisions.id")
    item_id: str = ref("items.id", index=True)
    recipe: str
    half: str
    group: str | None = None
    retrievable: bool = False
    retrievable_at: float | None = None
    uses: int = 0
    overruled_at: float | None = None
    created_at: float = Field(index=True)


class Certificate(SQLModel, table=True):
    """A promise of agreement with its scope, or the honest refusal of one. Each look at the sample is one row."""

    __tablename__ = "certificates"
    id: str = key()
    scope: str = Field(index=True)
    status: str
    alpha: float
    delta: float
    spent_delta: float
    threshold: float | None = None
    consensus_id: str = ref("consensus_versions.id")
    covers: Any = json_column()
    figures: Any = json_column()
    reason: str = ""
    created_at: float = Field(index=True)
    suspended_at: float | None = None
