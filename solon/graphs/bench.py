"""The bench: judges decided items again, under law that they were not judged by, through a journal apart from
theirs.

What is found before an amendment is ratified never becomes part of an item's lineage. What the panel has said
of an item before, under the same law, is read from the item's own run and not asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from solon.agents import judge as judges
from solon.agents.calls import Meter, ModelPool
from solon.agents.voters import with_rules
from solon.config import Config
from solon.consensus.panel import Consensus
from solon.graphs.context import ItemContext
from solon.graphs.contexts import Contexts
from solon.graphs.nodes.judge import judge_shown
from solon.law import impact
from solon.law.amendments import Document
from solon.law.documents import Rubric
from solon.prompts.library import PromptLibrary
from solon.recipes.registry import Recipes
from solon.store.database.store import Store
from solon.store.lawmaking.precedents import PrecedentRow, judged_at
from solon.store.lawmaking.trial_runs import open_bench
from solon.store.runs.items import load_items
from solon.store.runs.laws import rules_in_force
from solon.store.runs.runs import config_payload, find_run

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from solon.plugins import Plugin

AGAIN = 1000
"""Added to the round of a call that shall be an independent draw."""


class OfItem(Protocol):
    """What names an item and its run."""

    @property
    def run_id(self) -> str:
        """The id of the item's run."""

    @property
    def item_id(self) -> str:
        """The id of the item."""


class Bench:
    """Judges decided items again under any law, with the models of one configuration and a meter of its own.

    Args:
        models: chat models in place of configured ones, by their names in [models].
        recipes: the recipes that there are; default: those that the configuration names, and the shipped ones.
        plugins: functions in place of those that the configuration names, by their references.
        max_calls, max_cost: where the bench stops with `LimitReached`; None: no limit.
    """

    def __init__(
        self,
        store: Store,
        config: Config,
        models: Mapping[str, BaseChatModel] | None,
        recipes: Recipes | None = None,
        *,
        max_calls: int | None = None,
        max_cost: float | None = None,
        plugins: Mapping[str, Plugin] | None = None,
    ) -> None:
        self.store, self.config = store, config
        self.pool = ModelPool(config, given=models, plugins=plugins)
        self.meter = Meter(max_calls=max_calls, max_cost=max_cost)
        self._recipes = recipes or Recipes(config)
        self._prompts: dict[str, PromptLibrary] = {}
        self._contexts: dict[str, Contexts] = {}

    @property
    def width(self) -> int:
        """How many items to judge at once. The models are prepared when this is first asked."""
        self.pool.prepare()
        return self.config.run.concurrency or self.pool.concurrency

    async def aclose(self) -> None:
        """Wait for the calls in flight, admit no further one and close the models."""
        await self.meter.land()
        await self.pool.aclose()

    def context(self, row: OfItem) -> ItemContext:
        """The item as its agents saw it, under today's prompts and panel."""
        with self.store.connect() as connection:
            run = find_run(connection, row.run_id)
            pinned = config_payload(connection, run.config_id).get("plugins") or {}
            ratified = rules_in_force(connection).rules
        with self.store.transaction() as connection:
            run_id, item_id = open_bench(self.store, connection, run, row.item_id)
        if row.run_id not in self._contexts:
            recipe = self._recipes.of_run(run.recipe, pinned, run.id)
            templates = self._recipes.find(run.recipe).templates
            self._prompts[row.run_id] = PromptLibrary(self.config.prompts_dir, recipe=templates)
            config = self.config
            if recipe.has_panel:
                config = with_rules(config, ratified, recipe.question.asked(config))
            self._contexts[row.run_id] = Contexts(
                self.store, run, recipe, config, self.pool, self.meter, known=[run.id]
            )
        item = load_items(self.store, [row.item_id])[0]
        context = self._contexts[row.run_id].make(
            replace(item, id=item_id, run_id=run_id, fresh=False, claimed_by=None)
        )
        return replace(context, case=replace(context.case, prompts=self._prompts[row.run_id]))

    async def try_one(
        self,
        row: PrecedentRow,
        part: str,
        draft: Document,
        base: Document,
        afresh: bool,
        again: bool,
    ) -> tuple[impact.Trial, tuple[float, float]]:
        """A precedent judged under both laws, for the impact of an amendment.

        Args:
            row: the precedent.
            part: the part of the sample that it was drawn for, kept with the trial.
            draft: the drafted document.
            base: the document in force.
            afresh: judge anew under the law in force too, since what the panel said before is why the item
                was sent to a
            person.
            again: judge a second time under the law in force, which shows how often the panel alone changes
                its mind.

        Returns:
            The trial, and the panel's margins under the law in force and under the draft.
        """
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
        """The panel's mean scores by criterion under this rubric, of each candidate that was shown; empty where
        no judge gave any."""
        context = self.context(row)
        context = replace(context, case=replace(context.case, rubric=rubric, seed_rubric=None))
        with self.store.connect() as connection:
            round_, pair = judged_at(connection, row)
        if context.question.shown == 1:
            of_each = [await judge_shown(context, row.shown, round=round_, pair=pair)]
        else:
            of_each = await asyncio.gather(
                *(
                    judges.score(
                        context.case_of(candidate),
                        context.answer(candidate),
                        round=round_,
                        ordinal=pair * len(row.shown) + place,
                    )
                    for place, candidate in enumerate(row.shown)
                )
            )
        await self.flush(context)
        return [_mean_scores(verdicts) for verdicts in of_each]

    async def score_text(self, row: OfItem, answer: str, ordinal: int) -> tuple[dict[str, float], float]:
        """The panel's scores of any text as the item's answer.

        Returns:
            The mean scores by criterion, empty where no judge gave any; and their mean by the weights of the
                item's rubric, or the seed's own.
        """
        context = self.context(row)
        verdicts = await judges.score(context.case, answer, round=AGAIN, ordinal=ordinal)
        await self.flush(context)
        scores = _mean_scores(verdicts)
        return scores, context.case.criteria.mean(scores)

    async def judge(
        self, context: ItemContext, shown: Sequence[str], law: Document, round_: int, pair: int
    ) -> Consensus:
        """The panel's consensus on the candidates shown under this law; the other document stays as the item
        had it."""
        kept: dict[str, Document] = {law.kind: law}
        case = replace(context.case, **kept)  # type: ignore[arg-type]
        under = replace(context, case=case)
        return context.weigh(await judge_shown(under, shown, round=round_, pair=pair), shown)

    async def flush(self, context: ItemContext) -> None:
        """Wait until the calls made so far are in the journal."""
        await self.store.writer.run(lambda _: None)
        context.case.caller.journal.check()


def _mean_scores(verdicts: Sequence[judges.Verdict]) -> dict[str, float]:
    by_criterion: dict[str, list[float]] = {}
    for verdict in verdicts:
        for name, score in (verdict.scores or {}).items():
            by_criterion.setdefault(name, []).append(score)
    return {name: sum(scores) / len(scores) for name, scores in by_criterion.items()}
