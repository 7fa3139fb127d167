"""What guards people's words: seeds held back before the first call, and marks against what was forgotten."""

from typing import Any

from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, ref


class Hold(SQLModel, table=True):
    """An item that the privacy scan parked. What a named person decided holds for the same seed in later runs too.

    Attributes:
        id: a hash of the item and the scanner.
        item_id: the item held back.
        seed_id: its seed.
        run_id: its run.
        state: held, released or rejected.
        scanner: identity of the scanner: its version and plug-in.
        findings: list of [kind, field, start, end], offsets in characters; never the text itself.
        created_at: when the scan found it, epoch seconds.
        closed_by: name of the person who decided, None while it is held.
        closed_at: when they decided, None while it is held.
        reason_id: text of their reason, None while it is held.
    """

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
    """What may not come back, as a mark that tells nothing of what was forgotten.

    Attributes:
        id: keyed hash of the kind and the value that it stands against.
        kind: what the value is: seed, text, id, group or subject.
        act: id of the forgetting that set it.
        created_at: when it was set, epoch seconds.
    """

    __tablename__ = "tombstones"
    id: str = key()
    kind: str
    act: str = Field(index=True, max_length=64)
    created_at: float
