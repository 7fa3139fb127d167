"""Let the conflict resolver hear both sides of a split panel. Its answer is one more verdict, never an acceptance."""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph.runtime import Runtime

from solon.agents import judge as judges
from solon.agents.judge import Verdict
from solon.agents.resolver import Resolution, resolve_outcome
from solon.agents.resolver import resolve as ask_resolver
from solon.consensus.tiers import place_of
from solon.graphs.context import ItemContext
from solon.graphs.state import ItemState
from solon.questions import PAIR
from solon.store.database import clock
from solon.store.runs.items import keep_rationale
from solon.store.runs.verdicts import RESOLVER, rationales_on, was_debated
from solon.store.tables.work import Resolution as ResolutionRow


async def resolve(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Ask the resolver about a split panel. Says `on`, to be weighed again, with the resolver's vote where it cited a
    rule."""
    context = runtime.context
    ask = _ask_of_pair if context.question.shown == len(PAIR.outcomes) else _ask_of_text
    resolution = await ask(context, state)
    _store(context, state, resolution)
    await context.commit()
    votes = list(state["verdicts"])
    if resolution.favours:
        voter = context.case.caller.voter(context.case.config.resolver.model, resolution.outcome)
        votes.append(Verdict(judge=voter, seat=RESOLVER, outcome=resolution.favours).to_state())
    summary = (
        resolution.handed_over
        or f"the resolver favours {resolution.favours} by {', '.join(resolution.cites)}"
    )
    resolved = {"favours": resolution.favours, "cites": list(resolution.cites), "told": summary}
    return {"verdicts": votes, "resolved": resolved, "next": "on"}


async def _ask_of_pair(context: ItemContext, state: ItemState) -> Resolution:
    a, b = (context.answer(candidate) for candidate in state["shown"])
    reasons = await _hear_both_sides(context, state, a, b)
    known = context.precedents(*state["shown"])
    return await ask_resolver(
        context.case,
        a,
        b,
        for_a=reasons["A"],
        for_b=reasons["B"],
        round=state["round"],
        pair=state.get("pairs", 0),
        precedents=known.text,
        precedent_ids=known.ids,
    )


async def _ask_of_text(context: ItemContext, state: ItemState) -> Resolution:
    [shown] = state["shown"]
    await context.commit()  # what the panel said is read from the store
    with context.store.connect() as connection:
        said = rationales_on(connection, context.item.id, context.item.attempt, shown)
    outcomes = context.question.outcomes
    known = context.precedents(shown)
    return await resolve_outcome(
        context.case_of(shown),
        context.answer(shown),
        outcomes,
        reasons={name: said[name] for name in outcomes if name in said},
        round=state["round"],
        pair=state.get("pairs", 0),
        precedents=known.text,
        precedent_ids=known.ids,
    )


async def _hear_both_sides(context: ItemContext, state: ItemState, a: str, b: str) -> dict[str, str]:
    """One rationale a side: what the surest of its judges says when asked; empty where none of them can be asked, since
    their verdicts came with the seed."""
    round_, pair = state["round"], state.get("pairs", 0)
    sides: dict[str, str] = {"A": "", "B": ""}
    verdicts = [Verdict.from_state(kept) for kept in state["verdicts"]]
    seats = len(context.case.config.judges)
    seated = [v for v in verdicts if place_of(v.seat, seats) is not None]
    asked: list[tuple[str, Verdict]] = []
    for side in sides:
        voters = [v for v in seated if v.outcome == side]
        if voters:
            asked.append((side, max(voters, key=lambda v: abs((0.75 if v.p is None else v.p) - 0.5))))
    await context.commit()  # what was said before a debate is read from the store
    with context.store.connect() as connection:
        again = was_debated(connection, context.item.id, context.item.attempt, state["shown"])
    answers = await asyncio.gather(
        *(
            judges.explain(
                context.case,
                place_of(v.seat, seats) or 0,
                a=a,
                b=b,
                order=v.order,
                outcome=side,
                round=round_,
                pair=pair,
                again=again,
            )
            for side, v in asked
        )
    )
    for (side, verdict), answer in zip(asked, answers, strict=True):
        sides[side] = answer
        if answer:
            await _keep_rationale(context, verdicts.index(verdict), round_, pair, answer)
    return sides


async def _keep_rationale(context: ItemContext, ordinal: int, round_: int, pair: int, rationale: str) -> None:
    text_id = context.add_text(rationale)
    await context.commit()
    verdict_id = context.row_id("judge", f"{round_}.{pair}.{ordinal}")
    await context.store.writer.run(
        lambda connection: keep_rationale(connection, verdict_id, text_id), claim=context.item.claim
    )


def _store(context: ItemContext, state: ItemState, found: Resolution) -> None:
    pair = context.question.shown == len(PAIR.outcomes)
    side = PAIR.outcomes.index(found.favours) if found.favours and pair else 0 if found.favours else None
    context.add(
        ResolutionRow,
        {
            "id": context.row_id("resolve", f"{state['round']}.{state.get('pairs', 0)}"),
            "item_id": context.item.id,
            "attempt": context.item.attempt,
            "round": state["round"],
            "favours_id": None if side is None else state["shown"][side],
            "outcome": (found.favours or None) if not pair else None,
            "cites": list(found.cites),
            "handed_over": found.handed_over or None,
            "text_id": context.add_text(found.reason) if found.reason else None,
            "call_id": found.outcome.call_id,
            "created_at": clock.now(),
        },
    )
