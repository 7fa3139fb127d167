"""Draft the candidates of a round, in parallel; responses that came with the seed take the generator's place, and stay
in every round until a person calls all that were shown bad."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from langgraph.runtime import Runtime

from solon.agents.case import Case
from solon.agents.drafts import Draft
from solon.config.sections import FILTERED
from solon.errors import CUT, WITHHELD, BadOutput
from solon.graphs.context import ItemContext
from solon.graphs.filters import filter_text, tell_dropped
from solon.graphs.state import ItemState
from solon.recipes.makers import count_drafts, make_draft, merge_drafts, reason_against, take_given
from solon.store.records.overview import UNJUDGED, tell_dropped_seed
from solon.store.runs.duplicates import register, signature, similarity


async def draft(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Draft the candidates of a round. Says `on`; `again` (bounded) or `end` where too few usable candidates came
    out."""
    context = runtime.context
    round_ = state.get("round", 0)
    there = await _given(context, state, round_)
    if dropped := await _dropped(context, there, round_):
        await context.commit()
        return {**_begin(round_, []), "next": "end", "outcome": "rejected", "reason": dropped}
    maker, shown = context.recipe.maker, context.question.shown
    wanted = count_drafts(maker, context.case.config)
    taken = {context.candidate(name).ordinal for name in there} if len(there) < shown else range(wanted)
    missing = [place for place in range(wanted) if place not in taken]
    guidance = context.text(state.get("guidance"))
    findings = context.text(state.get("findings"))
    case = await context.examples.show(context.item, context.case) if missing else context.case
    drafts = await asyncio.gather(
        *(
            make_draft(maker, case, place, round=round_, guidance=guidance, findings=findings)
            for place in missing
        )
    )
    usable, problems = await _add_drafts(
        context, case, dict(zip(missing, drafts, strict=True)), round_, there
    )
    if maker.merges and missing and usable:
        usable = [_merge(context, usable, round_)]
    await context.commit()
    update = _begin(round_, usable)
    least = 1 if context.pairing.beside else shown  # its revision will stand beside it
    if len(usable) >= least:
        return {**update, "refused": {}, "next": "on"}
    refused = dict(Counter(state.get("refused", {})) + Counter(problems))
    return {**update, "refused": refused, **_too_few(context, round_, refused, drafts, problems)}


def _begin(round_: int, candidates: list[str]) -> dict[str, Any]:
    """The state in which a round begins."""
    return {"round": round_, "candidates": candidates, "pairs": 0, "verdicts": [], "resolved": None}


async def _dropped(context: ItemContext, given: list[str], round_: int) -> str:
    """Why an item ends before anything is drafted: a filter drops the seed's request, where it is the one that is
    answered, or a given text. Empty where it goes on; what is judged again passed them before."""
    if round_ > 0 or context.item.carried:
        return ""
    if not context.recipe.maker.unique:
        text = "\n".join(filter(None, (context.case.prompt, context.case.input)))
        if name := await filter_text(context, context.case, "request", text, context.item.id):
            return tell_dropped_seed(name)
    kinds = Counter(kind for kind in (context.candidate(name).kind for name in given) if kind != "given")
    return tell_dropped(kinds) if kinds else ""


async def _given(context: ItemContext, state: ItemState, round_: int) -> list[str]:
    """The seed's own responses, or what an item that is judged again had, as candidates of the first round; of later
    rounds the given texts among the candidates, and of one that only replaces drafts which could not be used the others
    of the round before."""
    if round_ > 0:
        kept = ("given", "draft") if context.recipe.maker.keeps and state.get("refused") else ("given",)
        return [name for name in state["candidates"] if context.candidate(name).kind in kept]
    if context.item.carried:
        return [_carried(context, ordinal, name) for ordinal, name in enumerate(context.item.carried)]
    responses = take_given(context.recipe.maker, context.case, context.responses)
    names = [context.row_id("given", f"0.{ordinal}") for ordinal in range(len(responses))]
    dropped = [
        await filter_text(context, context.case, "answer", response["text"], name)
        for name, response in zip(names, responses, strict=True)
    ]
    return [
        context.add_candidate(
            "given",
            ordinal,
            round=0,
            kind=dropped[ordinal] or "given",
            text=response["text"],
            author=response.get("model") or response.get("source") or "given",
        )
        for ordinal, response in enumerate(responses)
    ]


def _carried(context: ItemContext, ordinal: int, candidate_id: str) -> str:
    before = context.candidate(candidate_id)
    return context.add_candidate(
        "given",
        ordinal,
        round=0,
        kind=before.kind,
        text=context.text(before.text_id),
        **context.own_task(candidate_id),
        author=before.author,
        parent_id=before.id,
        call_id=before.call_id,
    )


async def _add_drafts(
    context: ItemContext, case: Case, drafts: dict[int, Draft], round_: int, there: list[str]
) -> tuple[list[str], dict[str, int]]:
    """Store every draft by its place; the usable ones, with those that are there already, are whole, and where they are
    not merged differ from each other."""
    usable, alone = list(there), not context.recipe.maker.merges
    seen = {context.answer(candidate).strip() for candidate in there}
    problems: dict[str, int] = {}
    for ordinal, written in drafts.items():
        problem = written.problem or (
            "identical" if alone and not written.prompt and written.text in seen else ""
        )
        candidate_id = context.row_id("draft", f"{round_}.{ordinal}")
        problem = problem or await _refuse(context, case, candidate_id, written)
        if problem:
            problems[problem] = problems.get(problem, 0) + 1
        if not written.text:
            continue
        candidate = context.add_candidate(
            "draft",
            ordinal,
            round=round_,
            kind=problem or "draft",
            text=written.text,
            prompt=written.prompt,
            input=written.input,
            author=written.author,
            call_id=written.call_id,
        )
        if not problem:
            seen.add(written.text)
            usable.append(candidate)
    return sorted(usable, key=lambda name: context.candidate(name).ordinal), problems


def _merge(context: ItemContext, drafts: list[str], round_: int) -> str:
    """The candidate that drafts are merged into. An author is trusted as the item's consensus version weighs it."""
    weights = [context.trust(context.candidate(draft).author) for draft in drafts]
    merged = merge_drafts(context.recipe.maker, context.case, [*map(context.answer, drafts)], weights)
    return context.add_candidate("merge", 0, round=round_, kind="merged", text=merged, author="merge")


async def _refuse(context: ItemContext, case: Case, candidate_id: str, draft: Draft) -> str:
    """Why a usable draft may not become a candidate: what its maker has against it, the filter that drops it, or
    `duplicate` where its request nearly repeats the seed's or one that is there already; empty where it may."""
    maker = context.recipe.maker
    unfit = reason_against(maker, case, draft) or await _filter_draft(context, case, candidate_id, draft)
    if unfit or not maker.unique:
        return unfit
    threshold = case.config.instruction.similarity
    if similarity(signature(draft.prompt), signature(case.prompt)) >= threshold:
        return "duplicate"
    repeats = await context.store.writer.run(
        lambda connection: register(
            connection, context.recipe.name, candidate_id, context.item.id, draft.prompt, threshold
        ),
        claim=context.item.claim,
    )
    return "duplicate" if repeats else ""


async def _filter_draft(context: ItemContext, case: Case, candidate_id: str, draft: Draft) -> str:
    """The filter that drops a draft, by its request where it has one of its own, or by its answer."""
    request = "\n".join(filter(None, (draft.prompt, draft.input))) if draft.prompt else ""
    dropped = request and await filter_text(context, case, "request", request, candidate_id)
    return dropped or await filter_text(context, case, "answer", draft.text, candidate_id)


_TOO_LONG = "the request and max_tokens together do not fit the model's context"


def _too_few(
    context: ItemContext,
    round_: int,
    problems: dict[str, int],
    drafts: list[Draft],
    last: dict[str, int],
) -> dict[str, Any]:
    """Where to go on without enough drafts; where a provider withheld all that could not be used, nothing is drafted
    again.

    Args:
        problems: why drafts could not be used -> how many, of all rounds.
        drafts: of the last round.
        last: the problems of the last round.

    Raises:
        BadOutput: the room of every draft was used up before it began, as it would be for the next item.
    """
    counts = ", ".join(f"{n} {problem}" for problem, n in sorted(problems.items())) or "none were made"
    if problems.get("too_long"):
        return {"next": "end", "outcome": "failed", "reason": f"too_long: {counts}; {_TOO_LONG}"}
    if round_ < context.case.config.routing.max_redrafts and last.keys() != {WITHHELD}:
        return {"round": round_ + 1, "next": "again"}
    outcomes = [written.outcome for written in drafts if written.outcome is not None]
    if outcomes and len(outcomes) == len(drafts) and all(outcome.outcome == CUT for outcome in outcomes):
        raise BadOutput(
            outcomes[0].error,
            next_step="raise max_tokens of the model or of [generator], or have the model reason less (`options`); "
            "then start a new run",
        )
    filtered = {name: n for name, n in problems.items() if name in FILTERED}
    reason = tell_dropped(problems) if filtered else f"{UNJUDGED[0]}: {counts}"
    return {"next": "end", "outcome": "rejected", "reason": reason}
