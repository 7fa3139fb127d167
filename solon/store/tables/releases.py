"""Sets of records that were frozen for a release with a promise, and who signed for a release."""

from typing import Any

from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key


class ReleaseSet(SQLModel, table=True):
    """The records of a release that is to promise how many of them agree with the experts, frozen before any of them is
    drawn for it.

    Attributes:
        id: a fresh id.
        name: of the release.
        state: `open` while its sample is asked, `written`, `refused`, or `withdrawn` by a person.
        actor: who froze it.
        options: options of the release, as its manifest will have them.
        promise: share of the records that is to agree, in (0, 1).
        confidence: of that promise, in (0, 1).
        slips: disagreements that the first look leaves room for.
        attempt: which attempt at these records it is, from 1.
        target: whose answers count, see `read_target`.
        records: list of [record, item, keyed hash of its content, whether it is to be tested].
        digest: hash over these, as sealed in the log.
        result: what was found, as JSON; None while it is open.
        created_at: when it was frozen, epoch seconds.
        closed_at: when it was written, refused or withdrawn; None while it is open.
    """

    __tablename__ = "release_sets"
    id: str = key()
    name: str = Field(index=True)
    state: str = "open"
    actor: str
    options: Any = json_column()
    promise: float
    confidence: float
    slips: int
    attempt: int
    target: str
    records: Any = json_column()
    digest: str
    result: Any = json_column()
    created_at: float
    closed_at: float | None = None
