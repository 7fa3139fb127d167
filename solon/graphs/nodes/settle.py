"""Turn an expert's decision into what follows from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from langgraph.runtime import Runtime

from solon.graphs.context import ItemContext
from solon.graphs.evaluations import tell_decision
from solon.graphs.nodes.consensus import end_by_panel
from solon.graphs.state import ItemState, StepState
from solon.law.seed_rubrics import rubric_of_answer
from solon.questions import NEITHER
from solon.store.reviewing.review_rows import VOTES


async def settle(state: StepState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Apply an expert's decision. Says `end`, `next` (the next candidates are judged), `again` (a draft with the
    expert's guidance), or `past STEP` (the request goes on, past the step that asked about it)."""
    context = runtime.context
    decision = state["decision"] or {}
    choice = decision["choice"]
    tell_decision(context, decision, state.get("shown") or ())
    route = "voted" if decision.get("actor") == VOTES else "decided"
    done = {"next": "end", "route": route, "outcome": "accepted", "reason": choice, "review": None}
    if choice == "go_on":
        guidance = decision.get("guidance") or state.get("guidance")
        if decision.get("edit"):
            rubric = rubric_of_answer(context.text(decision["edit"]))
            context.case = replace(context.case, seed_rubric=rubric)
        return {"next": f"past {state['asker']}", "guidance": guidance, "review": None, "asker": None}
    if choice == "reject" and state.get("asker"):
        return {**done, "outcome": "rejected", "asker": None}
    if choice == "consensus":  # held back under a budget, and not among those that experts see
        if state["consensus"].get("silent"):
            return {
                **done,
                "outcome": "rejected",
                "reason": "no verdict, and the budget is spent",
                "route": "consensus",
            }
        ended = end_by_panel(context, state["consensus"]["best"], state, "budget")
        return {"next": "end", "review": None, **ended}
    if context.question.rewrites(choice):
        edited = await _edited(context, state, decision)
        return {**done, "candidates": [*state["candidates"], edited]}
    if choice in ("both_bad", "all_bad"):
        return _next_candidates(context, state, choice)
    outcome = context.question.outcome_of(choice, decision.get("candidate"), state["shown"])
    if outcome not in (None, NEITHER):
        return done if context.question.gives_record(str(outcome)) else {**done, "outcome": "rejected"}
    return _redraft(context, state, guidance=decision["guidance"], actor=decision["actor"])


async def _edited(context: ItemContext, state: ItemState, decision: dict[str, Any]) -> str:
    unedited = decision["candidate"]  # None where the person wrote an answer that edits none
    edited = context.add_candidate(
        "edit",
        state.get("reviews", 0),
        round=state["round"],
        kind="edit",
        text=context.text(decision["edit"]),
        **context.own_task(unedited or state["shown"][0]),
        author=decision["actor"],
        parent_id=unedited,
    )
    await context.commit()
    return edited


def _next_candidates(context: ItemContext, state: ItemState, choice: str) -> dict[str, Any]:
    """None will do: the next candidates, then others in place of all, given ones too (none where all are given), then a
    rejection."""
    tried = state.get("pairs", 0) + 1
    if context.show(state["candidates"], tried, round=state["round"]):
        return {"next": "next", "pairs": tried, "review": None}
    may_draft = not context.came_with_seed(state["candidates"])
    if may_draft and state["round"] < context.case.config.routing.max_redrafts:
        return {"next": "again", "round": state["round"] + 1, "candidates": [], "review": None}
    return {"next": "end", "route": "decided", "outcome": "rejected", "reason": choice, "review": None}


def _redraft(context: ItemContext, state: ItemState, *, guidance: str, actor: str) -> dict[str, Any]:
    reason = ""
    if context.came_with_seed(state["candidates"]):  # asked under a schema that still offered it
        reason = "redraft: nothing is drafted in place of given texts"
    elif state.get("reviews", 0) >= context.case.config.routing.max_reviews_per_item:
        reason = f"still not good after {state['reviews']} reviews"
    if reason:
        return {"next": "end", "route": "decided", "outcome": "rejected", "reason": reason, "review": None}
    return {
        "next": "again",
        "round": state["round"] + 1,
        "guidance": guidance,
        "prefer_actor": actor,
        "review": None,
    }
