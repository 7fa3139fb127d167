"""Judging again after new law: reviews that it settles leave the queue, stale records are judged again, the
most doubtful first.

Nothing moves before the panel has spoken under the new law, so that a budget that ends leaves every item as
it was. An item that moves begins a new attempt with the candidates that it has. Its record is confirmed, or
replaced by a new one while the old one stays, marked as superseded; or a person is asked.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from solon.config.pinned import check_prices, config_of_run
from solon.errors import LimitReached
from solon.law.amendments import touched
from solon.law.casebook import Index
from solon.law.documents import diff
from solon.observers import watched
from solon.store.database import clock
from solon.store.lawmaking import rejudging as stored
from solon.store.lawmaking.rejudging import LawNow, Target, TrialSeen
from solon.store.runs import runs as run_store
from solon.store.runs.laws import LawVersion

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from solon.agents.calls import Meter
    from solon.config import Config
    from solon.consensus.panel import Consensus
    from solon.graphs.rejudging import SecondLook
    from solon.graphs.routing import Route
    from solon.plugins import Plugin
    from solon.recipes.registry import Recipes
    from solon.store.database.store import Store

PRIOR = (-3.0, 3.0, 1.0, 2.0)
"""Log odds that a verdict turns, before any trial was seen: at a sure one, per point of margin lost, for a citation of
a changed principle, per point of similarity to a verdict that turned."""
PRECISION = (0.25, 1.0, 1.0, 1.0)
ALIKE_FOR = 5000
"""Similarity is looked at for so many stale records, those with the smallest margins."""
RESOLVER_CALLS = 3
"""A split panel may ask one judge of each side why, and the resolver."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stale record, or a waiting review, with how likely its verdict turns, and what that rests on.

    Attributes:
        target: the item under the law that was replaced.
        p: probability that the verdict turns, in [0, 1].
        margin: the panel's margin when it judged the item.
        cites: whether a critic or the resolver cited a principle that has changed.
        similarity: to the nearest item whose verdict turned, in [0, 1].
    """

    target: Target
    p: float
    margin: float
    cites: bool
    similarity: float

    def to_json(self) -> dict[str, Any]:
        """The record's and the item's id with the figures, rounded, as plain values."""
        return {
            "record": self.target.record_id,
            "item": self.target.item_id,
            "p": round(self.p, 4),
            "margin": round(self.margin, 4),
            "cites_changed": self.cites,
            "similarity": round(self.similarity, 4),
        }


@dataclass(slots=True)
class Rejudged:
    """What came of judging again.

    Attributes:
        stale: stale records that there were.
        waiting: reviews that waited under the law that was replaced.
        confirmed: records whose choice stayed the same.
        replaced: records that a new record replaced.
        review: items that now wait for a person.
        rejected: items that were rejected.
        settled: reviews that the new law settled.
        unsettled: reviews that the new law did not settle, and that stay in the queue.
        failed: items whose new attempt failed.
        queued: items whose new attempt was begun and not finished.
        left: stale records and waiting reviews that the budget did not reach or that cannot be judged (their
            seed was forgotten).
        calls: model calls made.
        from_journal: calls that the journal answered.
        cost: of the calls; None where a price is not known.
        stopped: the limit that ended it, in words; None without one.
        changes: for each item that moved: item, record, review, outcome, new_record and p.
    """

    stale: int = 0
    waiting: int = 0
    confirmed: int = 0
    replaced: int = 0
    review: int = 0
    rejected: int = 0
    settled: int = 0
    unsettled: int = 0
    failed: int = 0
    queued: int = 0
    left: int = 0
    calls: int = 0
    from_journal: int = 0
    cost: float | None = 0.0
    stopped: str | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """All figures as plain values."""
        return asdict(self)


def rank_stale(store: Store, run_id: str | None = None) -> list[Doubt]:
    """The stale records of a run, or of all runs, the most likely to change first.

    A logistic regression of "the verdict turned" on margin, citation of a changed principle and similarity to
    verdicts that turned, fitted on the trials of ratified amendments, with a prior that decides where these
    are few.
    """
    with store.connect() as connection:
        now = LawNow(connection)
        targets = [t for t in stored.stale_records(connection, run_id) if now.changed(t)]
        if not targets:
            return []
        trials = stored.trials_of_ratified(connection)
        ids = [t.item_id for t in targets]
        cited = stored.cited_principles(connection, [*ids, *(t.item_id for t in trials)])
        near = sorted(targets, key=lambda t: t.margin or 0.0)[:ALIKE_FOR]
        requests = stored.requests_of(connection, [*(t.item_id for t in near), *(t.item_id for t in trials)])
    changed = _changed_principles(now, targets)
    flips = {t.item_id: requests[t.item_id] for t in trials if t.flipped and t.item_id in requests}
    alike = _similarity(flips, requests)
    anything = set().union(*changed.values())
    rows = [
        _features(t.margin, bool(cited.get(t.item_id, set()) & anything), alike.get(t.item_id, 0.0))
        for t in trials
    ]
    weights = _fit(rows, trials)
    doubts = []
    for target in targets:
        cites = bool(cited.get(target.item_id, set()) & changed[target.item_id])
        similarity = alike.get(target.item_id, 0.0)
        features = _features(target.margin or 0.0, cites, similarity)
        p = 1 / (1 + math.exp(-sum(w * x for w, x in zip(weights, features, strict=True))))
        doubts.append(Doubt(target, p, target.margin or 0.0, cites, similarity))
    return sorted(doubts, key=lambda doubt: (-doubt.p, doubt.target.item_id))


def _changed_principles(now: LawNow, targets: Sequence[Target]) -> dict[str, set[str]]:
    """item -> ids of what differs between the law that its record is under and the law in force."""
    known: dict[tuple[str, str, str, str], set[str]] = {}
    changed = {}
    for target in targets:
        pins = (target.constitution_id, target.rubric_id, *now.of(target))
        if pins not in known:
            old, new = now.version("constitution", pins[0]), now.version("constitution", pins[2])
            known[pins] = _touched(old, new)
            known[pins] |= _touched(now.version("rubric", pins[1]), now.version("rubric", pins[3]))
        changed[target.item_id] = known[pins]
    return changed


def _touched(old: LawVersion, new: LawVersion) -> set[str]:
    return touched(diff(old.document, new.document)) if old.id != new.id else set()  # type: ignore[type-var]


def _similarity(flips: Mapping[str, str], requests: Mapping[str, str]) -> dict[str, float]:
    """item -> how similar its request is to that of the nearest other item whose verdict turned."""
    if not flips:
        return dict.fromkeys(requests, 0.0)
    index, names = Index(list(flips.values())), list(flips)
    nearest = {}
    for item_id, request in requests.items():
        scores = [s for s, name in zip(index.similar(request), names, strict=True) if name != item_id]
        nearest[item_id] = float(max(scores, default=0.0))
    return nearest


def _features(margin: float, cites: bool, similarity: float) -> tuple[float, ...]:
    return 1.0, 1.0 - min(1.0, max(0.0, margin)), float(cites), similarity


def _fit(rows: Sequence[tuple[float, ...]], trials: Sequence[TrialSeen]) -> list[float]:
    if not trials:
        return list(PRIOR)
    import numpy as np

    from solon.consensus.logit import fit_logit

    x = np.zeros((len(trials), 2, len(PRIOR)))
    x[:, 1, :] = np.array(rows)
    turned = np.array([trial.flipped for trial in trials], dtype=float)
    target = np.stack([1.0 - turned, turned], axis=1)
    return [float(w) for w in fit_logit(x, target, np.array(PRIOR), np.array(PRECISION)).weights]


async def rejudge(
    store: Store,
    config: Config,
    *,
    by: str,
    models: Mapping[str, BaseChatModel] | None = None,
    recipes: Recipes | None = None,
    plugins: Mapping[str, Plugin] | None = None,
    run_id: str | None = None,
    max_calls: int | None = None,
    max_cost: float | None = None,
    reviews: bool = True,
    records: bool = True,
    tell: Callable[[int, int, Meter], None] | None = None,
) -> Rejudged:
    """Judge again what new law may change: waiting reviews first, then stale records in the order of
    `rank_stale`.

    Args:
        by: who asked for it.
        run_id: only items of this run; None: of all runs.
        max_calls, max_cost: where to stop; what is not reached stays as it is.
        reviews, records: whether waiting reviews, and stale records, are judged again.
        tell: called with how many the panel has judged again, of how many, and what they took.

    Raises:
        UsageError: a limit on cost, and a model without a price.
        ModelError: no model answers.
    """
    result = Rejudged()
    work: list[Doubt] = []
    with store.connect() as connection:
        now = LawNow(connection)
        if reviews:
            found = stored.waiting_reviews(connection, run_id, but_under=now.settled())
            waiting = [t for t in found if now.changed(t)]
            work = [Doubt(t, 0.0, t.margin or 0.0, False, 0.0) for t in waiting]
            result.waiting = len(waiting)
        stale = rank_stale(store, run_id) if records else []
        result.stale = len(stale)
        readable = stored.requests_of(connection, [d.target.item_id for d in (*work, *stale)])
    work = [d for d in (*work, *stale) if d.target.item_id in readable and d.target.shown]
    sessions = _Sessions(store, config, models, recipes, plugins, max_calls, max_cost)
    try:
        looks = await _look(sessions, work, now, result, watched("tell", tell))
        moved = _move(sessions, looks, now, result, by)
        await sessions.carry_on(moved)
    finally:
        await sessions.aclose()
    _tell(store, moved, result)
    meter = sessions.meter
    result.calls, result.from_journal = meter.calls, meter.cached
    result.cost = None if meter.unknown_cost else round(meter.cost, 6)
    result.left = result.stale + result.waiting - len(moved) - result.unsettled
    return result


class _Sessions:
    """The runs concerned, each with its own configuration and models; one meter over all."""

    def __init__(
        self,
        store: Store,
        config: Config,
        models: Mapping[str, BaseChatModel] | None,
        recipes: Recipes | None,
        plugins: Mapping[str, Plugin] | None,
        max_calls: int | None,
        max_cost: float | None,
    ) -> None:
        from solon.agents.calls import Meter
        from solon.recipes.registry import Recipes

        self.store, self.config = store, config
        self._models, self._recipes, self._plugins = models, recipes or Recipes(config), plugins
        self.meter = Meter(max_calls=max_calls, max_cost=max_cost)
        self.until = clock.now()
        self._runs: dict[str, tuple[Any, ...]] = {}
        self.width = 1

    def of(self, run_id: str) -> tuple[Any, ...]:
        """A run with its configuration, models, recipe and second look."""
        if run_id not in self._runs:
            from solon.agents.calls import ModelPool
            from solon.graphs.rejudging import SecondLook

            with self.store.connect() as connection:
                run = run_store.find_run(connection, run_id)
                payload = run_store.config_payload(connection, run.config_id)
            own = config_of_run(payload, self.config, run.id)
            limits = own.limits.model_copy(update={"cost": self.meter.max_cost})
            check_prices(own.model_copy(update={"limits": limits}))
            recipe = self._recipes.of_run(run.recipe, own.plugins, run.id, own)
            pool = ModelPool(own, given=self._models, plugins=self._plugins)
            pool.prepare(recipe.roles)
            look = SecondLook(self.store, run, recipe, own, pool, self.meter)
            self._runs[run_id] = (run, own, pool, recipe, look)
            self.width = max(self.width, own.run.concurrency or pool.concurrency)
        return self._runs[run_id]

    def look(self, run_id: str) -> SecondLook:
        second_look: SecondLook = self.of(run_id)[4]
        return second_look

    async def carry_on(self, moved: Sequence[tuple[Doubt, str]]) -> None:
        """Take the moved items to where they rest. What the panel said is in the journal by now."""
        from solon.graphs.rejudging import Returning

        for run_id in dict.fromkeys(doubt.target.run_id for doubt, _ in moved):
            run, own, pool, recipe, _ = self.of(run_id)
            ids = [doubt.target.item_id for doubt, _ in moved if doubt.target.run_id == run_id]
            meter = self._rest()
            runner = Returning(self.store, run, own, pool, meter, recipe=recipe, named=ids)
            try:
                await runner.work()
            except LimitReached:
                pass  # what is left is queued: `solon resume` goes on
            finally:
                self.meter.calls += meter.calls
                self.meter.cost += meter.cost
                self.meter.unknown_cost += meter.unknown_cost
            with self.store.transaction() as connection:
                if run.status == "done":
                    run_store.set_run(connection, run_id, status="waiting")

    def _rest(self) -> Meter:
        """A meter with the limits that the calls so far have left."""
        from solon.agents.calls import Meter

        calls, cost = self.meter.max_calls, self.meter.max_cost
        return Meter(
            max_calls=None if calls is None else max(0, calls - self.meter.calls),
            max_cost=None if cost is None else max(0.0, cost - self.meter.cost),
        )

    async def aclose(self) -> None:
        await self.meter.land()
        for _, _, pool, _, _ in self._runs.values():
            await pool.aclose()


async def _look(
    sessions: _Sessions,
    work: Sequence[Doubt],
    now: LawNow,
    found: Rejudged,
    tell: Callable[[int, int, Meter], None] | None,
) -> list[tuple[Doubt, Consensus, Route]]:
    """What the panel says under the new law, in the order of `work`, as far as the budget goes."""
    for run_id in dict.fromkeys(doubt.target.run_id for doubt in work):
        sessions.of(run_id)
    gate = asyncio.Semaphore(sessions.width)
    judged = 0

    async def one(doubt: Doubt) -> tuple[Doubt, Consensus, Route] | None:
        nonlocal judged
        target = doubt.target
        if target.review_id is not None and not sessions.look(target.run_id).may_settle(target):
            found.unsettled += 1
            return None
        async with gate:
            try:
                seen, route = await sessions.look(target.run_id).judge(target, now.of(target), sessions.until)
            except LimitReached as limit:
                found.stopped = limit.cause
                return None
            judged += 1
            if tell is not None:
                tell(judged, len(work), sessions.meter)
            return doubt, seen, route

    return [look for look in await asyncio.gather(*(one(doubt) for doubt in work)) if look is not None]


def _move(
    sessions: _Sessions,
    looks: Sequence[tuple[Doubt, Consensus, Route]],
    now: LawNow,
    found: Rejudged,
    by: str,
) -> list[tuple[Doubt, str]]:
    """Begin a new attempt of what the new law decides, or puts in doubt; with where the panel's word leads."""
    moved: list[tuple[Doubt, str]] = []
    meter = sessions.meter
    room = math.inf if meter.max_calls is None else meter.max_calls - meter.calls
    for doubt, _, route in looks:
        target = doubt.target
        if target.review_id is not None and route.where != "accept":
            found.unsettled += 1
            continue
        if route.where == "resolve":
            if room < RESOLVER_CALLS or (meter.max_cost is not None and meter.cost >= meter.max_cost):
                found.stopped = found.stopped or "the budget leaves no room for the resolver"
                continue
            room -= RESOLVER_CALLS
        with sessions.store.transaction() as connection:
            why = "settled by new law" if target.review_id else "its law was amended"
            law = now.of(target)
            if stored.begin_again(connection, target, law, until=sessions.until, by=by, why=why):
                moved.append((doubt, route.where))
            elif target.review_id is not None:
                found.unsettled += 1  # somebody took it meanwhile
    return moved


def _tell(store: Store, moved: Sequence[tuple[Doubt, str]], found: Rejudged) -> None:
    """Count what became of each item that moved."""
    with store.connect() as connection:
        ends = stored.ends_of(connection, [doubt.target.item_id for doubt, _ in moved])
    for doubt, _ in moved:
        target, end = doubt.target, ends[doubt.target.item_id]
        if end.state == "accepted" and target.review_id is not None:
            outcome = "settled"
        elif end.state == "accepted":
            outcome = "confirmed" if end.chosen == target.chosen else "replaced"
        else:
            outcome = {"waiting": "review", "rejected": "rejected", "failed": "failed"}.get(
                end.state, "queued"
            )
        setattr(found, outcome, getattr(found, outcome) + 1)
        found.changes.append(
            {
                "item": target.item_id,
                "record": target.record_id,
                "review": target.review_id,
                "outcome": outcome,
                "new_record": end.record_id,
                "p": round(doubt.p, 4) if target.record_id else None,
            }
        )
