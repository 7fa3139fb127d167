"""Rubric learning by numbers: weights of criteria fitted to decisions, proposed as an amendment like any other.

Only decisions of the seen half are fitted on. Where the panel has not scored what experts compared, it is
asked to, through a journal apart from the items', so that asking again costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from solon.errors import LimitReached, UsageError
from solon.law.amendments import Edit, apply_edits
from solon.law.documents import Rubric
from solon.lawmaking.drafting import law_in_force
from solon.store.lawmaking import amendments as stored
from solon.store.lawmaking.precedents import PrecedentRow, precedents_under

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from solon.config import Config
    from solon.consensus.criteria import WeightFit
    from solon.graphs.bench import Bench
    from solon.recipes.registry import Recipes
    from solon.store.database.store import Store
    from solon.store.lawmaking.amendments import AmendmentRow

AUTHOR = "weights"


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the decisions say of the weights of a rubric.

    Attributes:
        rubric: name and version of the rubric in force.
        decisions: decisions that could be compared on scores.
        criteria: ids of the criteria, in the order of the rubric.
        weights: the weights in force, in the same order.
        fit: the fitted weights and what they are worth; None where there are too few decisions.
        amendment: what was proposed; None where nothing was.
        calls: model calls made.
        from_journal: calls that the journal answered.
        stopped: the limit that ended the scoring, in words; None without one.
        why: why there is an amendment, or none, in words.
    """

    rubric: str
    decisions: int
    criteria: tuple[str, ...]
    weights: tuple[float, ...]
    fit: WeightFit | None
    amendment: AmendmentRow | None
    calls: int
    from_journal: int
    stopped: str | None
    why: str

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values; weights by criterion."""
        same = ("rubric", "decisions", "calls", "from_journal", "stopped", "why")
        return {
            **{name: getattr(self, name) for name in same},
            "weights": dict(zip(self.criteria, self.weights, strict=True)),
            "fitted": dict(zip(self.criteria, self.fit.weights, strict=True)) if self.fit else None,
            "fit": {**asdict(self.fit), "better": self.fit.better} if self.fit else None,
            "amendment": self.amendment.id if self.amendment else None,
        }


async def weigh(
    store: Store,
    config: Config,
    *,
    named: str | None = None,
    models: Mapping[str, BaseChatModel] | None = None,
    recipes: Recipes | None = None,
    max_calls: int | None = None,
    max_cost: float | None = None,
    dry_run: bool = False,
) -> Weighed:
    """Fit the weights of the rubric in force, and propose them where they do better on decisions left out.

    Args:
        named: a rubric of the store; default: the configured one.
        max_calls, max_cost: where the scoring stops; what is scored by then is fitted on.
        dry_run: propose nothing.

    Raises:
        UsageError: the store has no such rubric, or the same amendment is open already.
    """
    from solon.consensus.criteria import LEAST, fit_weights
    from solon.graphs.bench import Bench

    with store.connect() as connection:
        base = law_in_force(connection, config, "rubric", named)
        rows = [row for row in precedents_under(connection, base.document) if _is_usable(row)]
    rubric = base.document
    assert isinstance(rubric, Rubric)
    bench = Bench(store, config, models, recipes, max_calls=max_calls, max_cost=max_cost)
    scored, stopped = await _score_all(bench, rows, rubric)
    compared = [
        (row, *_sides(row, scores, rubric, config.instruction.accept_score)) for row, scores in scored
    ]
    weights = [criterion.weight for criterion in rubric.criteria]
    fit = fit_weights(
        _matrix([better for _, better, _ in compared], len(weights)),
        _matrix([worse for _, _, worse in compared], len(weights)),
        [row.group or row.seed_id for row, _, _ in compared],
        weights,
    )
    amendment = None
    if fit is None:
        why = f"{len(compared)} decisions of the seen half can be compared on scores; it takes {LEAST}"
    elif not fit.better:
        why = f"no other weights do better on decisions left out: {_spell(fit)}"
    else:
        why = f"these weights do better on decisions left out: {_spell(fit)}"
        if not dry_run:
            edits = _edits(rubric, fit)
            reason = f"Weights fitted to {fit.n} decisions. On decisions left out, {_spell(fit)}."
            document = apply_edits(rubric, edits, author=AUTHOR, reason=reason)
            cites = [row.decision_id for row, _, _ in compared]
            with store.transaction() as connection:
                amendment = stored.add_amendment(
                    store, connection, base, document, proposer=AUTHOR, cites=cites
                )
    return Weighed(
        rubric=f"{base.name} {base.version}",
        decisions=len(compared),
        criteria=tuple(rubric.ids()),
        weights=tuple(weights),
        fit=fit,
        amendment=amendment,
        calls=bench.meter.calls,
        from_journal=bench.meter.cached,
        stopped=stopped,
        why=why,
    )


def _is_usable(row: PrecedentRow) -> bool:
    """Decisions of the seen half that name a side; held-out ones never."""
    return row.half == "seen" and row.overruled_at is None and row.question.is_outcome(row.outcome)


async def _score_all(
    bench: Bench, rows: Sequence[PrecedentRow], rubric: Rubric
) -> tuple[list[tuple[PrecedentRow, list[dict[str, float]]]], str | None]:
    gate = asyncio.Semaphore(bench.width)

    async def one(row: PrecedentRow) -> list[dict[str, float]]:
        async with gate:
            return await bench.score_shown(row, rubric)

    try:
        results = await asyncio.gather(*(one(row) for row in rows), return_exceptions=True)
    finally:
        await bench.aclose()
    stopped = None
    scored = []
    for row, scores in zip(rows, results, strict=True):
        if isinstance(scores, LimitReached):
            stopped = scores.cause
        elif isinstance(scores, BaseException):
            raise scores
        elif all(scores):
            scored.append((row, scores))
    return scored, stopped


def _sides(
    row: PrecedentRow, scores: Sequence[Mapping[str, float]], rubric: Rubric, line: float
) -> tuple[list[float], list[float]]:
    """Scores of what was preferred and of what was not, by criterion; a single answer is compared with the mean
    score from which one is accepted. NaN where there is no score."""
    missing = float("nan")
    shown = [[by_criterion.get(name, missing) for name in rubric.ids()] for by_criterion in scores]
    if row.question.shown == 1:
        shown.append([line] * len(rubric.ids()))
    better = row.question.outcomes.index(row.outcome)
    return shown[better], shown[1 - better]


def _matrix(rows: Sequence[Sequence[float]], width: int) -> Any:
    import numpy as np

    return np.array(rows, dtype=float).reshape(len(rows), width)


def _edits(rubric: Rubric, fit: WeightFit) -> list[Edit]:
    pairs = zip(rubric.criteria, fit.weights, strict=True)
    edits = [Edit(action="weight", id=c.id, weight=w) for c, w in pairs if abs(c.weight - w) > 1e-9]
    if not edits:
        raise UsageError("the fitted weights are those in force")
    return edits


def _spell(fit: WeightFit) -> str:
    low, high = fit.interval
    return (
        f"agreement {fit.before:.0%} to {fit.after:.0%}, log likelihood {fit.gain:+.3f} a decision "
        f"(95% {low:+.3f} to {high:+.3f})"
    )
