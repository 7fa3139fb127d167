"""Move waiting items to the graph of today: each is replayed from its journal up to its review."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from solon.config.pinned import config_of_run
from solon.errors import ClaimLost, LimitReached, SolonError
from solon.store.reviewing import graph_upgrade
from solon.store.runs.items import load_items, set_state, working
from solon.store.runs.runs import config_payload, find_run

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from solon.config import Config
    from solon.graphs.resuming import Threads
    from solon.plugins import Plugin
    from solon.recipes.registry import Recipes
    from solon.store.database.store import Store
    from solon.store.reviewing.graph_upgrade import Stranded


@dataclass(slots=True)
class MigrationResult:
    """What became of the waiting items of older graphs.

    Attributes:
        versions: recipe -> [older versions] of its graph.
        current: recipe -> today's version.
        items: waiting items of older graphs.
        waiting: of these, brought back to their review.
        ended: of these, come to their end on the way.
        calls: model calls that were made.
        attached: decisions given before that the new threads have taken in.
        left: what could not be done, item by item, and why.
    """

    versions: dict[str, list[str]] = field(default_factory=dict)
    current: dict[str, str] = field(default_factory=dict)
    items: int = 0
    waiting: int = 0
    ended: int = 0
    attached: int = 0
    calls: int = 0
    left: list[dict[str, str]] = field(default_factory=list)


async def migrate_threads(
    store: Store,
    config: Config,
    *,
    models: dict[str, BaseChatModel] | None = None,
    plugins: dict[str, Plugin] | None = None,
    recipes: Recipes | None = None,
    run_id: str | None = None,
    max_calls: int = 0,
    dry_run: bool = False,
) -> MigrationResult:
    """Replay every waiting item whose graph has changed, in a new attempt, and hand it the decisions it had.

    Args:
        max_calls: model calls that it may make where a journal has a gap; by default none.
        dry_run: count only.
    """
    from solon.graphs.versions import goes_on, graph_version
    from solon.recipes.registry import Recipes

    with store.connect() as connection:
        waiting = graph_upgrade.waiting_items(connection, run_id)
    recipes = recipes or Recipes(config)
    known = recipes.known(item.recipe for item in waiting)
    stranded = [
        item
        for item in waiting
        if item.recipe in known and not goes_on(known[item.recipe], item.graph_version)
    ]
    made = MigrationResult(items=len(stranded))
    for item in stranded:
        seen = made.versions.setdefault(item.recipe, [])
        if item.graph_version not in seen:
            seen.append(item.graph_version)
        made.current[item.recipe] = graph_version(known[item.recipe])[0]
    if dry_run:
        return made
    for name in dict.fromkeys(item.run_id for item in stranded):
        mover = _Mover(store, config, name, made, models or {}, plugins or {}, recipes)
        await mover.move([item for item in stranded if item.run_id == name], max_calls)
    return made


class _Mover:
    """Moves the items of one run."""

    def __init__(
        self,
        store: Store,
        config: Config,
        run_id: str,
        made: MigrationResult,
        models: dict[str, BaseChatModel],
        plugins: dict[str, Plugin],
        recipes: Recipes,
    ) -> None:
        from solon.agents.calls import Meter, ModelPool

        self._store, self._made = store, made
        with store.connect() as connection:
            self._run = find_run(connection, run_id)
            stored = config_payload(connection, self._run.config_id)
        self._config = config_of_run(stored, config, run_id)
        self._pool = ModelPool(self._config, given=models, plugins=plugins)
        self._meter = Meter()
        self._recipe = recipes.of_run(self._run.recipe, self._config.plugins, run_id, self._config)

    async def move(self, stranded: list[Stranded], max_calls: int) -> None:
        from solon.graphs.build import compile_graph
        from solon.graphs.contexts import Contexts
        from solon.graphs.resuming import Threads
        from solon.graphs.saver import open_saver

        self._meter.max_calls = max_calls
        try:
            if self._recipe.roles:
                self._pool.prepare(self._recipe.roles)
            async with open_saver(self._store) as saver:
                graph = compile_graph(self._recipe, saver)
                contexts = Contexts(
                    self._store, self._run, self._recipe, self._config, self._pool, self._meter
                )
                threads = Threads(self._store, graph, contexts)
                with working() as me:
                    for item in stranded:
                        await self._move_one(threads, item, me)
        finally:
            await self._meter.land()
            await self._pool.aclose()
            self._made.calls += self._meter.calls

    async def _move_one(self, threads: Threads, item: Stranded, me: str) -> None:
        if item.leased:
            self._leave(
                item, "somebody has its review in hand; run this again when it is answered or given back"
            )
            return
        if not await self._store.writer.run(lambda c: graph_upgrade.take_from_queue(c, item, me)):
            self._leave(item, "it was taken or answered meanwhile; run this again")
            return
        (row,) = load_items(self._store, [item.item_id])
        try:
            state = await threads.start_over(row)
        except LimitReached:
            self._meter.stopping, self._meter.over = "", False
            await self._set(item, "queued")
            self._leave(
                item, "its journal has a gap: `solon resume` makes the missing calls, or --max-calls here"
            )
            return
        except ClaimLost as lost:
            self._leave(item, lost.cause)
            return
        except SolonError as error:
            await self._set(item, "parked", error.cause)
            self._leave(item, f"{error.cause}; `solon resume` tries again")
            return
        await self._settle(item, state)

    async def _settle(self, item: Stranded, state: dict[str, Any]) -> None:
        from solon.graphs.state import named_decision

        waits = "__interrupt__" in state
        self._made.waiting += waits
        self._made.ended += not waits
        if item.decision_id is not None:
            with self._store.connect() as connection:
                arrived = graph_upgrade.is_applied(connection, item.decision_id)
            if arrived or named_decision(state) == item.decision_id:
                self._made.attached += 1
            else:
                why = "the graph of today shows other candidates, or has no such answer"
                decision = item.decision_id
                await self._store.writer.run(lambda c: graph_upgrade.not_attached(c, decision, why))
                self._leave(item, f"decision {decision} could not be attached: {why}; people are asked again")
        if waits and item.review_id is not None and item.review_state in graph_upgrade.OPEN:
            old = item.review_id

            def carry(connection: Any) -> None:
                new = graph_upgrade.open_review_of(connection, item.item_id)
                if new is not None and new != old:
                    graph_upgrade.carry_assignments(connection, old, new, item.escalated)

            await self._store.writer.run(carry)

    async def _set(self, item: Stranded, state: str, reason: str | None = None) -> None:
        (row,) = load_items(self._store, [item.item_id])
        await self._store.writer.run(lambda c: set_state(c, item.item_id, row.attempt, state, reason=reason))

    def _leave(self, item: Stranded, why: str) -> None:
        self._made.left.append({"item": item.item_id, "run": item.run_id, "why": why})
