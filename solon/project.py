"""A project from Python: run recipes, list and answer reviews, resume, export. The command line stands on it."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from solon.config import Config, load_config, parse_config
from solon.errors import LimitReached, SeedError, UsageError
from solon.formats.seeds import BadRow, SeedRow, read_seed_rows, read_seeds, write_bad_rows

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from solon.formats.exports import ExportSummary
    from solon.graphs.runner import Progress, Runner
    from solon.store import Store
    from solon.store.reviews import ReviewRow
    from solon.store.runs import Pins, RunRow

T = TypeVar("T")
Seeds = str | Path | Iterable[Mapping[str, Any] | str]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Where a run stands. `failed` includes `parked`: what a model's failure stopped and `resume` tries again.

    The states sum to `items`: accepted + rejected + pending_review + failed + queued. `cost` is None where a price is
    unknown. `tokens` counts input and output. `seconds` is the time spent working on the run, over all sessions.
    """

    run_id: str
    recipe: str
    items: int
    accepted: int
    rejected: int
    pending_review: int
    failed: int
    parked: int
    queued: int
    provisional: int
    bad_rows: int
    bad_rows_file: str | None
    decisions_to_apply: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    tokens: int
    cost: float | None
    seconds: float
    stopped_because: str | None

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate as a reviewer sees it."""

    id: str
    text: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Review:
    """A review that waits, with what is needed to answer it."""

    id: str
    item_id: str
    recipe: str
    prompt: str
    input: str
    candidates: tuple[Candidate, ...]
    choices: tuple[str, ...]
    reasons: tuple[str, ...]
    state: str


class Project:
    """One store with its configuration.

    Args:
        store: URL of the store; default: `store` of the configuration (`SOLON_STORE`, `solon.toml`).
        config: a `Config`, plain values, or the path of a TOML file; default: `solon.toml` if it is there.
        models: chat models of your own by the name that the configuration gives them; any LangChain chat model.
        create: make the store where it is missing.
    """

    def __init__(
        self,
        store: str | None = None,
        *,
        config: Config | Mapping[str, Any] | str | Path | None = None,
        models: Mapping[str, BaseChatModel] | None = None,
        create: bool = True,
    ) -> None:
        from solon.store import Store

        if isinstance(config, Config):
            self.config = config
        elif isinstance(config, Mapping):
            self.config = parse_config(config)
        else:
            self.config = load_config(config)
        self.store: Store = Store(store or self.config.store, create=create)
        self._models = dict(models or {})

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Commit and release the store."""
        self.store.close()

    # Running ---------------------------------------------------------------------------------------------------

    def run(self, recipe: str, seeds: Seeds, **options: Any) -> RunSummary:
        """Like `arun`, for scripts and notebooks."""
        return run_sync(self.arun(recipe, seeds, **options))

    async def arun(
        self,
        recipe: str,
        seeds: Seeds,
        *,
        limit: int | None = None,
        new_run: bool = False,
        reuse: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_runner: Callable[[Runner], None] | None = None,
    ) -> RunSummary:
        """Run a recipe over seeds, or go on with the last run of the same seeds and configuration.

        Args:
            seeds: a file (JSONL, CSV, Parquet), or rows: mappings with the columns of a seed file, or prompts.
            limit: take the first so many seeds only; a later call without it goes on with the rest.
            new_run: start a new run even where there is one of the same recipe and seeds.
            reuse: id of a run whose finished calls shall not be made again.

        Raises:
            UsageError: a run over these seeds exists under another configuration, and `new_run` is not set.
            SeedError: no row of the seeds can be used.
        """
        run, pins = self.prepare_run(recipe, seeds, new_run=new_run, reuse=reuse)
        self._load(run, pins, seeds, limit)
        return await self._work(run, on_progress, on_runner)

    def resume(self, run_id: str | None = None, **options: Any) -> RunSummary:
        """Like `aresume`, for scripts and notebooks."""
        return run_sync(self.aresume(run_id, **options))

    async def aresume(
        self,
        run_id: str | None = None,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        on_runner: Callable[[Runner], None] | None = None,
    ) -> RunSummary:
        """Go on with a run (default: the newest) under the configuration that it was started with."""
        from solon.store.runs import find_run

        with self.store.connect() as connection:
            run = find_run(connection, run_id)
        if run.status == "loading":
            raise UsageError(
                f"run {run.id} was stopped while its seeds were read",
                next_step=f"repeat the command that began it: solon run {run.recipe} --seeds {run.seeds_name}",
            )
        return await self._work(run, on_progress, on_runner)

    def prepare_run(self, recipe: str, seeds: Seeds, *, new_run: bool, reuse: str | None) -> tuple[RunRow, Pins]:
        """Find the run to go on with, or create one, pinned to the versions in force."""
        from solon.store import runs

        name, fingerprint = _fingerprint(seeds, self.config)
        pins = self._pin(recipe)
        with self.store.connect() as connection:
            reuse_id = runs.find_run(connection, reuse).id if reuse else None
            same = runs.find_same_run(connection, recipe, fingerprint, self._shape(pins))
            other = runs.latest_over_seeds(connection, recipe, fingerprint)
            old = runs.config_payload(connection, other.config_id) if other and not same else None
        if same is not None and not new_run:
            return same, pins
        if other is not None and old is not None and not new_run:
            changes = _differences(old, self.config.effective())
            raise UsageError(
                f"run {other.id} over the same seeds was made differently: {changes}",
                next_step=f"add --new-run (with --reuse {other.id} no equal call is made again), or take its config back",
            )
        with self.store.transaction() as connection:
            run_id = runs.create_run(
                connection,
                recipe=recipe,
                pins=pins,
                seeds_name=name,
                seeds_fingerprint=fingerprint,
                random_seed=self.config.run.seed,
                actor=local_actor(),
                reuse_run_id=reuse_id,
            )
            return runs.find_run(connection, run_id), pins

    def _shape(self, pins: Pins) -> str:
        return self._shape_of(pins.constitution_id, pins.rubric_id, pins.prompts_id)

    def _shape_of(self, *law: str) -> str:
        """Hash of all that shapes the data: configuration, constitution, rubric, prompts."""
        return f"{self.config.fingerprint()}:{hashlib.sha256(':'.join(law).encode()).hexdigest()[:16]}"

    def _pin(self, recipe_name: str) -> Pins:
        from solon.consensus.model import ConsensusModel
        from solon.graphs.recipes import get_recipe
        from solon.graphs.versions import graph_version
        from solon.law.documents import load_constitution, load_rubric
        from solon.prompts import PromptLibrary
        from solon.store.runs import pin_versions

        recipe = get_recipe(recipe_name)
        library = PromptLibrary()
        constitution = load_constitution(self.config.law.constitution)
        rubric = load_rubric(self.config.law.rubric)
        shape = self._shape_of(constitution.fingerprint()[:24], rubric.fingerprint()[:24], library.version)
        version, drawn = graph_version(recipe_name)
        with self.store.transaction() as connection:
            return pin_versions(
                connection,
                config=self.config.effective(),
                fingerprint=shape,
                constitution=constitution,
                rubric=rubric,
                prompts=(library.version, library.manifest()),
                graph=(version, recipe_name, drawn),
                consensus=ConsensusModel.prior(outcomes=recipe.outcomes).to_json(),
            )

    def _load(self, run: RunRow, pins: Pins, seeds: Seeds, limit: int | None) -> None:
        """Turn seeds into queued items; bad rows go to a side file, with line and reason."""
        from solon.store import runs

        bad: list[BadRow] = []
        good = runs.add_items(self.store, run, pins, _good_rows(self._read(seeds), bad, limit))
        if not good:
            told = f"; line {bad[0].line}: {bad[0].reason}" if bad else ""
            raise SeedError(
                f"{run.seeds_name}: no row can be used as a seed{told}",
                next_step="a seed needs `prompt` or `messages`; rename columns with [seeds] map",
            )
        file = self.bad_rows_file(run.id)
        if bad:
            write_bad_rows(file, bad)
        with self.store.transaction() as connection:
            runs.set_run(connection, run.id, status="running", bad_rows=len(bad))

    def bad_rows_file(self, run_id: str) -> Path:
        """Where the rows that could not be used are named."""
        from solon.store.engine import sqlite_path

        store_file = sqlite_path(self.store.url)
        folder = store_file.parent if store_file is not None else Path.cwd()
        return folder / f"{store_file.stem if store_file else 'solon'}.{run_id}.bad-rows.jsonl"

    def _read(self, seeds: Seeds) -> Iterator[SeedRow | BadRow]:
        section = self.config.seeds
        if isinstance(seeds, str | Path):
            return iter(read_seeds(seeds, column_map=section.map, max_chars=section.max_chars))
        return iter(read_seed_rows(seeds, column_map=section.map, max_chars=section.max_chars))

    async def _work(
        self,
        run: RunRow,
        on_progress: Callable[[Progress], None] | None,
        on_runner: Callable[[Runner], None] | None,
    ) -> RunSummary:
        from solon.agents.calls import Meter, ModelPool
        from solon.graphs.runner import Runner
        from solon.store import runs

        with self.store.connect() as connection:
            stored = runs.config_payload(connection, run.config_id)
            before = runs.spent(connection, run.id)
        stored.pop("fingerprint", None)
        # What shapes the data comes from the run; limits and concurrency are this session's.
        config = parse_config({**stored, "limits": {}}, source=f"the configuration of run {run.id}")
        config = config.model_copy(update={"limits": self.config.limits})
        config = config.model_copy(
            update={"run": config.run.model_copy(update={"concurrency": self.config.run.concurrency})}
        )
        limits = config.limits
        meter = Meter(
            max_calls=limits.calls,
            max_tokens=limits.tokens,
            max_cost=limits.cost,
            calls=before.calls,
            input_tokens=before.input_tokens,
            output_tokens=before.output_tokens,
            cost=before.cost,
        )
        pool = ModelPool(config, given=self._models)
        runner = Runner(self.store, run, config, pool, meter, on_progress=on_progress)
        if on_runner is not None:
            on_runner(runner)
        stopped: str | None = None
        try:
            await runner.work()
        except LimitReached as limit:
            stopped = limit.cause
        finally:
            await pool.aclose()
        summary = self.summarize(run.id, stopped=stopped)
        status = "stopped" if stopped else "waiting" if summary.pending_review else "done"
        with self.store.transaction() as connection:
            runs.set_run(connection, run.id, status=status, stopped_because=stopped, finished_at=time.time())
        return summary

    def summarize(self, run_id: str | None = None, *, stopped: str | None = None) -> RunSummary:
        """Where a run (default: the newest) stands, read from the store."""
        from solon.store import items, reviews, runs

        with self.store.connect() as connection:
            run = runs.find_run(connection, run_id)
            counts = items.count_states(connection, run.id)
            used = runs.spent(connection, run.id)
            provisional = items.count_provisional(connection, run.id)
            waiting = reviews.pending_deliveries(connection, run.id)
        return RunSummary(
            run_id=run.id,
            recipe=run.recipe,
            items=sum(counts.values()),
            accepted=counts["accepted"],
            rejected=counts["rejected"],
            pending_review=counts["waiting"],
            failed=counts["failed"] + counts["parked"],
            parked=counts["parked"],
            queued=counts["queued"] + counts["running"],
            provisional=provisional,
            bad_rows=run.bad_rows,
            bad_rows_file=str(self.bad_rows_file(run.id)) if run.bad_rows else None,
            decisions_to_apply=waiting,
            model_calls=used.calls,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            tokens=used.input_tokens + used.output_tokens,
            cost=used.cost if not used.unpriced else None,
            seconds=round(run.active_seconds, 3),
            stopped_because=stopped or run.stopped_because,
        )

    # Reviewing -------------------------------------------------------------------------------------------------

    def reviews(self, state: str = "waiting", *, run_id: str | None = None, limit: int = 100) -> list[Review]:
        """Reviews in a state, the oldest first."""
        from solon.store.reviews import list_reviews

        with self.store.connect() as connection:
            rows = list_reviews(connection, state=state, run_id=run_id, limit=limit)
        return [self._review(row) for row in rows]

    def review(self, review_id: str) -> Review:
        """One review by its id or the beginning of it."""
        from solon.store.reviews import find_review

        with self.store.connect() as connection:
            return self._review(find_review(connection, review_id))

    def _review(self, row: ReviewRow) -> Review:
        from solon.responses import choices_of
        from solon.store.items import load_candidate, load_items, load_text

        item = load_items(self.store, [row.item_id])[0]
        own = [load_candidate(self.store, candidate) for candidate in row.candidates]
        prompt = item.content.get("prompt") or "(forgotten)"
        candidates = tuple(
            Candidate(c.id, load_text(self.store, c.text_id), load_text(self.store, c.prompt_text_id) if c.prompt_text_id else prompt)
            for c in own
        )
        return Review(
            id=row.id,
            item_id=row.item_id,
            recipe=row.recipe,
            prompt=candidates[0].prompt if candidates else prompt,
            input=item.content.get("input") or "",
            candidates=candidates,
            choices=choices_of(row.response_schema),
            reasons=tuple(reason["text"] for reason in row.reasons or ()),
            state=row.state,
        )

    def decide(
        self, review: str | Review, choice: str, candidate: str | Candidate | None = None, **answer: Any
    ) -> str:
        """Answer a review; returns the decision's id. `resume` then moves the item on.

        Args:
            choice: one of the review's `choices`, or skip | decline | escalate.
            candidate: the candidate that is preferred or edited.
            answer: text (of an edit), guidance (for a redraft), rationale, principles, flags, scores, strength.

        Raises:
            AlreadyDecided: someone else was first; nothing was changed.
            InvalidDecision, NotPending: saying what is wrong; nothing was changed.
        """
        from solon.store.reviews import decide

        channel = answer.pop("channel", "python")
        actor = answer.pop("actor", local_actor())
        values = {"choice": choice, "candidate": getattr(candidate, "id", candidate), **answer}
        review_id = review.id if isinstance(review, Review) else self.review(review).id
        return decide(
            self.store, review_id, {k: v for k, v in values.items() if v is not None}, actor=actor, channel=channel
        )

    # What came out ---------------------------------------------------------------------------------------------

    def trace(self, some_id: str) -> dict[str, Any]:
        """Everything behind a record, item, review or decision."""
        from solon.store.lineage import trace

        return trace(self.store, some_id)

    def export(
        self, format: str, path: str | Path, *, run_id: str | None = None, recipe: str | None = None, **options: Any
    ) -> ExportSummary:
        """Write the records in force to a file; see `solon.formats.exports.export` for the options."""
        from solon.formats.exports import export
        from solon.store.exporting import export_rows
        from solon.store.runs import find_run

        if run_id is not None:
            with self.store.connect() as connection:
                run_id = find_run(connection, run_id).id
        left_out: Counter[str] = Counter()
        rows = export_rows(self.store, run_id=run_id, recipe=recipe, left_out=left_out)
        return export(rows, format=format, path=Path(path), left_out=left_out, **options)


def local_actor() -> str:
    """Who sits here: a decision made without an expert's token counts as theirs."""
    try:
        return f"local:{getpass.getuser()}"
    except (OSError, KeyError):
        return "local:unknown"


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """The one sync edge: also inside a notebook, whose loop runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _good_rows(
    rows: Iterable[SeedRow | BadRow], bad: list[BadRow], limit: int | None
) -> Iterator[tuple[int, SeedRow]]:
    position = 0
    for row in rows:
        if limit is not None and position >= limit:
            return
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        yield position, row
        position += 1


def _fingerprint(seeds: Seeds, config: Config) -> tuple[str, str]:
    """Name and hash of the seeds: of the file's bytes, or of the rows."""
    digest = hashlib.sha256(json.dumps(config.seeds.model_dump(), sort_keys=True).encode())
    if isinstance(seeds, str | Path):
        path = Path(seeds)
        if path.is_file():
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        else:
            digest.update(str(path.resolve()).encode())
        return str(path), digest.hexdigest()[:24]
    if not isinstance(seeds, list | tuple):
        raise UsageError("seeds must be a path or a list of rows", next_step="pass list(seeds)")
    digest.update(json.dumps(seeds, sort_keys=True, default=str).encode())
    return f"{len(seeds)} rows", digest.hexdigest()[:24]


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> str:
    """Which keys differ, with both values."""
    told = []
    for key in sorted({*old, *new} - {"fingerprint", "store", "limits"}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            inner = _differences(before, after, f"{prefix}{key}.")
            told += [inner] if inner else []
        elif before != after:
            told.append(f"{prefix}{key} was {before!r:.60}, now {after!r:.60}")
    return "; ".join(told) or ("" if prefix else "its constitution, rubric or prompts were others")
