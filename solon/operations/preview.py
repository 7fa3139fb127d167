"""Try a recipe on a few random seeds: what would be drafted, found and voted, where each would go, what all would cost.

The rows go through the real graph in a scratch store that is deleted afterwards. Where the project has a store, the
versions in force and the finished calls come from there and new calls are left there: previewing again after a change
repeats only what the change touches, and so does the run that follows.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.agents.calls import Meter
from solon.config import Config
from solon.config.pinned import check_prices
from solon.display.notebook import card, passage
from solon.errors import LimitReached, UsageError
from solon.plugins import bind
from solon.sync import run_sync
from solon.workspace.seeds import Sample, Seeds, draw_sample, name_seeds
from solon.workspace.views import tell_way
from solon.workspace.workspace import Workspace

if TYPE_CHECKING:
    from solon.graphs.runner import Progress, Runner
    from solon.operations.compare import Comparison
    from solon.store.runs.journal import Outcome
    from solon.store.runs.run_row import RunRow
    from solon.store.runs.runs import Pins

MOST = 200
"""Rows of a preview: a larger sample is a run with `--limit`."""


@dataclass(frozen=True, slots=True)
class PreviewItem:
    """One seed on its way, without consequences.

    Attributes:
        seed: its id in the file.
        prompt: its request.
        where: expert | accepted | rejected | held (by the privacy scan) | failed | not done.
        route: the name of the way that the policy chose; empty where the item did not get so far.
        why: reasons in words, the deciding one first.
        pilot: drawn into the pilot sample of a run over the whole file.
        would_be_audited: accepted, and drawn for a blind check by an expert.
        confidence: of the panel in its choice, 0 to 1; None where it made none.
        margin: between the best and the next outcome, 0 to 1; None where the panel made no choice.
        candidates, critiques, shortlist, verdicts, resolutions: as in `Project.trace`; `order` tells who was seen
            first, `model` who wrote it.
        calls: that its way takes, made now or before.
        tokens: input and output of those calls.
        cost: of those calls; None where a price is unknown.
        model_seconds: how long those calls took, one after the other.
    """

    seed: str
    prompt: str
    where: str
    route: str
    why: tuple[str, ...]
    pilot: bool
    would_be_audited: bool
    confidence: float | None
    margin: float | None
    candidates: list[dict[str, Any]]
    critiques: list[dict[str, Any]]
    shortlist: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]
    resolutions: list[dict[str, Any]]
    calls: int
    tokens: int
    cost: float | None
    model_seconds: float

    def __repr__(self) -> str:
        return f"PreviewItem(seed={self.seed!r}, where={self.where!r}, calls={self.calls})"

    def _repr_html_(self) -> str:
        facts = {
            "because": "; ".join(self.why),
            "confidence": self.confidence,
            "calls": self.calls,
            "cost": self.cost,
        }
        made = ("candidates", "critiques", "shortlist", "verdicts", "resolutions")
        way = {"decisions": [], **{name: getattr(self, name) for name in made}}
        return card(f"seed {self.seed}: {self.where}", facts, passage("request", self.prompt), *tell_way(way))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the whole file would take: if every item were as the cheapest seen, as the mean, as the dearest."""

    low: float
    likely: float
    high: float

    def spell(self, name: str) -> str:
        """As low / likely / high, with as many digits as calls, tokens, cost or hours deserve."""
        digits = {"cost": 4, "hours": 3}.get(name, 0)
        return " / ".join(f"{value:,.{digits}f}" for value in (self.low, self.likely, self.high))


@dataclass(frozen=True, slots=True)
class Preview:
    """What came of the sample, and what it says about the whole file.

    Attributes:
        recipe: that was tried.
        seeds: good rows of the file.
        bad_rows: rows of the file that cannot be used.
        drawn_with: root of the sample: given as `draw`, it draws the same seeds.
        items: one for each seed of the sample, the first where a seed is several.
        calls_made, calls_reused: by this preview.
        cost: of the calls made; None where a price is unknown.
        whole: calls, tokens, cost (absent where a price is unknown) and hours for all seeds. Hours take the seconds
            that calls took, with as many in flight as the configuration allows.
        in_flight: calls at the same time, on which the hours rest.
        stopped_because: the limit that ended it; None where it came to its end.
        against: the same seeds in an earlier run, where one was given.
        notes: what to know of the models that acted, such as that one of them was the built-in one.
        usage_not_told: calls whose tokens the server did not tell, so that cost and tokens are estimated.
    """

    recipe: str
    seeds: int
    bad_rows: int
    drawn_with: int
    items: tuple[PreviewItem, ...]
    calls_made: int
    calls_reused: int
    cost: float | None
    whole: dict[str, Estimate]
    in_flight: int
    stopped_because: str | None = None
    against: Comparison | None = None
    notes: tuple[str, ...] = ()
    usage_not_told: int = 0

    def destinations(self) -> dict[str, int]:
        """How many of the sample went where."""
        found: dict[str, int] = {}
        for item in self.items:
            found[item.where] = found.get(item.where, 0) + 1
        return found

    def to_plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = asdict(replace(self, against=None))
        plain["destinations"] = self.destinations()
        plain["against"] = self.against.to_plain() if self.against else None
        return plain

    def __repr__(self) -> str:
        return f"Preview({self.recipe!r}, {len(self.items)} of {self.seeds} seeds: {self.destinations()})"

    def _repr_html_(self) -> str:
        went = ", ".join(f"{number} {where}" for where, number in sorted(self.destinations().items()))
        facts = {"went": went, "note": "; ".join(self.notes), "stopped": self.stopped_because}
        whole = {
            f"all {self.seeds} seeds: {name}": estimate.spell(name)
            for name, estimate in sorted(self.whole.items())
        }
        parts = [item._repr_html_() for item in self.items]
        if self.against is not None:
            parts.append(self.against._repr_html_())
        title = f"preview of {self.recipe}: {len(self.items)} of {self.seeds} seeds"
        return card(title, {**facts, **whole}, *parts)


@dataclass(slots=True)
class UsedCalls(Meter):
    """A meter that also remembers which calls an item's way took, made or reused."""

    used: set[str] = field(default_factory=set)

    def count_reused(self, outcome: Outcome) -> None:
        """Count a call that was known, and remember it."""
        Meter.count_reused(self, outcome)
        self.used.add(outcome.call_id)

    def count(self, outcome: Outcome) -> None:
        """Count a call that was made, and remember it."""
        Meter.count(self, outcome)
        self.used.add(outcome.call_id)


def preview(
    recipe: str,
    seeds: Seeds,
    home: Workspace | Config,
    *,
    n: int = 5,
    draw: int | None = None,
    against: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_runner: Callable[[Runner], None] | None = None,
) -> Preview:
    """Send `n` random seeds through the recipe: `apreview` for scripts and notebooks, with its arguments and errors."""
    work = apreview(
        recipe, seeds, home, n=n, draw=draw, against=against, on_progress=on_progress, on_runner=on_runner
    )
    return run_sync(work)


async def apreview(
    recipe: str,
    seeds: Seeds,
    home: Workspace | Config,
    *,
    n: int = 5,
    draw: int | None = None,
    against: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_runner: Callable[[Runner], None] | None = None,
) -> Preview:
    """Send `n` random seeds through the recipe in a scratch store; nothing of it stays but finished model calls.

    Args:
        home: the project, or its configuration where there is no store yet.
        draw: root of the sample; the same one draws the same seeds, None draws others each time.
        against: id of an earlier run of the project; its seeds are drawn from, and compared.

    Raises:
        UsageError: n is out of 1..200, or `against` shares no seed with the file. SeedError: no good row.
    """
    if not 1 <= n <= MOST:
        raise UsageError(
            f"a preview takes 1 to {MOST} seeds, not {n}", next_step="for more: solon run --limit"
        )
    mine = home if isinstance(home, Workspace) else None
    models, recipes, plugins = (mine.models, mine.recipes, mine.plugins) if mine else ({}, (), {})
    config = bind(home.config if isinstance(home, Workspace) else home, plugins)
    if mine is not None:
        mine.config = config
    check_prices(config)
    draw = secrets.randbelow(2**31) if draw is None else draw
    only = _seeds_of(home, against, recipe) if against else None
    with tempfile.TemporaryDirectory(prefix="solon-preview-") as folder:
        url = f"sqlite:///{Path(folder) / 'scratch.db'}"
        with Workspace(url, config=config, models=models, recipes=recipes) as scratch:
            scratch.plugins = plugins
            sample = draw_sample(
                seeds,
                config,
                n,
                draw,
                only,
                Path(folder) / "bad-rows.jsonl",
                mine.store if mine else None,
                scratch.recipe(recipe),
            )
            run, meter, stopped = await _work(scratch, home, recipe, seeds, sample, on_progress, on_runner)
            made = _Made(scratch, run, meter)
            return Preview(
                recipe=recipe,
                seeds=sample.seeds,
                bad_rows=sample.bad_rows,
                drawn_with=draw,
                items=made.items,
                calls_made=meter.calls,
                calls_reused=meter.cached,
                cost=None if meter.unknown_cost else meter.cost,
                whole=_extrapolate(made.items, sample.items, made.in_flight),
                in_flight=made.in_flight,
                stopped_because=stopped,
                against=_compare(home, against, scratch, run) if against else None,
                notes=config.notes(scratch.recipe(recipe).roles),
                usage_not_told=meter.unknown_tokens,
            )


async def _work(
    scratch: Workspace,
    home: Workspace | Config,
    recipe: str,
    seeds: Seeds,
    sample: Sample,
    on_progress: Callable[[Progress], None] | None,
    on_runner: Callable[[Runner], None] | None,
) -> tuple[RunRow, UsedCalls, str | None]:
    """Send the sample through the graph: its run, what that spent, and the limit that ended it."""
    from solon.graphs.runner import Runner
    from solon.store.runs.preview_journal import keep_calls

    run, pins = _begin(scratch, home, recipe, seeds, sample)
    config = scratch.config
    if isinstance(home, Workspace):  # ratified rules vote in a preview, too
        config = config.model_copy(update={"rules": home.config_for(recipe).rules})
    meter = UsedCalls.of(config.limits)
    pool = scratch.model_pool(scratch.config)
    runner = Runner(
        scratch.store,
        run,
        config,
        pool,
        meter,
        recipe=scratch.recipe(recipe),
        on_progress=on_progress,
    )
    if on_runner is not None:
        on_runner(runner)
    stopped: str | None = None
    try:
        await runner.work()
    except LimitReached as limit:
        stopped = limit.cause
    finally:
        await pool.aclose()
        if isinstance(home, Workspace):
            keep_calls(scratch.store, home.store, recipe, pins, run.id)
    return run, meter, stopped


def _begin(
    scratch: Workspace, home: Workspace | Config, recipe: str, seeds: Seeds, sample: Sample
) -> tuple[RunRow, Pins]:
    """A run of the sample in the scratch store, with its pilot, and with the calls and holds that the project knows."""
    from solon.store.runs import preview_journal, runs
    from solon.store.runs.pilot import mark_pilot

    known = home.store if isinstance(home, Workspace) else None
    _, source = name_seeds(seeds, scratch.config, known or scratch.store)
    pins = _pin(scratch, home, recipe, source)
    with scratch.store.transaction() as connection:
        run_id = runs.create_run(
            connection,
            recipe=recipe,
            pins=pins,
            seeds_name="preview",
            seeds_fingerprint=source,
            random_seed=scratch.config.run.seed,
            actor="preview",
        )
        run = runs.find_run(connection, run_id)
    runs.add_items(scratch.store, run, pins, enumerate(sample.rows))
    with scratch.store.transaction() as connection:
        items = mark_pilot(connection, run.id, sample.pilot)
        shared = preview_journal.open_preview_run(connection, recipe, pins, "shared")
    if known is not None:
        preview_journal.share_calls(known, scratch.store, items, shared)
        preview_journal.share_holds(known, scratch.store, items, run.id)
    return run, pins


def _pin(scratch: Workspace, home: Workspace | Config, recipe: str, source: str) -> Pins:
    """The versions in force in the project; without one, those of the configuration."""
    from solon.store.runs import preview_journal

    if not isinstance(home, Workspace):
        return scratch.pin(recipe, source)
    preview_journal.adopt_key(scratch.store, home.store)
    pins = home.pin(recipe, source)
    preview_journal.copy_versions(home.store, scratch.store, pins)
    return pins


class _Made:
    """What the scratch store holds after the work."""

    def __init__(self, scratch: Workspace, run: RunRow, meter: UsedCalls) -> None:
        from solon.store.runs import preview_journal
        from solon.store.runs.items import list_items

        with scratch.store.connect() as connection:
            rows = list_items(connection, run.id)
        calls = preview_journal.calls_of(scratch.store, meter.used)
        self.items = tuple(_item(scratch, row, calls.get(row["id"], [])) for row in rows)
        pool = scratch.model_pool(scratch.config)
        pool.prepare()
        self.in_flight = scratch.config.run.concurrency or pool.concurrency


def _item(scratch: Workspace, row: dict[str, Any], calls: list[dict[str, Any]]) -> PreviewItem:
    found = scratch.trace(row["id"])
    record = found["record"] or {}
    waiting = [r for r in found["reviews"] if r["state"] in ("waiting", "held")]
    audited = any(r["rule"] == "audit" for r in waiting)
    asked = next((r for r in waiting if r["rule"] != "audit"), None)
    where = "expert" if asked else {"parked": "failed", "queued": "not done"}.get(row["state"], row["state"])
    if row["state"] == "parked" and (row["reason"] or "").startswith("privacy scan"):
        where = "held"
    sent = [call for call in calls if call["attempts"]]
    unknown = any(call["cost"] is None for call in sent)
    return PreviewItem(
        seed=row["external_id"],
        prompt=found["seed"]["prompt"],
        where=where,
        route=row["route"] or "",
        why=_why(row, asked, record),
        pilot=bool(row["pilot"]),
        would_be_audited=audited,
        confidence=asked["confidence"] if asked else record.get("confidence"),
        margin=asked["margin"] if asked else record.get("margin"),
        candidates=found["candidates"],
        critiques=found["critiques"],
        shortlist=found["shortlist"],
        verdicts=found["verdicts"],
        resolutions=found["resolutions"],
        calls=len(sent),
        tokens=sum((c["input_tokens"] or 0) + (c["output_tokens"] or 0) for c in sent),
        cost=None if unknown else sum(call["cost"] for call in sent),
        model_seconds=sum(call["seconds"] for call in calls),
    )


def _why(row: dict[str, Any], asked: dict[str, Any] | None, record: dict[str, Any]) -> tuple[str, ...]:
    if asked is not None:
        return tuple(reason["text"] for reason in asked["reasons"] or () if reason["text"])
    told = [row["reason"]] if row["reason"] else []
    if record.get("confidence") is not None:
        told.append(f"confidence {record['confidence']:.2f}, margin {record['margin']:.2f}")
    return tuple(told)


def _extrapolate(items: Iterable[PreviewItem], number: int, in_flight: int) -> dict[str, Estimate]:
    done = [item for item in items if item.calls]
    if not done:
        return {}
    found = {
        "calls": _estimate([float(item.calls) for item in done], number),
        "tokens": _estimate([float(item.tokens) for item in done], number),
        "hours": _estimate([item.model_seconds / 3600 / in_flight for item in done], number),
    }
    costs = [item.cost for item in done if item.cost is not None]
    if len(costs) == len(done):
        found["cost"] = _estimate(costs, number)
    return found


def _estimate(values: list[float], number: int) -> Estimate:
    return Estimate(min(values) * number, sum(values) / len(values) * number, max(values) * number)


def _seeds_of(home: Workspace | Config, against: str, recipe: str) -> set[str]:
    from solon.store.records.outcomes import seed_names
    from solon.store.runs.runs import find_run

    if not isinstance(home, Workspace):
        raise UsageError(
            "there is no store with a run to compare with", next_step="check --store and --against"
        )
    with home.store.connect() as connection:
        run = find_run(connection, against)
        if run.recipe != recipe:
            raise UsageError(
                f"run {run.id} is of recipe {run.recipe}", next_step=f"preview {run.recipe} instead"
            )
        return seed_names(connection, run.id)


def _compare(home: Workspace | Config, against: str, scratch: Workspace, run: RunRow) -> Comparison:
    from solon.operations.compare import compare
    from solon.store.records.outcomes import item_outcomes
    from solon.store.runs.runs import find_run

    assert isinstance(home, Workspace)
    with home.store.connect() as connection:
        old = find_run(connection, against)
    now = item_outcomes(scratch.store, run.id)
    return compare(old.id, item_outcomes(home.store, old.id, only=set(now)), "preview", now)
