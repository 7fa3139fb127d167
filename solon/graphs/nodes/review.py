"""Wait for a person. A resumed node runs again from its top, so this one does nothing but interrupt."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from solon.graphs.context import ItemContext
from solon.graphs.state import ItemState


async def review(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Wait for a person. Says `on`. The interrupt holds ids only; what comes back is a decision that the
    store has checked and claimed."""
    decision = runtime.context.decided  # where it is given without LangGraph
    runtime.context.decided = None
    if decision is None:
        asked = {"review": state["review"], "candidates": state["shown"]}
        decision = interrupt(asked, response_schema=RESPONSE)
    return {"decision": decision, "next": "on"}


RESPONSE: dict[str, Any] = {
    "type": "object",
    "required": ["decision", "choice"],
    "properties": {
        "decision": {"type": "string", "description": "id of the stored decision"},
        "choice": {"type": "string"},
        "candidate": {"type": ["string", "null"]},
        "edit": {"type": ["string", "null"], "description": "id of the edited text"},
        "guidance": {"type": ["string", "null"], "description": "id of the guidance text"},
        "actor": {"type": "string"},
        "scores": {"type": "object"},
        "label": {"type": "string"},
    },
}
"""JSON schema of the resume value: ids and small values; the texts of an answer lie in the store."""
