"""Judge decided items again, under law that they were not judged by, through a journal apart from theirs.

What was found before an amendment is ratified stands in no item's lineage; what the panel has said of an item before,
under the same law, is read from the item's own run and not asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from solon.agents import judge as judges
from solon.agents.calls import Meter, ModelPool
from solon.config import Config
from solon.consensus.panel import Consensus
from solon.graphs.context import ItemContext
from solon.graphs.contexts import Contexts
from solon.graphs.recipe import Recipe
from solon.graphs.recipes import get_recipe
from solon.law import impact
from solon.law.amendments import Document
from solon.law.documents import Constitution, Rubric
from solon.prompts.library import PromptLibrary
from solon.store.database.store import Store
from solon.store.lawmaking.precedents import PrecedentRow, judged_at
from solon.store.lawmaking.trial_runs import open_bench
from solon.store.runs.items import load_items
from solon.store.runs.runs import find_run

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

AGAIN = 1000
"""Added to the round of a call that shall be an independent draw."""


class OfItem(Protocol):
    """What names an item and its run."""

    @property
    def run_id(self) -> str: ...
    @property
    def item_id(self) -> str: ...


class Bench:
    """Judges decided items again under any law."""

    def __init__(
        self,
        store: Store,
        config: Config,
        models: Mapping[str, BaseChatModel] | None,
        recipes: Mapping[str, Recipe] | None = None,
        *,
        max_calls: int | None = None,
        max_cost: float | None = None,
    ) -> None:
        self.store, self.config = store, config
        self.pool = ModelPool(config, given=models)
        self.meter = Meter(max_calls=max_calls, max_cost=max_cost)
        self._recipes = dict(recipes or {})
        self._prompts = PromptLibrary(config.prompts_dir)
        self._contexts: dict[str, Contexts] = {}

    @property
    def width(self) -> int:
        self.pool.prepare()
        return self.config.run.concurrency or self.pool.concurrency

    async def aclose(self) -> None:
        await self.meter.land()
        await self.pool.aclose()

    def context(self, row: OfItem) -> ItemContext:
        """The item as its agents saw it, under today's prompts and panel."""
        with self.store.connect() as connection:
            run = find_run(connection, row.run_id)
        with self.store.transaction() as connection:
            run_id, item_id = open_bench(self.store, connection, run, row.item_id)
        if row.run_id not in self._contexts:
            recipe = self._recipes.get(run.recipe) or get_recipe(run.recipe)
            self._contexts[row.run_id] = Contexts(
                self.store, run, recipe, self.config, self.pool, self.meter, known=[run.id]
            )
        item = load_items(self.store, [row.item_id])[0]
        context = self._contexts[row.run_id].make(
            replace(item, id=item_id, run_id=run_id, fresh=False, claimed_by=None)
        )
        return replace(context, case=replace(context.case, prompts=self._prompts))

    async def try_one(
        self,
        row: PrecedentRow,
        part: str,
        draft: Document,
        base: Document,
        afresh: bool,
        again: bool,
    ) -> tuple[impact.Trial, tuple[float, float]]:
        """A precedent under both laws, with the panel's margins. `afresh`: judge anew under the old law too, since
        what the panel said before is why the item was sent to a person."""
        context = self.context(row)
        with self.store.connect() as connection:
            round_, pair = judged_at(connection, row)
        before = await self.judge(context, row.shown, base, round_ + AGAIN * afresh, pair)
        after = await self.judge(context, row.shown, draft, round_, pair)
        twice = None
        if again:
            twice = (await self.judge(context, row.shown, base, round_ + 2 * AGAIN, pair)).best
        await self.flush(context)
        trial = impact.Trial(row.id, part, row.outcome, before.best, after.best, twice)
        return trial, (before.margin, after.margin)

    async def score_shown(self, row: PrecedentRow, rubric: Rubric) -> list[dict[str, float]]:
        """Mean scores of the panel by criterion, of each candidate shown; empty where no judge gave any."""
        context = self.context(row)
        context = replace(context, case=replace(context.case, rubric=rubric))
        with self.store.connect() as connection:
            round_, pair = judged_at(connection, row)
        if len(row.shown) == 1:
            given = [await context.recipe.judge(context, list(row.shown), round=round_, pair=pair)]
        else:
            given = await asyncio.gather(
                *(
                    judges.score(
                        context.case,
                        context.answer(candidate),
                        prompt=context.prompt(candidate),
                        round=round_,
                        ordinal=pair * len(row.shown) + place,
                    )
                    for place, candidate in enumerate(row.shown)
                )
            )
        await self.flush(context)
        return [_mean_scores(verdicts) for verdicts in given]

    async def score_text(self, row: OfItem, answer: str, ordinal: int) -> tuple[dict[str, float], float]:
        """A text as the item's answer: the panel's mean scores by criterion, empty where no judge gave any, and their
        mean by the weights of the item's rubric."""
        context = self.context(row)
        given = await judges.score(
            context.case, answer, prompt=context.case.prompt, round=AGAIN, ordinal=ordinal
        )
        await self.flush(context)
        scores = _mean_scores(given)
        return scores, judges.weighted_mean(scores, context.case.rubric.weights())

    async def judge(
        self, context: ItemContext, shown: Sequence[str], law: Document, round_: int, pair: int
    ) -> Consensus:
        """What the panel thinks of the candidates shown under this law, with the other law as the item had it."""
        kept: dict[str, Constitution | Rubric] = {law.kind: law}
        case = replace(context.case, **kept)  # type: ignore[arg-type]
        under = replace(context, case=case)
        return context.weigh(await context.recipe.judge(under, list(shown), round=round_, pair=pair), shown)

    async def flush(self, context: ItemContext) -> None:
        """Wait until the calls made so far are in the journal."""
        await self.store.writer.run(lambda _: None)
        context.case.caller.journal.check()


def _mean_scores(verdicts: Sequence[judges.Verdict]) -> dict[str, float]:
    given: dict[str, list[float]] = {}
    for verdict in verdicts:
        for name, score in (verdict.scores or {}).items():
            given.setdefault(name, []).append(score)
    return {name: sum(scores) / len(scores) for name, scores in given.items()}
