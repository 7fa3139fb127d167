"""Write the record and the item's final state, in one transaction."""

from __future__ import annotations

import time
from typing import Any

from langgraph.runtime import Runtime

from solon.graphs.context import ItemContext
from solon.graphs.state import ItemState
from solon.store.items import finish_item
from solon.store.writer import Row


async def finish(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """The end of every item: accepted with a record, rejected or failed with a reason."""
    context = runtime.context
    route = state.get("route") or "consensus"
    record = _record(context, state, route) if state["outcome"] == "accepted" else None
    item, outcome, reason = context.item, state["outcome"], state.get("reason")
    await context.store.writer.run(
        lambda connection: finish_item(connection, item.id, item.attempt, outcome, record, route=route, reason=reason)
    )
    context.case.caller.journal.check()
    return {"record": record["id"] if record else None, "next": "end", "route": route}


def _record(context: ItemContext, state: ItemState, route: str) -> Row:
    """A record says what was chosen, how sure the panel was of it, and who decided."""
    consensus = state.get("consensus") or {}
    decision = state.get("decision") if route == "decided" else None
    chosen, rejected, kind = context.recipe.choose(state, decision)
    soft = 0.5 if kind == "tie" else _soft_label(consensus, state, chosen)
    return {
        "id": context.row_id("record", 0),
        "item_id": context.item.id,
        "run_id": context.item.run_id,
        "attempt": context.item.attempt,
        "recipe": context.recipe.name,
        "kind": kind,
        "chosen_id": chosen,
        "rejected_id": rejected,
        "label": None,
        "margin": consensus.get("margin"),
        "confidence": consensus.get("confidence"),
        "soft_label": soft,
        "scores": (decision or {}).get("scores") or None,
        "route": route,
        "provisional": decision is None,
        "consensus_id": context.item.consensus_id,
        "decision_id": (decision or {}).get("decision"),
        "created_at": time.time(),
    }


def _soft_label(consensus: dict[str, Any], state: ItemState, chosen: str | None) -> float | None:
    """The panel's probability of the chosen candidate; None where it never judged it (an edit)."""
    posterior = consensus.get("posterior") or {}
    shown = state.get("shown") or []
    if chosen in shown and set(posterior) == {"A", "B"}:
        return float(posterior["AB"[shown.index(chosen)]])
    return None
