"""Weigh the verdicts and send the item on: accept, resolve, or open a review with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.runtime import Runtime

from solon.agents.judge import Verdict
from solon.consensus.panel import Consensus
from solon.consensus.tiers import tier_reached
from solon.consensus.worth import RELIABILITY, Worth, reading_minutes, weigh_decision
from solon.graphs.context import ItemContext
from solon.graphs.routing import (
    Route,
    choose_route,
    explain_orders,
    is_covered,
    presumption,
    routed_by_orders,
    stand,
)
from solon.graphs.state import ItemState, StepState
from solon.recipes.questions import find_schema
from solon.responses import for_given
from solon.store.database import clock
from solon.store.database.ids import hash_id
from solon.store.tables.people import Review


async def consensus(state: StepState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Weigh the verdicts and send the item on. Says `end` (it is final), `split` (the resolver is asked) or `ask` (a
    person is).

    A review is written before the graph waits for it.
    """
    context = runtime.context
    routing = context.case.config.routing
    verdicts = [Verdict.from_state(kept) for kept in state["verdicts"]]
    tier = _tier(context, state, verdicts)
    # Without a panel there is nothing for a pilot to measure.
    standing = stand(context.item.pilot and context.recipe.has_panel, context.cuts, tier)
    not_asked = [Verdict.from_state(kept) for kept in state.get("not_asked") or ()]
    panel_view = context.weigh(verdicts, state["shown"], not_asked)
    resolver = context.recipe.has_resolver and context.case.config.resolver.enabled
    presumed = presumption(context.pairing, context.question)
    route = choose_route(
        panel_view,
        routing,
        standing,
        can_resolve=resolver and state.get("resolved") is None,
        asked_back=bool(state.get("prefer_actor")),
        presumed=presumed,
        may_end=context.question.may_end(panel_view.best),
        resolved=bool((state.get("resolved") or {}).get("favours")),
    )
    route = _asked_by_steps(route, state.get("asks") or {})
    route = routed_by_orders(route, routing, state.get("injection"))
    summary = {
        "best": panel_view.best,
        "margin": round(panel_view.margin, 6),
        "confidence": round(panel_view.confidence, 6),
        "posterior": {k: round(v, 6) for k, v in panel_view.posterior.items()},
        # Told here, before rounding: a threshold is the confidence of an item, and others have exactly the same.
        "certified": is_covered(panel_view, standing, presumed),
        "tier": tier,
        **({} if panel_view.signals.get("n_votes") else {"silent": True}),
        **({"not_asked": len(not_asked)} if not_asked else {}),
    }
    if route.where == "resolve":
        return {"consensus": summary, "next": "split"}
    if route.where == "accept":
        return {
            "consensus": summary,
            "next": "end",
            **end_by_panel(context, panel_view.best, state, route.rule),
        }
    worth = _worth(context, state["shown"], panel_view)
    review_id = await _open_review(context, state, route, summary, worth)
    return {
        "consensus": summary,
        "next": "ask",
        "review": review_id,
        "reviews": state.get("reviews", 0) + 1,
    }


def _asked_by_steps(route: Route, asks: Mapping[str, str]) -> Route:
    """The route of an item of which steps of one's own want a person to decide, whatever the panel says."""
    if not asks:
        return route
    reasons = tuple({"code": "step", "text": f"{step}: {why}", "step": step} for step, why in asks.items())
    rule = route.rule if route.where == "review" else "step"
    return Route("review", rule, (*reasons, *route.reasons))


def end_by_panel(context: ItemContext, best: str, state: ItemState, rule: str) -> dict[str, Any]:
    """The outcome, reason and route of an item that the panel's best outcome ends.

    Args:
        rule: the name of what calls the panel confident, or ends the item without people.
    """
    if not context.recipe.has_panel:
        return {"outcome": "rejected", "reason": "nobody answered", "route": _machine_route(state)}
    outcome = "accepted" if context.question.gives_record(best) else "rejected"
    reason = (
        f"{'' if outcome == 'accepted' else 'the panel rejects it: '}{context.recipe.question.by} by {rule}"
    )
    reason = "; ".join((reason, *(told["text"] for told in explain_orders(state.get("injection")))))
    return {"outcome": outcome, "reason": reason, "route": _machine_route(state)}


def _machine_route(state: ItemState) -> str:
    """The route of an item that no person decided: `resolved`, `redrafted` or `consensus`. Figures are kept apart by
    it."""
    if (state.get("resolved") or {}).get("favours"):
        return "resolved"
    return "redrafted" if state.get("round", 0) > 0 else "consensus"


def _tier(context: ItemContext, state: ItemState, verdicts: list[Verdict]) -> int:
    """The last tier that was asked; verdicts that came with the seed stand for the whole panel."""
    tiers = context.case.config.tiers
    if context.judged_elsewhere(state["round"], state.get("pairs", 0)):
        return max(tiers)
    return tier_reached(verdicts, tiers)


def _worth(context: ItemContext, shown: list[str], found: Consensus) -> Worth:
    """What a decision on the item is worth now, per minute of an expert's time."""
    model = context.consensus
    people = list(model.reviewers.values())
    characters = len(context.prompt(shown[0])) + sum(len(context.answer(name)) for name in shown)
    return weigh_decision(
        found.confidence,
        found.signals["model_change"],
        decisions=model.n_decisions,
        reliability=sum(people) / len(people) if people else RELIABILITY,
        minutes=reading_minutes(characters, context.case.config.routing.review_seconds),
    )


async def _open_review(
    context: ItemContext, state: ItemState, route: Route, summary: dict[str, Any], worth: Worth
) -> str:
    reasons = list(route.reasons)
    if not context.recipe.has_panel:
        reasons = [{"code": "no_panel", "text": "no panel: people answer this"}]
    resolved = state.get("resolved")
    if resolved is not None:
        reasons.append({"code": "resolver", "text": resolved["told"]})
    last = max(context.case.config.tiers)
    if last:
        text = f"judges up to tier {summary['tier']} of 0 to {last} were asked"
        reasons.append({"code": "tier", "text": text, "value": summary["tier"]})
    row = review_row(
        context,
        {**state, "consensus": summary},
        kind="interrupt",
        reasons=reasons,
        rule=route.rule,
        ordinal=state.get("reviews", 0),
        worth=worth,
    )
    context.add(Review, row)
    await context.commit(wait=True)
    return str(row["id"])


def review_row(
    context: ItemContext,
    state: ItemState,
    *,
    kind: str,
    reasons: list[dict[str, Any]],
    rule: str,
    ordinal: int,
    worth: Worth | None = None,
    schema: str = "",
    about: str = "",
) -> dict[str, Any]:
    """The row of a review of the candidates shown. An interrupt is `opening` until its checkpoint is written;
    an audit waits at once.

    Args:
        kind: `interrupt` or `audit`.
        reasons: why a person is asked, each with a code and a text.
        rule: what decided that one is asked.
        ordinal: the number of the review within the item's attempt.
        worth: what a decision is worth, which gives its place in the queue; None for audits.
        schema: response schema; empty: that of the recipe's question.
        about: what tells the question from others on the same texts.
    """
    shown, asked = state["shown"], schema or find_schema(context.recipe.question, context.case.config)
    summary = (state.get("consensus") or {}) if context.recipe.has_panel else {}
    # An answer to another request is another question, even where the answer's text is the same.
    shown_rows = map(context.candidate, shown)
    texts = sorted(c.text_id + (c.prompt_text_id or "") + (c.input_text_id or "") for c in shown_rows)
    return {
        "id": context.row_id("review", ordinal),
        "item_id": context.item.id,
        "run_id": context.item.run_id,
        "recipe": context.recipe.name,
        "attempt": context.item.attempt,
        "ordinal": ordinal,
        "kind": kind,
        "state": "opening" if kind == "interrupt" else "waiting",
        "response_schema": for_given(asked) if context.came_with_seed(shown) else asked,
        "candidates": shown,
        "reasons": reasons,
        "rule": rule,
        "margin": summary.get("margin"),
        "confidence": summary.get("confidence"),
        "best": None if summary.get("silent") else summary.get("best"),
        "thread_id": thread_id(context.item.id, context.item.attempt),
        "prefer_actor": state.get("prefer_actor"),
        "content_hash": hash_id(context.recipe.name, context.item.seed_id, *texts, *filter(None, (about,))),
        "value": worth and round(worth.value, 6),
        "minutes": worth and round(worth.minutes, 3),
        "priority": _place(rule, context.row_id("place", ordinal), worth, context.item.random_seed),
        "created_at": clock.now(),
    }


PILOT_FIRST = -10.0


def _place(rule: str, review_id: str, worth: Worth | None, drawn: int) -> float:
    """Where a review stands in the queue, lowest first: the pilot, then what is worth most per minute.

    The pilot is asked in the order it was drawn in, which knows nothing of the panel nor of the seed file, or those
    who stop half-way would not have answered at random. An audit comes at a random place, which tells nobody what it
    is.

    Args:
        drawn: the item's random seed, 48 bits; the smallest were drawn into the pilot.
    """
    if rule == "pilot":
        return PILOT_FIRST + drawn / 2**48
    if worth is None:
        return -int(review_id[:8], 16) / 0xFFFFFFFF
    return -round(worth.rate, 6)


def thread_id(item_id: str, attempt: int) -> str:
    """The id of an item's LangGraph thread: one per attempt."""
    return f"{item_id}:{attempt}"
