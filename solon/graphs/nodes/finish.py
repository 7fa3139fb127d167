"""Write the record and the item's final state, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.runtime import Runtime

from solon.consensus.rankings import Ranking, WeightedPair, pairs_of
from solon.consensus.target import read_target
from solon.graphs.context import ItemContext
from solon.graphs.nodes.consensus import review_row
from solon.graphs.state import ItemState, named_decision
from solon.questions import TIE, RankingQuestion
from solon.store.database import clock
from solon.store.database.writer import Row
from solon.store.reviewing.deliveries import mark_applied
from solon.store.reviewing.overlaps import insert_audit
from solon.store.reviewing.rankings import stored_rankings
from solon.store.runs.items import set_state
from solon.store.runs.row_keys import conversation_of, pair_key
from solon.store.tables.work import Record

if TYPE_CHECKING:
    from solon.store.database.engine import Connection

AUDIT_ORDINAL = -1
"""An audit is no stop on the item's way: it has a number of its own."""


async def finish(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """End the item: accepted with a record, rejected or failed with a reason, all written in one
    transaction."""
    context = runtime.context
    route = state.get("route") or "consensus"
    records = _records(context, state, route) if state["outcome"] == "accepted" else []
    item, outcome, reason = context.item, state["outcome"], state.get("reason")
    audit = _audit(context, state) if records and route != "decided" else None
    asked = read_target(context.case.config.routing.target).audited_by
    rows: list[tuple[type, Row]] = [(Record, record) for record in records]

    def end(connection: Connection) -> None:
        if set_state(connection, item.id, item.attempt, outcome, route=route, reason=reason):
            mark_applied(connection, named_decision(state))
        if audit is not None:
            insert_audit(connection, audit, asked)

    # The record, the final state and the decision that it names in one transaction; the same end again changes nothing.
    await context.store.writer.run(end, rows, item.claim)
    context.case.caller.journal.check()
    return {"record": records[0]["id"] if records else None, "next": "end", "route": route}


def _records(context: ItemContext, state: ItemState, route: str) -> list[Row]:
    """The record of the item; of a ranking one for each pair of which one answer is better."""
    record = _record(context, state, route)
    pairs = _ranked_pairs(context, state, record)
    return [
        {
            **record,
            "id": context.row_id("record", place),
            "place": place,
            "kind": "edit" if record["kind"] == "edit" else context.question.kind,
            "chosen_id": pair.better,
            "rejected_id": pair.worse,
            "pair_key": _pair_key(context, pair.better, pair.worse, question),
            "weight": pair.weight,
            "question": question or None,
        }
        for place, (question, pair) in enumerate(pairs)
    ] or [record]


def _ranked_pairs(context: ItemContext, state: ItemState, record: Row) -> list[tuple[str, WeightedPair]]:
    """The pairs of each ranking with the name of its question, those of the best answer first; empty where nothing was
    ranked. An answer that the person wrote is better than all that were shown, by every question."""
    question, decision, shown = context.question, state.get("decision"), state.get("shown") or []
    if not isinstance(question, RankingQuestion) or decision is None:
        return []
    if question.rewrites(decision["choice"]):
        written = Ranking("", ((record["chosen_id"],), tuple(shown)))
        rankings = dict.fromkeys(question.by, written)
    else:
        called = {context.candidate(name).text_id: name for name in shown}
        rankings = stored_rankings(context.text(decision["edit"]), called)
    return [(name, pair) for name, ranking in rankings.items() for pair in pairs_of(ranking)]


def _record(context: ItemContext, state: ItemState, route: str) -> Row:
    """A record says what was chosen, how sure the panel was of it, and who decided.

    A certificate speaks for what the panel alone is sure enough of: not for votes, nor for what a budget left over.
    """
    consensus = (state.get("consensus") or {}) if context.recipe.has_panel else {}
    decision = state.get("decision") if route in ("decided", "voted") else None
    chosen, rejected, kind = _chosen(context, state, decision)
    confidence = consensus.get("confidence")
    by_label = context.recipe.record == "label" and not decision
    label = consensus.get("best") if by_label else (decision or {}).get("label")
    said = context.question.said_by(chosen, label, state.get("shown") or [])
    shares = (consensus.get("posterior") or None) if said is not None or kind == TIE else None
    soft = 0.5 if kind == TIE else (shares or {}).get(said or "") if context.question.soft else None
    if route == "voted" and decision is not None:  # panel and votes together
        confidence = soft = decision.get("confidence")
        shares = decision.get("shares")
    # An alarm may have suspended the certificate since the panel spoke.
    certified = route != "voted" and context.cuts is not None and bool(consensus.get("certified"))
    return {
        "id": context.row_id("record", 0),
        "item_id": context.item.id,
        "run_id": context.item.run_id,
        "attempt": context.item.attempt,
        "recipe": context.recipe.name,
        "kind": kind,
        "chosen_id": chosen,
        "rejected_id": rejected,
        "pair_key": _pair_key(context, chosen, rejected),
        "shown": state.get("shown"),
        "label": label,
        "margin": consensus.get("margin"),
        "confidence": confidence,
        "soft_label": soft,
        "shares": shares,
        "tier": consensus.get("tier"),
        "scores": (decision or {}).get("scores") or None,
        "route": route,
        "provisional": route != "decided" and not certified,
        "certificate_id": context.item.certificate_id if certified and decision is None else None,
        "consensus_id": context.item.consensus_id,
        "constitution_id": context.item.constitution_id,
        "rubric_id": context.item.rubric_id,
        "decision_id": (decision or {}).get("decision"),
        "created_at": clock.now(),
    }


def _pair_key(
    context: ItemContext, chosen: str | None, rejected: str | None, question: str = ""
) -> str | None:
    """What is the same for the same pair in every run, by the same question; None without one, or where the seed was
    forgotten meanwhile."""
    content = context.item.content
    if chosen is None or not content:
        return None
    own = context.own_task(chosen)
    turns = conversation_of(own if own["prompt"] else content)
    answers = [context.answer(side) for side in (chosen, rejected) if side is not None]
    asked = f"{context.recipe.name}:{question}" if question else context.recipe.name
    return pair_key(context.store.key, asked, turns, answers)


def _chosen(
    context: ItemContext, state: ItemState, decision: dict[str, Any] | None
) -> tuple[str | None, str | None, str]:
    """The chosen and the rejected candidate (None where there is none), and the kind of the record: of an edit the
    edited text and the unedited one, of a tie neither."""
    question = context.question
    if decision is not None and question.rewrites(decision["choice"]):
        return state["candidates"][-1], *question.rewritten(decision["candidate"])
    shown = state["shown"]
    outcome = state["consensus"]["best"]
    if decision is not None:
        outcome = str(question.outcome_of(decision["choice"], decision.get("candidate"), shown))
    tied = outcome == TIE and not question.is_outcome(outcome)
    return *question.chosen(outcome, shown), TIE if tied else question.kind


def _audit(context: ItemContext, state: ItemState) -> Row | None:
    """A blind check of an accepted item."""
    if not context.is_audited:
        return None
    return review_row(context, state, kind="audit", reasons=[], rule="audit", ordinal=AUDIT_ORDINAL)
