"""What guards people's words: seeds held back before the first call, and marks against what was forgotten."""

from typing import Any

from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, ref


class Hold(SQLModel, table=True):
    """An item that the scan parked. States: held, released, rejected. `findings`: [kind, field, start, end], never
    the text itself. What a named person decided holds for the same seed in later runs too."""

    __tablename__ = "privacy_holds"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    seed_id: str = Field(index=True, max_length=64)
    run_id: str = Field(index=True, max_length=64)
    state: str = Field(default="held", index=True)
    scanner: str
    findings: Any = json_column()
    created_at: float
    closed_by: str | None = None
    closed_at: float | None = None
    reason_id: str | None = ref("texts.id", nullable=True)


class Tombstone(SQLModel, table=True):
    """What may not come back. The id is a keyed hash of the kind (seed, text, id, group, subject) and its value."""

    __tablename__ = "tombstones"
    id: str = key()
    kind: str
    act: str = Field(index=True, max_length=64)
    created_at: float
