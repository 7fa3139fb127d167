"""What is asked for and what it cost: seeds, runs, items, model calls and the versions that they are pinned to."""

from typing import Any

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, ref


class Meta(SQLModel, table=True):
    """Facts about the store itself: its key for hashes, its format."""

    __tablename__ = "meta"
    name: str = key()
    value: str


class Text(SQLModel, table=True):
    """Every text of the project. Erasing a text keeps its row, so that what points to it still stands."""

    __tablename__ = "texts"
    id: str = key()
    seed_id: str | None = Field(default=None, index=True, max_length=64)
    body: str | None = None
    erased_at: float | None = None


class ConfigVersion(SQLModel, table=True):
    """The effective configuration of a run, without secrets."""

    __tablename__ = "configs"
    id: str = key()
    payload: Any = json_column()
    created_at: float


class PromptSet(SQLModel, table=True):
    """The templates in use together: name -> {version, sha, source}."""

    __tablename__ = "prompt_sets"
    id: str = key()
    templates: Any = json_column()
    created_at: float


class GraphVersion(SQLModel, table=True):
    """A version is nodes, edges, state and response schema of a recipe's graph; not prompts, not code."""

    __tablename__ = "graph_versions"
    id: str = key()
    recipe: str
    shape: Any = json_column()
    created_at: float


class Seed(SQLModel, table=True):
    """One seed. Its texts (prompt, messages, input, reference, responses, metadata) lie in one JSON text."""

    __tablename__ = "seeds"
    id: str = key()
    external_id: str = Field(index=True)
    text_id: str = ref("texts.id")
    group: str | None = Field(default=None, index=True)
    subject: str | None = Field(default=None, index=True)
    lang: str | None = None
    specialty: str | None = None
    tags: Any = json_column()
    source: str | None = None
    licence: str | None = None
    consent: str | None = None
    created_at: float


class Run(SQLModel, table=True):
    """One recipe over one set of seeds under one configuration."""

    __tablename__ = "runs"
    id: str = key()
    recipe: str
    status: str = "running"
    config_id: str = ref("configs.id")
    seeds_name: str = ""
    seeds_fingerprint: str = Field(default="", index=True)
    reuse_run_id: str | None = None
    scope: str = ""
    random_seed: int = 0
    bad_rows: int = 0
    actor: str = ""
    created_at: float
    active_seconds: float = 0.0
    finished_at: float | None = None
    stopped_because: str | None = None


class Item(SQLModel, table=True):
    """One seed on its way through a recipe. The pinned columns are its immutable context, but that an item which is
    judged again under new law is pinned to that, with the ids of the candidates that it had (`carried`).

    `row_key` is the same for the same row of seeds in every run, see `solon.store.runs.row_keys`; None where it stands
    apart from every run."""

    __tablename__ = "items"
    id: str = key()
    run_id: str = ref("runs.id")
    seed_id: str = ref("seeds.id", index=True)
    row_key: str | None = Field(default=None, index=True, max_length=64)
    recipe: str
    position: int
    state: str = "queued"
    attempt: int = 0
    route: str | None = None
    reason: str | None = None
    pilot: bool = False
    # pinned when the item is created
    config_id: str = ref("configs.id")
    constitution_id: str = ref("constitutions.id")
    rubric_id: str = ref("rubrics.id")
    prompts_id: str = ref("prompt_sets.id")
    graph_version: str = ref("graph_versions.id")
    consensus_id: str = ref("consensus_versions.id")
    certificate_id: str | None = None
    precedents_until: float = 0.0
    carried: Any = json_column()
    random_seed: int = Field(default=0, sa_type=BigInteger)
    created_at: float
    starts: int = 0
    finished_at: float | None = None
    claimed_by: str | None = None
    claimed_until: float | None = None
    screened_by: str | None = None

    __table_args__ = (
        Index("ix_items_run_state", "run_id", "state", "position"),
        Index("ix_items_state", "state"),
    )


class Call(SQLModel, table=True):
    """The journal: one finished model call, with its outcome, also when that outcome is an error."""

    __tablename__ = "calls"
    id: str = key()
    content_key: str = Field(max_length=64)
    run_id: str = ref("runs.id")
    item_id: str = ref("items.id", index=True)
    seed_id: str = Field(max_length=64)
    role: str
    seat: str
    sample: int
    round: int
    model: str
    parameters: Any = json_column()
    template: str
    prompt_id: str = ref("texts.id")
    answer_id: str | None = ref("texts.id", nullable=True)
    outcome: str = "ok"
    error_id: str | None = ref("texts.id", nullable=True)
    logprobs: Any = json_column()
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    currency: str | None = None
    attempts: int = 1
    seconds: float = 0.0
    request_id: str | None = None
    reused_from: str | None = None
    created_at: float

    __table_args__ = (Index("ix_calls_run_seed", "run_id", "seed_id"),)


class Spending(SQLModel, table=True):
    """What one worker has spent of a run, with what it has set aside to spend; `by` empty: those that have ended."""

    __tablename__ = "spending"
    run_id: str = Field(primary_key=True, foreign_key="runs.id", max_length=64)
    by: str = Field(primary_key=True)
    calls: int = Field(sa_type=BigInteger)
    tokens: int = Field(sa_type=BigInteger)
    cost: float
    until: float
