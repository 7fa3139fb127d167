"""What is asked for and what it cost: seeds, runs, items, model calls and the versions that they are pinned to."""

from typing import Any

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel

from solon.store.tables.columns import json_column, key, partial_index, ref


class Meta(SQLModel, table=True):
    """Facts about the store itself, by name: its key for hashes, say, or whether what was erased was overwritten."""

    __tablename__ = "meta"
    name: str = key()
    value: str


class Text(SQLModel, table=True):
    """A text of the project: every one lies here, and other tables point to it. Erasing one keeps its row, so that
    what points to it still stands.

    Attributes:
        id: a hash of the text and its seed, keyed with the store's secret.
        seed_id: the seed that the text belongs to, None where it belongs to none.
        body: the text itself, None once it was erased.
        erased_at: when it was erased, epoch seconds; None while it is there.
    """

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
    """A version of a recipe's graph, as far as a stored checkpoint depends on it; neither prompts nor code.

    Attributes:
        id: a hash of the shape.
        recipe: the recipe.
        shape: nodes, edges, state and response schema, as JSON.
        created_at: when it was first used, epoch seconds.
    """

    __tablename__ = "graph_versions"
    id: str = key()
    recipe: str
    shape: Any = json_column()
    created_at: float


class Seed(SQLModel, table=True):
    """One seed: what an item starts from.

    Attributes:
        id: a hash of its name and texts, keyed with the store's secret: the same seed is stored once.
        external_id: its name in the file that it came from.
        text_id: JSON text with prompt, messages, input, reference, responses, metadata and recorded verdicts.
        group: seeds of one group are never split over the halves of the test set; None for a group of its own.
        subject: the person whom the text is about, by whom it can be forgotten; None where unknown.
        lang: language code, None where unknown.
        specialty: field that a reviewer of it should know, None for any.
        tags: list of tags, by which law for a domain applies.
        source: where it comes from, None where unknown.
        licence: licence of the text, None where unknown.
        consent: what its subject consented to, None where unknown.
        created_at: when it was first stored, epoch seconds.
    """

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
    """One recipe over one set of seeds under one configuration.

    Attributes:
        id: a fresh id, roughly ordered by time.
        recipe: name of the recipe.
        status: loading, running, waiting (for people), stopped or done; `preview` and `known` for runs in no list.
        config_id: the effective configuration.
        seeds_name: name of the file or set of seeds.
        seeds_fingerprint: hash of the set of seeds; the same for the same set.
        reuse_run_id: an earlier run whose finished calls are taken over, None without.
        scope: id of the scope of its consensus and certificates, see `store.runs.certificates`.
        random_seed: root of every random draw of the run.
        bad_rows: rows of the file that could not be read.
        actor: who began it.
        created_at: when it began, epoch seconds.
        active_seconds: time that processes have worked on it.
        finished_at: when a process last stopped working on it, None while the first one does.
        stopped_because: why it stopped before its end, None where it did not.
        spent: what its calls took when a process last stopped working on it, and how many these were, see
            `store.runs.runs.spent`; None before.
    """

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
    spent: Any = json_column()


class Item(SQLModel, table=True):
    """One seed on its way through a recipe. The columns from `config_id` to `random_seed` are its immutable context;
    only an item that is judged again under new law, or that follows a new consensus version, is pinned anew.

    Attributes:
        id: a hash of the run and the seed, of further items of a seed with their number.
        run_id: its run.
        seed_id: its seed.
        row_key: the same for the same row of seeds in every run, see `store.runs.row_keys`; None where it stands
            apart from every run.
        recipe: recipe of the run.
        position: its place in the order of the seeds, from 0.
        number: which of its seed's items it is, from 0.
        state: queued, running, waiting (for a person), accepted, rejected, failed, parked or forgotten.
        attempt: 0, and one more each time that it is judged anew; earlier attempts stay.
        route: how it was settled, see `Record`; None before.
        reason: why it ended or was parked, None otherwise.
        pilot: it was drawn into the random pilot sample.
        config_id: effective configuration that it is pinned to.
        constitution_id: constitution that it is pinned to.
        rubric_id: rubric that it is pinned to.
        prompts_id: set of prompts that it is pinned to.
        graph_version: version of the recipe's graph that it is pinned to.
        consensus_id: consensus version that it is pinned to.
        certificate_id: certificate in force that it is pinned to, None without one.
        precedents_until: only precedents that were retrievable before this are shown to its judges, epoch seconds.
        carried: list of ids of the candidates that it is judged on again under new law; None otherwise.
        examples: list of what its drafts are shown out of a pool, each with the ids of its seed and record; None where
            nothing was drawn.
        random_seed: 48 bits that decide its draws, from the run's random seed, the seed's name and the number.
        created_at: when it was added, epoch seconds.
        starts: how often a worker has begun to work on it.
        finished_at: when it was accepted, rejected, failed or forgotten, None before.
        claimed_by: name of the worker that works on it, None where none does.
        claimed_until: when that claim runs out unless it is prolonged, None without one.
        screened_by: identity of the privacy scanner that has looked at it, None before.
    """

    __tablename__ = "items"
    id: str = key()
    run_id: str = ref("runs.id")
    seed_id: str = ref("seeds.id", index=True)
    row_key: str | None = Field(default=None, index=True, max_length=64)
    recipe: str
    position: int
    number: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
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
    examples: Any = json_column()
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
        Index(
            "ix_items_pilot",
            "run_id",
            "random_seed",
            "id",
            sqlite_where=text("pilot = 1"),
            postgresql_where=text("pilot"),
        ),
    )


class Call(SQLModel, table=True):
    """One finished model call of the journal, with its outcome, also when that outcome is an error.

    Attributes:
        id: a hash of run and content key; a fresh id where the call came to nothing.
        content_key: hash of all that decides the answer; equals `id` where the call came to nothing and answers no
            other.
        run_id: the run that it counts for.
        item_id: the item that it was made for.
        seed_id: seed of that item, by which a later run finds it.
        role: generator, critic, judge, ...: what the model did.
        seat: the place of the model in that role; tells calls with equal prompts apart.
        sample: number of the try, from 0, where a model is asked the same several times.
        round: the round of drafts.
        model: the model as the configuration names it, or the function.
        parameters: what was sent with the prompt, e.g. temperature and max_tokens.
        template: name of the prompt's template.
        prompt_id: text of the prompt, without the opening and what it quotes.
        opening_id: text that the prompt begins with, which calls of many seeds share: the principles; None where all of
            it is at `prompt_id`.
        quoted: texts of the prompt that are stored by themselves: [place behind the opening, id], in the order of the
            places; None without any.
        answer_id: text of the answer, None where there was none to keep.
        outcome: `ok`, or the kind of error, e.g. `refused`, `bad_output`, `taken_over`.
        error_id: text of the error, None without one.
        reasoning_id: text of what the model wrote beside its answer, None where there was nothing.
        logprobs: log probabilities that came with the answer; None where they were not asked for.
        finish_reason: why the model stopped, in the provider's word; None where it said nothing.
        input_tokens: tokens of the prompt, None where nothing is known of them.
        output_tokens: tokens of the answer, None where nothing is known of them.
        cached_tokens: those of the prompt that the provider read from its cache; None where it told of none.
        estimated: whether the provider did not tell all of the tokens, so that they are estimated; None in rows of
            earlier versions, which estimated nothing.
        cost: what it cost in `currency`, None without a price.
        currency: currency of the price, None without one.
        attempts: requests sent for it; 0 for functions.
        seconds: how long it took.
        request_id: the provider's id of the last request, None without.
        reused_from: id of the call that it was copied from, None where it was made for this run.
        created_at: when it was stored, epoch seconds.
    """

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
    opening_id: str | None = ref("texts.id", nullable=True)
    quoted: Any = json_column()
    answer_id: str | None = ref("texts.id", nullable=True)
    outcome: str = "ok"
    error_id: str | None = ref("texts.id", nullable=True)
    reasoning_id: str | None = ref("texts.id", nullable=True)
    logprobs: Any = json_column()
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    estimated: bool | None = None
    cost: float | None = None
    currency: str | None = None
    attempts: int = 1
    seconds: float = 0.0
    request_id: str | None = None
    reused_from: str | None = None
    created_at: float

    __table_args__ = (
        Index("ix_calls_run_seed", "run_id", "seed_id"),
        partial_index("ix_calls_failed", "run_id", where=text("outcome != 'ok'")),
    )


CALL_TEXTS = ("prompt_id", "answer_id", "error_id", "reasoning_id")
"""Columns of a call that point to texts of its seed; `opening_id` points to one of no seed."""


class Spending(SQLModel, table=True):
    """What one worker has spent of a run, with what it has set aside to spend.

    Attributes:
        run_id: the run.
        by: name of the worker; empty for all those that have ended.
        calls: requests sent or set aside.
        tokens: tokens of prompts and answers.
        cost: in the run's currency.
        until: when the worker counts as dead unless it prolongs its claims, epoch seconds.
    """

    __tablename__ = "spending"
    run_id: str = Field(primary_key=True, foreign_key="runs.id", max_length=64)
    by: str = Field(primary_key=True)
    calls: int = Field(sa_type=BigInteger)
    tokens: int = Field(sa_type=BigInteger)
    cost: float
    until: float


class GraphItem(SQLModel, table=True):
    """Where an item belongs that a graph of one's own opened, so that it is found again after a crash.

    Attributes:
        item_id: the item.
        place: a hash of where the graph asks, and for what: its thread, the place of the node in it, and the seed.
        ordinal: how many items were opened there before this one: a graph may come by again.
        visit: a hash of the one visit that opened it.
        thread: thread of the graph in the store's own checkpoints, None where it keeps them elsewhere.
    """

    __tablename__ = "graph_items"
    item_id: str = Field(primary_key=True, foreign_key="items.id", max_length=64)
    place: str = Field(max_length=64)
    ordinal: int
    visit: str = Field(max_length=64)
    thread: str | None = None

    __table_args__ = (Index("uq_graph_items_place", "place", "ordinal", unique=True),)
