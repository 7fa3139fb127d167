"""Hold every candidate against the constitution, revise what can be mended, send back what cannot."""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph.runtime import Runtime

from solon.agents import critic, generator
from solon.agents.outputs import Finding
from solon.graphs.context import ItemContext
from solon.graphs.state import ItemState
from solon.recipes.makers import notice_findings
from solon.store.database import clock
from solon.store.records.overview import UNJUDGED
from solon.store.tables.work import Critique


async def critique(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Let the critic read every candidate. Says `mend` where some can be, `on`, or `again` (bounded) where every
    candidate is unusable, then `end`.

    Of a given text what was found is evidence for panel and people: nothing takes its place, a critic alone does not
    reject it, and where all are given, nothing is drafted. Where revisions stand beside what they revise, given texts
    have such, too, and any finding is a reason for one.

    What was judged elsewhere goes on as it was judged: it is neither criticised nor revised.
    """
    context = runtime.context
    round_, live = state["round"], state["candidates"]
    if context.judged_elsewhere(round_) or (round_ == 0 and context.item.carried):
        return {"next": "on"}  # they were criticised and mended when they were made
    critiques = await asyncio.gather(
        *(
            critic.critique(
                context.case_of(candidate),
                context.answer(candidate),
                ordinal=ordinal,
                round=round_,
                noticed=_notice(context, candidate),
            )
            for ordinal, candidate in enumerate(live)
        )
    )
    findings: dict[str, dict[str, str]] = {}
    for ordinal, (candidate, criticism) in enumerate(zip(live, critiques, strict=True)):
        context.add(
            Critique,
            {
                "id": context.row_id("critique", f"{round_}.{ordinal}"),
                "item_id": context.item.id,
                "attempt": context.item.attempt,
                "candidate_id": candidate,
                "text_id": context.add_text(criticism.as_json()),
                "call_id": criticism.outcome.call_id,
                "worst": criticism.worst,
                "principles": criticism.principles,
                "abstained": criticism.abstained or None,
                "created_at": clock.now(),
            },
        )
        if not criticism.abstained:
            context.remember_critique(candidate, criticism.worst, criticism.principles)
        findings[candidate] = {"worst": criticism.worst, "text": context.add_text(criticism.as_text())}
    await context.commit()
    made = [candidate for candidate in live if not context.came_with_seed([candidate])]
    if made and all(entry["worst"] == "fatal" for entry in findings.values()):
        if round_ < context.case.config.routing.max_redrafts:
            return await _draft_again(context, round_, [entry["text"] for entry in findings.values()])
        if made == live:
            reason = f"{UNJUDGED[1]} after {round_ + 1} rounds"
            return {"next": "end", "outcome": "rejected", "reason": reason}
    beside = context.pairing.beside
    good = ("none",) if beside else ("none", "minor")
    mendable = {
        c: findings[c]["text"] for c in (live if beside else made) if findings[c]["worst"] not in good
    }
    writer = context.case.config.generator
    if mendable and writer.revise and writer.models:  # a function is never asked to mend what it wrote
        return {"next": "mend", "mend": mendable}
    return {"next": "on"}


def _notice(context: ItemContext, candidate: str) -> list[Finding]:
    own_task = bool(context.own_task(candidate)["prompt"])
    return notice_findings(context.recipe.maker, context.case, context.answer(candidate), own_task=own_task)


async def _draft_again(context: ItemContext, round_: int, findings: list[str]) -> dict[str, Any]:
    text_id = context.add_text("\n".join(map(context.text, findings)))
    await context.commit()
    return {"next": "again", "round": round_ + 1, "findings": text_id}


async def revise(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Revise the candidates that can be mended. Says `on`. A revision takes the place of its draft, or stands after the
    text that it revises, as the pairing has it. Where it is unusable or repeats a candidate, there is none."""
    context = runtime.context
    round_, live = state["round"], list(state["candidates"])
    mend = state["mend"]
    revisions = await asyncio.gather(
        *(
            generator.revise(
                context.case_of(candidate),
                live.index(candidate),
                round=round_,
                answer=context.answer(candidate),
                findings=context.text(text_id),
            )
            for candidate, text_id in mend.items()
        )
    )
    texts = {context.answer(candidate).strip() for candidate in live}
    follow = {candidate: [candidate] for candidate in live}
    for candidate, revision in zip(mend, revisions, strict=True):
        if not revision.ok or revision.text in texts:
            continue
        texts.add(revision.text)
        place = live.index(candidate)
        revised = context.add_candidate(
            "revise",
            place,
            round=round_,
            kind="revision",
            text=revision.text,
            **context.own_task(candidate),
            author=revision.author,
            parent_id=candidate,
            call_id=revision.call_id,
        )
        follow[candidate] = [candidate, revised] if context.pairing.beside else [revised]
    live = [name for candidate in live for name in follow[candidate]]
    await context.commit()
    return {"candidates": live, "mend": {}, "next": "on"}
