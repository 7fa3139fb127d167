"""Put the candidates before the panel, tier by tier, with the question of the recipe."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from langgraph.runtime import Runtime

from solon.agents import judge as judges
from solon.agents.judge import Verdict
from solon.graphs.context import ItemContext
from solon.graphs.routing import stand, stops_here
from solon.graphs.state import ItemState
from solon.recipes.questions import ask_panel
from solon.store.database import clock
from solon.store.tables.work import Verdict as VerdictRow


async def judge(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Put the candidates shown before the panel. Says `on`. Of a recipe without a panel they are shown alone."""
    context = runtime.context
    live = state["candidates"]
    tried = state.get("pairs", 0)
    elsewhere = context.judged_elsewhere(state["round"], tried)
    recipe, size = context.recipe, context.question.shown
    if tried == 0 and len(live) > size and recipe.has_panel and not elsewhere:
        live = await _shortlist(context, state["round"], live)
    shown = recipe.pairing.shown(live, tried, size)
    if elsewhere:
        verdicts = [Verdict.from_seed(recorded) for recorded in context.verdicts or ()]
    else:
        asked = recipe.has_panel
        verdicts = await judge_shown(context, shown, round=state["round"], pair=tried) if asked else []
    _store(context, shown, verdicts, state["round"], tried)
    await context.commit()
    return {
        "candidates": live,
        "shown": shown,
        "verdicts": [verdict.to_state() for verdict in verdicts],
        "resolved": None,
        "next": "on",
    }


async def judge_shown(context: ItemContext, shown: Sequence[str], *, round: int, pair: int) -> list[Verdict]:
    """The panel's verdicts on the candidates shown, by as many tiers as it takes.

    The cascade: the cheap judges first, the next tier where those asked so far are not sure enough. Every call is
    journalled as any other, so that an item replayed asks the same tiers and pays for none again.
    """
    case, answers = context.case_of(shown[0]), [context.answer(candidate) for candidate in shown]
    ask = partial(
        ask_panel,
        context.recipe.question,
        case,
        answers,
        outcomes=context.question.outcomes,
        round=round,
        pair=pair,
        precedents=context.precedents(*shown).text,
    )
    verdicts = await ask(tier=0)
    for tier in range(max(context.case.config.tiers)):
        so_far = context.weigh(verdicts, shown)
        if stops_here(so_far, context.case.config.routing, stand(context.item.pilot, context.cuts, tier)):
            break
        verdicts += await ask(tier=tier + 1)
    return verdicts


async def _shortlist(context: ItemContext, round_: int, live: list[str]) -> list[str]:
    """Order the candidates by the first tier's rubric scores, best first; equal ones keep their order."""
    weights = context.case.rubric.weights()

    async def mean_score(ordinal: int, candidate: str) -> float:
        case, answer = context.case_of(candidate), context.answer(candidate)
        verdicts = await judges.score(case, answer, round=round_, ordinal=ordinal, tier=0)
        means = [judges.weighted_mean(v.scores, weights) for v in verdicts if v.scores]
        return sum(means) / len(means) if means else 0.0

    scores = await asyncio.gather(*(mean_score(i, c) for i, c in enumerate(live)))
    return [
        c for _, _, c in sorted((-score, i, c) for i, (score, c) in enumerate(zip(scores, live, strict=True)))
    ]


def _store(context: ItemContext, shown: list[str], verdicts: list[Verdict], round_: int, pair: int) -> None:
    for ordinal, verdict in enumerate(verdicts):
        context.add(
            VerdictRow,
            {
                "id": context.row_id("judge", f"{round_}.{pair}.{ordinal}"),
                "item_id": context.item.id,
                "attempt": context.item.attempt,
                "round": round_,
                "a_id": shown[0],
                "b_id": shown[1] if len(shown) > 1 else None,
                "judge": verdict.judge,
                "seat": verdict.seat,
                "order": verdict.order,
                "sample": verdict.sample,
                "outcome": verdict.outcome,
                "p": verdict.p,
                "confidence": verdict.confidence,
                "scores": verdict.scores,
                "rationale_id": context.add_text(verdict.rationale) if verdict.rationale else None,
                "call_id": verdict.call.call_id if verdict.call else None,
                "abstained": verdict.abstained or None,
                "basis": verdict.basis or None,
                "created_at": clock.now(),
            },
        )
