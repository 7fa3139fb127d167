"""Items under law that was replaced: the panel judges again what they have, and a runner takes them through the
graph."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from solon.agents.calls import Meter, ModelPool
from solon.config import Config
from solon.consensus.panel import Consensus
from solon.graphs.contexts import Contexts
from solon.graphs.nodes.judge import judge_shown
from solon.graphs.routing import Route, Standing, choose_route, presumption
from solon.graphs.runner import Runner
from solon.recipes.recipe import Recipe
from solon.store.database.store import Store
from solon.store.lawmaking.rejudging import Target
from solon.store.runs import items as item_store
from solon.store.runs.items import ItemRow
from solon.store.runs.run_row import RunRow


class SecondLook:
    """The panel of one run judges its items under other law, before anything of them is moved.

    Each call goes through the item's own journal under the key that the item's next attempt will ask for:
    what the panel says here is not asked again there.
    """

    def __init__(
        self, store: Store, run: RunRow, recipe: Recipe, config: Config, pool: ModelPool, meter: Meter
    ) -> None:
        self._store, self._recipe, self._config = store, recipe, config
        self._contexts = Contexts(store, run, recipe, config, pool, meter)

    def may_settle(self, target: Target) -> bool:
        """Whether a verdict can take this review out of the queue. It cannot where the run's policy wants a
        person in any case."""
        policy = self._config.routing.policy
        return policy not in ("always", "budget", "certified") and not (policy == "pilot" and target.pilot)

    async def judge(self, target: Target, law: tuple[str, str], until: float) -> tuple[Consensus, Route]:
        """The panel's consensus under other law, and where the run's policy would send the item.

        Args:
            law: ids of the constitution and the rubric.
            until: precedents of this time and before are shown, in seconds since 1970.
        """
        [item] = item_store.load_items(self._store, [target.item_id])
        under = replace(
            item,
            constitution_id=law[0],
            rubric_id=law[1],
            certificate_id=None,
            precedents_until=until,
            carried=target.shown,
            fresh=False,
            claimed_by=None,
        )
        context = self._contexts.make(under)
        verdicts = await judge_shown(context, target.shown, round=0, pair=0)
        await self._store.writer.run(lambda _: None)
        context.case.caller.journal.check()
        consensus = context.weigh(verdicts, target.shown)
        resolver = self._recipe.has_resolver and self._config.resolver.enabled
        route = choose_route(
            consensus,
            self._config.routing,
            Standing(target.pilot),
            can_resolve=resolver,
            presumed=presumption(context.pairing, context.question),
        )
        return consensus, route


class Returning(Runner):
    """A runner that carries only the items named, from their seed to where they rest."""

    def __init__(self, *args: Any, named: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._named = list(named)

    async def _feed(self, queue: asyncio.Queue[ItemRow | None], size: int) -> None:
        while self._named and not self._stopping:
            part, self._named = self._named[: max(8, size)], self._named[max(8, size) :]
            ids = await self.store.writer.run(lambda c, part=part: item_store.claim_named(c, part, self.me))  # type: ignore[misc]
            for item in self._load(ids):
                await queue.put(item)

    async def _deliver_all(self, size: int) -> None:
        """Decisions on other items are not this runner's."""
