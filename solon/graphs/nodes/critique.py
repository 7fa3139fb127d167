"""Hold every candidate against the constitution, revise what can be mended, send back what cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langgraph.runtime import Runtime

from solon.agents import critic, generator
from solon.agents.critic import Critique as Criticism
from solon.agents.drafts import Draft
from solon.agents.outputs import Finding
from solon.graphs.context import ItemContext
from solon.graphs.filters import filter_text
from solon.graphs.state import ItemState
from solon.recipes.makers import notice_findings
from solon.store.database import clock
from solon.store.records.overview import UNJUDGED
from solon.store.tables.work import Critique

UNCHANGED = "unchanged"
"""Why there is no revision where it says what is there already."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a critic found on a candidate: the worst severity, and the id of the findings as a text (of those that
    edits answer, as JSON)."""

    worst: str
    text_id: str


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
    findings = await _criticise(context, round_, dict(enumerate(live)))
    made = [candidate for candidate in live if not context.came_with_seed([candidate])]
    all_fatal = all(found.worst == "fatal" for found in findings.values())
    if made and all_fatal and not context.pairing.mends_fatal:
        if round_ < context.case.config.routing.max_redrafts:
            return await _draft_again(context, round_, [found.text_id for found in findings.values()])
        if made == live:
            reason = f"{UNJUDGED[1]} after {round_ + 1} rounds"
            return {"next": "end", "outcome": "rejected", "reason": reason}
    mend = _mendable(context, findings, live if context.pairing.beside else made)
    writer = context.case.config.generator
    if mend and writer.revise and writer.models:  # a function is never asked to mend what it wrote
        return {"next": "mend", "mend": mend}
    return {"mend": {}, "next": "on"}


async def _criticise(
    context: ItemContext, round_: int, live: Mapping[int, str], turn: int = 0
) -> dict[str, Found]:
    """What the critic finds on each of these candidates, stored.

    Args:
        live: the place of each among those of the round -> its id.
        turn: how often they were revised before.
    """
    critiques = await asyncio.gather(
        *(_read(context, candidate, ordinal, round_, turn) for ordinal, candidate in live.items())
    )
    findings: dict[str, Found] = {}
    for (ordinal, candidate), criticism in zip(live.items(), critiques, strict=True):
        place = f"{round_}.{ordinal}" + (f".{turn}" if turn else "")
        context.add(
            Critique,
            {
                "id": context.row_id("critique", place),
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
        told = criticism.as_json() if context.pairing.edits else criticism.as_text()
        findings[candidate] = Found(criticism.worst, context.add_text(told))
    await context.commit()
    return findings


async def _read(context: ItemContext, candidate: str, ordinal: int, round_: int, turn: int) -> Criticism:
    case = critic.narrow(
        context.case_of(candidate), context.pairing.principles, round=round_, ordinal=ordinal, turn=turn
    )
    noticed = _notice(context, candidate)
    return await critic.critique(
        case, context.answer(candidate), ordinal=ordinal, round=round_, noticed=noticed
    )


def _notice(context: ItemContext, candidate: str) -> list[Finding]:
    own_task = bool(context.own_task(candidate)["prompt"])
    return notice_findings(context.recipe.maker, context.case, context.answer(candidate), own_task=own_task)


def _mendable(context: ItemContext, findings: Mapping[str, Found], among: list[str]) -> dict[str, str]:
    """Those of the candidates that shall be revised -> id of the text with the findings."""
    good = ("none",) if context.pairing.beside else ("none", "minor")
    return {name: findings[name].text_id for name in among if findings[name].worst not in good}


async def _draft_again(context: ItemContext, round_: int, findings: list[str]) -> dict[str, Any]:
    text_id = context.add_text("\n".join(map(context.text, findings)))
    await context.commit()
    return {"next": "again", "round": round_ + 1, "findings": text_id}


async def revise(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Revise the candidates that can be mended, and their revisions, for as many turns as the pairing allows. Says
    `on`.

    The last revision takes the place of its draft, or stands after the text that it revises, as the pairing has it.
    Where it is unusable or repeats what is there, there is none.
    """
    context = runtime.context
    round_, live = state["round"], state["candidates"]
    latest = {candidate: candidate for candidate in live}  # a text -> its last revision, or the text itself
    texts = {context.answer(candidate).strip() for candidate in live}
    refused: dict[str, str] = {}
    mend = state["mend"]
    for turn in range(context.pairing.turns):
        made, problems = await _revise_all(context, round_, live, latest, mend, texts, turn)
        latest |= made
        refused |= {candidate: why for candidate, why in problems.items() if latest[candidate] == candidate}
        if not made or turn + 1 == context.pairing.turns:
            break
        findings = await _criticise(
            context, round_, {live.index(c): new for c, new in made.items()}, turn + 1
        )
        wanting = _mendable(context, findings, list(findings))
        mend = {candidate: wanting[new] for candidate, new in made.items() if new in wanting}
    return {"candidates": _placed(live, latest, beside=context.pairing.beside), "mend": refused, "next": "on"}


async def _revise_all(
    context: ItemContext,
    round_: int,
    live: list[str],
    latest: Mapping[str, str],
    mend: Mapping[str, str],
    texts: set[str],
    turn: int,
) -> tuple[dict[str, str], dict[str, str]]:
    """Revise each of these texts as it was last revised: text -> its new revision, and of those without one why.

    Args:
        live: the candidates of the round before any was revised.
        latest: candidate -> its last revision, or the candidate itself.
        mend: candidate -> id of the findings that the revision shall mend.
        texts: what is there already; the revisions are added.
        turn: how often they were revised before.
    """
    revisions = await asyncio.gather(
        *(_revise(context, latest[name], live.index(name), round_, found) for name, found in mend.items())
    )
    made: dict[str, str] = {}
    refused: dict[str, str] = {}
    node = f"revise.{turn}" if turn else "revise"
    for candidate, revision in zip(mend, revisions, strict=True):
        place = live.index(candidate)
        problem = revision.problem or (UNCHANGED if revision.text.strip() in texts else "")
        problem = problem or await filter_text(
            context, context.case, "answer", revision.text, context.row_id(node, f"{round_}.{place}")
        )
        if problem:
            refused[candidate] = problem
            continue
        texts.add(revision.text.strip())
        made[candidate] = context.add_candidate(
            node,
            place,
            round=round_,
            kind="revision",
            text=revision.text,
            **context.own_task(candidate),
            author=revision.author,
            parent_id=latest[candidate],
            call_id=revision.call_id,
        )
    await context.commit()
    return made, refused


async def _revise(context: ItemContext, candidate: str, place: int, round_: int, text_id: str) -> Draft:
    write = generator.edit if context.pairing.edits else generator.revise
    case, answer, findings = context.case_of(candidate), context.answer(candidate), context.text(text_id)
    return await write(case, place, round=round_, answer=answer, findings=findings)


def _placed(live: list[str], latest: Mapping[str, str], *, beside: bool) -> list[str]:
    """The candidates with the revisions after their texts, or in place of them."""
    pairs = [(name, latest[name]) for name in live]
    return [name for old, new in pairs for name in ([old, new] if beside and new != old else [new])]
