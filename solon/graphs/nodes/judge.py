"""Put the candidates before the panel, tier by tier: two of them in both orders, or one on the rubric."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from langgraph.runtime import Runtime

from solon.agents import judge as judges
from solon.agents.judge import Verdict
from solon.graphs.context import ItemContext
from solon.graphs.routing import stand, stops_here
from solon.graphs.state import ItemState
from solon.store.database import clock
from solon.store.tables.work import Verdict as VerdictRow


async def judge(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Put the candidates shown before the panel. Next: `consensus`, which weighs the verdicts."""
    context = runtime.context
    live = state["candidates"]
    tried = state.get("pairs", 0)
    elsewhere = context.judged_elsewhere(state["round"], tried)
    if tried == 0 and len(live) > context.recipe.shown and not elsewhere:
        live = await _shortlist(context, state["round"], live)
    shown = live[tried * context.recipe.shown : (tried + 1) * context.recipe.shown]
    if elsewhere:
        verdicts = [Verdict.from_seed(recorded) for recorded in context.verdicts or ()]
    else:
        verdicts = await context.recipe.judge(context, shown, round=state["round"], pair=tried)
    _store(context, shown, verdicts, state["round"], tried)
    await context.commit()
    return {
        "candidates": live,
        "shown": shown,
        "verdicts": [verdict.to_state() for verdict in verdicts],
        "resolved": None,
        "next": "consensus",
    }


async def judge_pair(context: ItemContext, shown: list[str], *, round: int, pair: int) -> list[Verdict]:
    """The panel's verdicts on two candidates, in both orders, by as many tiers as it takes."""
    a, b = (context.answer(candidate) for candidate in shown)
    known = context.precedents(*shown).text
    return await _ask_tiers(
        context,
        shown,
        lambda tier: judges.judge_pair(
            context.case, a, b, round=round, pair=pair, precedents=known, tier=tier
        ),
    )


async def judge_single(context: ItemContext, shown: list[str], *, round: int, pair: int) -> list[Verdict]:
    """The panel's scores of one candidate on the rubric, by as many tiers as it takes."""
    case, answer = context.case_of(shown[0]), context.answer(shown[0])
    known = context.precedents(*shown).text
    return await _ask_tiers(
        context,
        shown,
        lambda tier: judges.score(case, answer, round=round, ordinal=pair, precedents=known, tier=tier),
    )


async def _ask_tiers(
    context: ItemContext, shown: list[str], ask: Callable[[int], Awaitable[list[Verdict]]]
) -> list[Verdict]:
    """The cascade: the cheap judges first, the next tier where those asked so far are not sure enough.

    Every call is journalled as any other, so that an item replayed asks the same tiers and pays for none again.
    """
    verdicts = await ask(0)
    for tier in range(max(context.case.config.tiers)):
        so_far = context.weigh(verdicts, shown)
        if stops_here(so_far, context.case.config.routing, stand(context.item.pilot, context.cuts, tier)):
            break
        verdicts += await ask(tier + 1)
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
