"""Rubric scores of the accepted answers by a judge other than their producers. The one evaluation that asks a model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solon.config.sections import JudgeConfig, family_of
from solon.errors import LimitReached, UsageError
from solon.eval.material import Material, spell_sample
from solon.eval.result import Figure, SuiteResult, mean
from solon.graphs.bench import Bench
from solon.store.runs import runs
from solon.store.runs.items import authors_of

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from solon.config import Config
    from solon.formats.records import ExportRow


class Scores(SuiteResult):
    """Rubric scores of accepted answers, 1 to 5, criterion by criterion, by the rubric of each record's item.

    Attributes:
        n: records of which an answer was scored.
        judge: `provider:model` that scored.
        producers: who wrote the scored answers.
        overall: weighted mean of the accepted answers.
        rejected: weighted mean of the answers that they were preferred to.
        gap: the difference of the two, pair by pair.
        criteria: mean of the accepted answers, by criterion.
        unscored: accepted answers without valid scores.
    """

    judge: str
    producers: tuple[str, ...]
    overall: Figure
    rejected: Figure
    gap: Figure
    criteria: dict[str, Figure]
    unscored: int

    def headline(self) -> dict[str, Figure]:
        """The accepted answers, the rejected ones, and the gap between the two."""
        return {
            "accepted answers, of 5": self.overall,
            "rejected answers, of 5": self.rejected,
            "gap of the two, pair by pair": self.gap,
        }

    def next_step(self) -> str:
        """Score more, or read what was scored low."""
        if not self.n:
            return "there are no answers to score; `solon status` says where the runs stand"
        return "is the judge right? Set it against the experts: `solon eval judges`"


@dataclass(frozen=True, slots=True)
class _Place:
    run_id: str
    item_id: str


async def score_records(
    material: Material,
    config: Config,
    judge: str,
    *,
    models: Mapping[str, BaseChatModel] | None = None,
    own_family: bool = False,
    max_calls: int | None = None,
) -> Scores:
    """Let a model score a sample of the records, and return the figures. Calls are journalled, and not made
    twice.

    Args:
        judge: name of the model in [models].
        models: chat models by name, in place of those of the configuration.
        own_family: allow that it scores answers of its own family.
        max_calls: most calls that are made.

    Raises:
        UsageError: there is no such model, or it would score answers of its own family and `own_family` is
            not set.
        LimitReached: `max_calls` are made; what was scored is in the journal.
    """
    if judge not in config.models:
        raise UsageError(
            f"[models] has no {judge!r}", next_step=f"it has {', '.join(sorted(config.models))}; add one"
        )
    records, seen = material.records()
    rows = [row for row in records if row.answer is not None and row.outcome != "label"]
    chosen = [str(row.lineage["chosen"]) for row in rows]
    with material.store.connect() as connection:
        producers = tuple(sorted(authors_of(connection, chosen)))
        families = runs.told_families(connection, material.runs)
    families |= {model.model: model.family for model in config.models.values() if model.family}
    named = config.models[judge].model
    own = [author for author in producers if family_of(author, families) == family_of(named, families)]
    if own and not own_family:
        raise UsageError(
            f"{named} would score what its own family wrote ({', '.join(own)})",
            next_step="name a model of another family, or say --own-family",
        )
    alone = config.model_copy(update={"judges": (JudgeConfig(model=judge, max_tokens=400),)})
    bench = Bench(material.store, alone, models, max_calls=max_calls)
    try:
        scored = await _score_all(bench, rows)
    finally:
        await bench.aclose()
    notes = spell_sample(len(records), seen)
    return _summed(material, rows, scored, notes, named, producers)


GivenAnswer = tuple[tuple[dict[str, float], float], tuple[dict[str, float], float]]
"""Scores by criterion and their mean, of the accepted answer and of the one it was preferred to; empty: none."""


async def _score_all(bench: Bench, rows: Sequence[ExportRow]) -> list[GivenAnswer]:
    gate = asyncio.Semaphore(bench.width)

    async def one(row: ExportRow) -> GivenAnswer:
        place = _Place(str(row.lineage["run"]), str(row.lineage["item"]))
        async with gate:
            best = await bench.score_text(place, row.answer or "", 0)
            other = await bench.score_text(place, row.rejected, 1) if row.rejected else ({}, 0.0)
        return best, other

    outcomes = await asyncio.gather(*(one(row) for row in rows), return_exceptions=True)
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if failed:
        raise next((error for error in failed if not isinstance(error, LimitReached)), failed[0])
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]


def _summed(
    material: Material,
    rows: Sequence[ExportRow],
    scored: Sequence[GivenAnswer],
    notes: tuple[str, ...],
    judge: str,
    producers: tuple[str, ...],
) -> Scores:
    by_criterion: dict[str, list[float]] = {}
    for (best, _), _other in scored:
        for criterion, score in best.items():
            by_criterion.setdefault(criterion, []).append(score)
    overall = [value for (best, value), _ in scored if best]
    rejected = [value for _, (other, value) in scored if other]
    gaps = [high - low for (best, high), (other, low) in scored if best and other]
    return Scores(
        suite="scores",
        n=len(overall),
        notes=notes,
        judge=judge,
        producers=producers,
        overall=mean(overall, material.seed, "no answer was scored"),
        rejected=mean(rejected, material.seed, "no pair was scored"),
        gap=mean(gaps, material.seed, "no pair was scored"),
        criteria={k: mean(v, material.seed) for k, v in sorted(by_criterion.items())},
        unscored=sum(not best for (best, _), _ in scored),
    )
