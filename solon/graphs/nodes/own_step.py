"""Take a step of one's own, and go where it sends the item."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, cast

from langgraph.runtime import Runtime

from solon.agents.judge import Verdict
from solon.graphs.context import ItemContext
from solon.graphs.nodes.consensus import review_row
from solon.graphs.state import Node, StepState
from solon.plugins import source_digest
from solon.recipes.steps import (
    Ask,
    Redraft,
    Reject,
    Step,
    StepCandidate,
    StepItem,
    Word,
    read_word,
    take_step,
)
from solon.responses import REQUEST, RUBRIC
from solon.store.runs.journal import CallKey, Outcome
from solon.store.tables.people import Review


def make_node(step: Step, place: str) -> Node:
    """The node of a step.

    Args:
        place: `request` where nothing is drafted yet, `drafts` before the panel, `judged` after it.
    """

    async def own_step(state: StepState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
        context = runtime.context
        shown = {"request": [], "drafts": state.get("candidates"), "judged": state.get("shown")}[place] or []
        word = await _consult(context, step, state, shown, judged=place == "judged")
        if isinstance(word, Reject):
            return {
                "next": "end",
                "outcome": "rejected",
                "reason": f"{step.name}: {word.reason}",
                "shown": shown,
            }
        if isinstance(word, Redraft):
            return await _redraft(context, step, state, word)
        if isinstance(word, Ask) and word.criteria is not None and context.case.seed_rubric is not None:
            word = None  # confirmed in an earlier attempt
        if isinstance(word, Ask) and place == "request":
            return await _ask_about_request(context, step, state, word)
        asks = {name: why for name, why in (state.get("asks") or {}).items() if name != step.name}
        if isinstance(word, Ask):
            asks[step.name] = word.reason
        return {"next": state.get("next") or "on", "asks": asks}

    own_step.__name__ = step.name
    return own_step  # type: ignore[return-value]


async def _consult(
    context: ItemContext, step: Step, state: StepState, shown: list[str], *, judged: bool
) -> Word | None:
    """What the step answers, from the journal where it was asked the same before."""
    case, round_ = context.case, state.get("round", 0)
    content = context.item.content
    candidates = [context.candidate(name) for name in shown]
    verdicts = [Verdict.from_state(kept) for kept in state.get("verdicts") or ()] if judged else []
    everything = {
        "prompt": case.prompt,
        "input": case.input,
        "reference": case.reference,
        "metadata": content.get("metadata") or {},
        "candidates": tuple(
            StepCandidate(one.id, context.text(one.text_id), context.text(one.prompt_text_id), one.kind)
            for one in candidates
        ),
        "verdicts": tuple(
            {"seat": one.seat, "outcome": one.outcome, "p": one.p, "abstained": one.abstained}
            for one in verdicts
        ),
    }
    seen = {name: everything[name] for name in step.reads}
    journal = case.caller.journal
    key = _key(step, seen, round_)
    found = journal.find(key)
    if found is None:
        item = StepItem(context.item.id, round_, case.at(round_, 0), seen)
        found = Outcome.of_code(journal.call_id(key), await take_step(step, item))
        journal.write(key, found)
    return read_word(found.text)


def _key(step: Step, seen: dict[str, Any], round_: int) -> CallKey:
    """Names the step, its source and what it reads; ids of candidates differ from attempt to attempt and are left
    out."""
    plain = {
        **seen,
        **(
            {"candidates": [{**asdict(one), "id": ""} for one in seen["candidates"]]}
            if "candidates" in seen
            else {}
        ),
    }
    return CallKey(
        role="step",
        seat=step.name,
        sample=0,
        round=round_,
        model=f"python:{step.name}+{source_digest(step.run)}",
        parameters={},
        template="python",
        prompt=json.dumps(plain, ensure_ascii=False, sort_keys=True, default=str),
        schema="",
    )


async def _redraft(context: ItemContext, step: Step, state: StepState, word: Redraft) -> dict[str, Any]:
    """New drafts with the step's guidance; of given texts, and after too many, the item is rejected."""
    round_, given = state.get("round", 0), context.came_with_seed(state.get("candidates") or [])
    if given or round_ >= context.case.config.routing.max_redrafts:
        why = "nothing is drafted in place of given texts" if given else f"still so after {round_} redrafts"
        return {"next": "end", "outcome": "rejected", "reason": f"{step.name}: {word.guidance} ({why})"}
    guidance = context.add_text(word.guidance)
    await context.commit()
    return {"next": "again", "round": round_ + 1, "guidance": guidance, "asks": {}}


async def _ask_about_request(context: ItemContext, step: Step, state: StepState, word: Ask) -> dict[str, Any]:
    """Open a review about the request itself: whether it may go on to the drafts, and by which rubric."""
    drafted = {} if word.criteria is None else {"criteria": [*word.criteria]}
    row = review_row(
        context,
        cast("StepState", {**state, "shown": []}),
        kind="interrupt",
        reasons=[{"code": "step", "text": word.reason, "step": step.name, **drafted}],
        rule="step",
        ordinal=state.get("reviews", 0),
        schema=RUBRIC if drafted else REQUEST,
        about=step.name,
    )
    context.add(Review, row)
    await context.commit(wait=True)
    return {
        "next": "ask",
        "review": row["id"],
        "reviews": state.get("reviews", 0) + 1,
        "shown": [],
        "asker": step.name,
    }
