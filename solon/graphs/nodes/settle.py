"""Turn an expert's decision into what follows from it."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from solon.graphs.context import ItemContext
from solon.graphs.state import ItemState
from solon.store.reviewing.review_rows import VOTES


async def settle(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Apply an expert's decision. Next: `finish`, `judge` (the next two candidates) or `draft` (with the
    expert's guidance)."""
    context = runtime.context
    decision = state["decision"] or {}
    choice = decision["choice"]
    route = "voted" if decision.get("actor") == VOTES else "decided"
    done = {"next": "finish", "route": route, "outcome": "accepted", "reason": choice, "review": None}
    if choice == "consensus":  # held back under a budget, and not among those that experts see
        accepted = context.recipe.accept(state["consensus"]["best"], state, "budget")
        return {"next": "finish", "review": None, **accepted}
    if choice in ("prefer", "tie", "accept") or decision.get("label"):
        return done
    if choice == "edit":
        edited = await _edited(context, state, decision)
        return {**done, "candidates": [*state["candidates"], edited]}
    if choice == "reject":
        return {**done, "outcome": "rejected"}
    if choice == "both_bad":
        return _next_candidates(context, state)
    return _redraft(context, state, guidance=decision["guidance"], actor=decision["actor"])


async def _edited(context: ItemContext, state: ItemState, decision: dict[str, Any]) -> str:
    unedited = context.candidate(decision["candidate"])
    edited = context.add_candidate(
        "edit",
        state.get("reviews", 0),
        round=state["round"],
        kind="edit",
        text=context.text(decision["edit"]),
        **context.own_task(unedited.id),
        author=decision["actor"],
        parent_id=unedited.id,
    )
    await context.commit()
    return edited


def _next_candidates(context: ItemContext, state: ItemState) -> dict[str, Any]:
    """Both bad: the next two candidates, then a redraft (of given texts none), then a rejection."""
    tried = state.get("pairs", 0) + 1
    if len(state["candidates"]) >= (tried + 1) * context.recipe.shown:
        return {"next": "judge", "pairs": tried, "review": None}
    may_draft = not context.came_with_seed(state["candidates"])
    if may_draft and state["round"] < context.case.config.routing.max_redrafts:
        return {"next": "draft", "round": state["round"] + 1, "review": None}
    return {"next": "finish", "route": "decided", "outcome": "rejected", "reason": "both_bad", "review": None}


def _redraft(context: ItemContext, state: ItemState, *, guidance: str, actor: str) -> dict[str, Any]:
    reason = ""
    if context.came_with_seed(state["candidates"]):  # asked under a schema that still offered it
        reason = "redraft: nothing is drafted in place of given texts"
    elif state.get("reviews", 0) >= context.case.config.routing.max_reviews_per_item:
        reason = f"still not good after {state['reviews']} reviews"
    if reason:
        return {"next": "finish", "route": "decided", "outcome": "rejected", "reason": reason, "review": None}
    return {
        "next": "draft",
        "round": state["round"] + 1,
        "guidance": guidance,
        "prefer_actor": actor,
        "review": None,
    }
