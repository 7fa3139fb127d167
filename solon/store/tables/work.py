"""What the agents made of an item: candidates, critiques, verdicts, resolutions, records."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, ref


class Candidate(SQLModel, table=True):
    """A draft, a revision, a given response or an expert's edit. `prompt_text_id` only where it has its own prompt."""

    __tablename__ = "candidates"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    attempt: int
    round: int
    ordinal: int
    kind: str
    text_id: str = ref("texts.id")
    prompt_text_id: str | None = ref("texts.id", nullable=True)
    parent_id: str | None = ref("candidates.id", nullable=True)
    call_id: str | None = ref("calls.id", nullable=True)
    author: str = ""
    created_at: float


class Critique(SQLModel, table=True):
    """A critic's findings on one candidate: a JSON text of {principle, quote, severity, suggestion}."""

    __tablename__ = "critiques"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    attempt: int
    candidate_id: str = ref("candidates.id", index=True)
    text_id: str | None = ref("texts.id", nullable=True)
    call_id: str | None = ref("calls.id", nullable=True)
    worst: str = "none"
    principles: Any = json_column()
    abstained: str | None = None
    created_at: float


class Verdict(SQLModel, table=True):
    """One judge's finding on a pair (a, b) or a single candidate (a). `p` is the probability of a (or of accept).

    `order` tells which of the two the judge saw first; `outcome` is already mapped back: A is candidate a.
    """

    __tablename__ = "verdicts"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    attempt: int
    round: int
    a_id: str = ref("candidates.id")
    b_id: str | None = ref("candidates.id", nullable=True)
    judge: str
    seat: str
    order: str = ""
    sample: int = 0
    outcome: str
    p: float | None = None
    confidence: float | None = None
    scores: Any = json_column()
    rationale_id: str | None = ref("texts.id", nullable=True)
    call_id: str | None = ref("calls.id", nullable=True)
    abstained: str | None = None
    created_at: float


class Resolution(SQLModel, table=True):
    """The resolver's answer to a split panel: the rule that it cites, or that it hands over."""

    __tablename__ = "resolutions"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    attempt: int
    round: int
    favours_id: str | None = ref("candidates.id", nullable=True)
    cites: Any = json_column()
    handed_over: str | None = None
    text_id: str | None = ref("texts.id", nullable=True)
    call_id: str | None = ref("calls.id", nullable=True)
    created_at: float


class Record(SQLModel, table=True):
    """A finished row, unique per item and attempt, with the law that it was accepted under. Superseded rows stay.

    `pair_key` is the same wherever the same answers are set to the same conversation, see
    `solon.store.runs.row_keys`."""

    __tablename__ = "records"
    id: str = key()
    item_id: str = ref("items.id", index=True)
    run_id: str = ref("runs.id")
    attempt: int
    recipe: str
    kind: str
    chosen_id: str | None = ref("candidates.id", nullable=True)
    rejected_id: str | None = ref("candidates.id", nullable=True)
    pair_key: str | None = Field(default=None, index=True, max_length=64)
    shown: Any = json_column()
    label: str | None = None
    margin: float | None = None
    confidence: float | None = None
    soft_label: float | None = None
    tier: int | None = None
    scores: Any = json_column()
    route: str
    provisional: bool = True
    certificate_id: str | None = None
    consensus_id: str | None = None
    constitution_id: str | None = Field(default=None, max_length=64)
    rubric_id: str | None = Field(default=None, max_length=64)
    decision_id: str | None = Field(default=None, index=True)
    superseded_at: float | None = None
    stale_at: float | None = None
    created_at: float

    __table_args__ = (Index("ix_records_run_created", "run_id", "created_at"),)


class Fingerprint(SQLModel, table=True):
    """One MinHash band of an accepted or pending instruction: equal bands are near-duplicate suspects."""

    __tablename__ = "fingerprints"
    id: str = key()
    scope: str
    band: str
    candidate_id: str = Field(max_length=64)
    item_id: str = Field(index=True, max_length=64)
    signature: str

    __table_args__ = (Index("ix_fingerprints_band", "scope", "band"),)
