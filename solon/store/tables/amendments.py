"""How law changes: amendments, what they would have changed, and who voted."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, ref


class Amendment(SQLModel, table=True):
    """A proposed next version of a constitution, a rubric or rules.

    Attributes:
        id: a fresh id.
        kind: `constitution`, `rubric` or `rules`.
        name: name of the law that it changes.
        scope: scope of the version that it changes.
        base_id: the version that it was drafted from.
        document_id: the id that the draft will have as a version.
        document: the whole draft as JSON, frozen at `created_at`.
        proposer: who proposed it.
        reason: why, as the draft says.
        cites: list of ids of the decisions that it rests on.
        overrules: list of ids of the decisions that no longer hold once it is ratified.
        warnings: list of sentences that a reader should look at, e.g. two rules that say nearly the same.
        state: drafted, measured, ratified or rejected.
        verdict: green, red or grey once it was measured, None before.
        impact: what it would have changed, as JSON; None before it was measured.
        created_at: when it was drafted, epoch seconds.
        measured_at: when its impact was last measured, None before.
        closed_at: when it was ratified or rejected, None before.
        stale_records: records that its ratification made stale.
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
    """One precedent re-judged for an amendment; outcomes in the panel's words.

    Attributes:
        id: a hash of the amendment and the precedent.
        amendment_id: the amendment.
        precedent_id: the precedent.
        part: seen, held_out or fresh (decided after the draft was frozen).
        decided: what the expert decided.
        before: what the panel says under the version in force.
        after: what it says under the draft.
        again: what it says once more under the version in force, where a judge is not deterministic; None otherwise.
        margin_before: the panel's best probability minus its second, under the version in force.
        margin_after: the same under the draft.
        created_at: when it was judged, epoch seconds.
    """

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
    """A lead's vote on an amendment; one each, the last one counts.

    Attributes:
        id: a hash of the amendment and the lead.
        amendment_id: the amendment.
        actor: the lead.
        choice: `for` or `against`.
        override: the lead is for it although its impact is not green.
        reason: why, in the lead's words; an override needs one.
        created_at: when it was cast, epoch seconds.
    """

    __tablename__ = "amendment_votes"
    id: str = key()
    amendment_id: str = ref("amendments.id", index=True)
    actor: str
    choice: str
    override: bool = False
    reason: str = ""
    created_at: float
