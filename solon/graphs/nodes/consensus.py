"""Weigh the verdicts and send the item on: accept, resolve, or open a review with its reasons."""

from __future__ import annotations

import time
from typing import Any

from langgraph.runtime import Runtime

from solon.consensus.panel import Verdict as Vote
from solon.consensus.panel import judge_item
from solon.graphs.context import ItemContext
from solon.graphs.routing import Route, choose_route
from solon.graphs.state import ItemState
from solon.store.ids import hash_id
from solon.store.tables import Review


async def consensus(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Next: `finish` (accepted), `resolve` or `review`; a review is written before the graph waits for it."""
    context = runtime.context
    routing = context.case.config.routing
    votes = [Vote(v[0], v[1], v[2], v[3], v[4], v[5], None, v[6]) for v in state["verdicts"]]
    found = judge_item(context.consensus, votes)
    resolver = context.recipe.has_resolver and context.case.config.resolver.enabled
    route = choose_route(
        found,
        routing,
        can_resolve=resolver and state.get("resolved") is None,
        asked_back=bool(state.get("prefer_actor")),
    )
    summary = {
        "best": found.best,
        "margin": round(found.margin, 6),
        "confidence": round(found.confidence, 6),
        "posterior": {k: round(v, 6) for k, v in found.posterior.items()},
    }
    if route.where == "resolve":
        return {"consensus": summary, "next": "resolve"}
    if route.where == "accept":
        return {"consensus": summary, "next": "finish", **context.recipe.accept(found.best, state, route.rule)}
    review_id = await _open_review(context, state, route, summary)
    return {"consensus": summary, "next": "review", "review": review_id, "reviews": state.get("reviews", 0) + 1}


async def _open_review(context: ItemContext, state: ItemState, route: Route, summary: dict[str, Any]) -> str:
    ordinal = state.get("reviews", 0)
    shown = state["shown"]
    reasons = list(route.reasons)
    resolved = state.get("resolved")
    if resolved is not None:
        reasons.append({"code": "resolver", "text": resolved["told"]})
    review_id = context.row_id("review", ordinal)
    texts = sorted(context.candidate(candidate).text_id for candidate in shown)
    context.add(
        Review,
        {
            "id": review_id,
            "item_id": context.item.id,
            "run_id": context.item.run_id,
            "recipe": context.recipe.name,
            "attempt": context.item.attempt,
            "ordinal": ordinal,
            "kind": "interrupt",
            "state": "opening",
            "response_schema": context.recipe.response_schema,
            "candidates": shown,
            "reasons": reasons,
            "rule": route.rule,
            "margin": summary["margin"],
            "confidence": summary["confidence"],
            "thread_id": thread_id(context.item.id, context.item.attempt),
            "prefer_actor": state.get("prefer_actor"),
            "content_hash": hash_id(context.recipe.name, context.item.seed_id, *texts),
            "created_at": time.time(),
        },
    )
    await context.commit()
    return review_id


def thread_id(item_id: str, attempt: int) -> str:
    """One LangGraph thread per attempt of an item."""
    return f"{item_id}:{attempt}"
