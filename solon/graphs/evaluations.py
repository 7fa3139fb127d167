"""Verdicts and decisions as `gen_ai.evaluation.result` events of OpenTelemetry, beside the spans of what they judge.

`gen_ai.response.id` is the id of the model call that wrote the text, which the span of that call carries too. People's
words are never told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from solon.consensus.panel import ABSTAIN, SILENT
from solon.questions import TIE

if TYPE_CHECKING:
    from solon.agents.judge import Verdict
    from solon.graphs.context import ItemContext


def tell_verdict(context: ItemContext, verdict_id: str, shown: Sequence[str], verdict: Verdict) -> None:
    """Tell what a voter said of the candidates shown: its outcome, and each score on the rubric by its criterion. A
    rule that does not match says nothing."""
    tracing = context.case.caller.tracing
    if not tracing.on or verdict.outcome == SILENT:
        return
    abstained = verdict.outcome == ABSTAIN
    about = {
        "solon.item": context.item.id,
        "solon.verdict": verdict_id,
        "solon.judge": verdict.judge,
        "solon.seat": verdict.seat,
        "gen_ai.response.id": _response_of(context, verdict.outcome, shown),
    }
    tracing.evaluation(
        "verdict",
        label=verdict.outcome,
        value=verdict.p if verdict.p is not None else (verdict.shares or {}).get(verdict.outcome),
        explanation=verdict.rationale,
        about={**about, "error.type": (verdict.abstained or ABSTAIN) if abstained else None},
    )
    for criterion, score in (verdict.scores or {}).items():
        tracing.evaluation(criterion, value=score, about=about)


def tell_decision(context: ItemContext, decision: Mapping[str, Any], shown: Sequence[str]) -> None:
    """Tell what a person decided of the candidates shown: the outcome, or the choice where it names none, and each
    score on the rubric by its criterion."""
    tracing = context.case.caller.tracing
    if not tracing.on or not decision.get("decision"):
        return
    choice, candidate = decision["choice"], decision.get("candidate")
    outcome = context.question.outcome_of(choice, candidate, shown)
    about = {
        "solon.item": context.item.id,
        "solon.decision": decision["decision"],
        "gen_ai.response.id": context.candidate(candidate).call_id if candidate else None,
    }
    known = outcome in (*context.question.outcomes, TIE)
    tracing.evaluation("decision", label=str(outcome) if known else choice, about=about)
    for criterion, score in (decision.get("scores") or {}).items():
        tracing.evaluation(criterion, value=score, about=about)


def _response_of(context: ItemContext, outcome: str, shown: Sequence[str]) -> str | None:
    """The model call behind the candidate that an outcome is about: the only one, or the one that it chooses."""
    chosen = context.question.chosen(outcome, shown)[0] if outcome in context.question.outcomes else None
    about = shown[0] if len(shown) == 1 else chosen
    return context.candidate(about).call_id if about else None
