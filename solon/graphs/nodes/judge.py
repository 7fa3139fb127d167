"""Put the candidates before the panel, tier by tier, with the question of the recipe."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from langgraph.runtime import Runtime

from solon.agents import judge as judges
from solon.agents.case import Case
from solon.agents.debate import disagree, hear_reasons, speaks
from solon.agents.judge import Verdict
from solon.agents.voters import Put, Voter
from solon.consensus.settled import order_calls
from solon.graphs.context import ItemContext
from solon.graphs.contexts import TURNS_APART, turns_of
from solon.graphs.evaluations import tell_verdict
from solon.graphs.routing import stand, stops_here
from solon.graphs.state import ItemState
from solon.injection import find_marks, find_marks_within, mask_marks, spell_kinds
from solon.recipes.questions import Seats
from solon.spans import Span
from solon.store.database import clock
from solon.store.records.overview import UNJUDGED
from solon.store.runs.verdicts import FIRST, NOT_ASKED, SHORTLIST
from solon.store.tables.work import Verdict as VerdictRow


async def judge(state: ItemState, runtime: Runtime[ItemContext]) -> dict[str, Any]:
    """Put the candidates shown before the panel. Says `on`, or `end` where the pairing finds none to show. Of a recipe
    without a panel they are shown alone."""
    context = runtime.context
    live = state["candidates"]
    round_, tried = state["round"], state.get("pairs", 0)
    elsewhere, asked = context.judged_elsewhere(round_, tried), context.recipe.has_panel
    scores = None
    chooses = context.pairing_in(round_).scored and len(live) > context.question.shown
    if tried == 0 and chooses and asked and not elsewhere:
        scores = await _shortlist(context, round_, live)
        live = sorted(live, key=lambda name: -(scores[name] or 0.0))  # equal ones keep their order
    shown = context.show(live, tried, round=round_, scores=scores)
    if not shown:
        await context.commit()
        reason = f"{UNJUDGED[2]} among {len(live)}{_tell_unrevised(context, state)}"
        return {"candidates": live, "next": "end", "outcome": "rejected", "reason": reason}
    case, put = _put(context, shown, round_, tried)
    orders = await _find_orders(context, case, put)
    votes = Votes([])
    if elsewhere:
        votes = Votes(await _ask(context.voters_elsewhere, case, put))
    elif asked:
        everyone = context.asks_all or orders is not None or bool(state.get("prefer_actor"))
        votes = await _judge_put(context, shown, case, put, everyone=everyone)
    verdicts = votes.last
    _store(context, f"{FIRST}.{round_}.{tried}", shown, votes.first, round_, FIRST)
    _store(context, f"{round_}.{tried}", shown, verdicts, round_)
    _store(context, f"{NOT_ASKED}.{round_}.{tried}", shown, votes.not_asked, round_, NOT_ASKED)
    injection = None
    if orders is not None:
        injection = await _tell_orders(context, shown, verdicts, orders, ask=asked and not elsewhere)
    await context.commit()
    not_asked = [verdict.to_state() for verdict in votes.not_asked]
    return {
        "candidates": live,
        **({} if injection is None and "injection" not in state else {"injection": injection}),
        **({"not_asked": not_asked} if not_asked or "not_asked" in state else {}),
        "shown": shown,
        "verdicts": [verdict.to_state() for verdict in verdicts],
        "resolved": None,
        "next": "on",
    }


LONG = 20_000
"""Characters from which texts are searched beside the event loop: some hundredths of a second."""


@dataclass(frozen=True, slots=True)
class _Orders:
    """Words that give orders to models, and the item without them.

    Attributes:
        marks: where they stand in each of the texts.
        case, put: what voters see without these words, but for a rubric of the seed's own, which stays as it is.
    """

    marks: Sequence[tuple[Span, ...]]
    case: Case
    put: Put


async def _find_orders(context: ItemContext, case: Case, put: Put) -> _Orders | None:
    """What gives orders to models in the request and the candidates shown; None where nothing does, or where nobody
    looks."""
    if not context.case.config.looks_for_orders:
        return None
    own_rubric = case.seed_rubric.as_prompt() if case.seed_rubric is not None else ""
    texts = (case.prompt, case.input, *put.answers, own_rubric)
    turns = turns_of(context.item.content.get("messages") or ()) if case is context.case else []

    def look() -> list[tuple[Span, ...]]:
        request = find_marks_within(turns, TURNS_APART) if turns else find_marks(case.prompt)
        return [request, *map(find_marks, texts[1:])]

    marks = look() if sum(map(len, texts)) < LONG else await asyncio.to_thread(look)
    if not any(marks):
        return None
    prompt, input, *answers, _ = (mask_marks(*pair) for pair in zip(texts, marks, strict=True))
    return _Orders(marks, replace(case, prompt=prompt, input=input), replace(put, answers=tuple(answers)))


async def _tell_orders(
    context: ItemContext, shown: Sequence[str], verdicts: Sequence[Verdict], orders: _Orders, *, ask: bool
) -> dict[str, Any]:
    """What gives orders to models, for the routing.

    Args:
        ask: put the texts before the panel once more without these words. Only what they chose is compared: nothing of
            it is a vote.
    """
    marks = orders.marks
    found = {"kinds": spell_kinds(chain.from_iterable(marks)), "spans": sum(map(len, marks)), "without": None}
    if ask and (before := context.weigh(verdicts, shown)).signals.get("n_votes"):
        after = context.weigh((await _judge_put(context, shown, orders.case, orders.put)).last, shown)
        if after.signals.get("n_votes") and after.best != before.best:
            found["without"] = after.best
    return found


def _tell_unrevised(context: ItemContext, state: ItemState) -> str:
    """Where the pairing shows revisions and there are none: why not, counted."""
    if not context.pairing_in(state["round"]).beside:
        return ""
    mended, live = state.get("mend", {}), state["candidates"]
    criticised = context.severities(live)
    counts = Counter(mended.values())
    for candidate in live:
        if candidate not in mended:
            counts["without findings" if candidate in criticised else "not criticised"] += 1
    return f": no revision ({', '.join(f'{n} {why}' for why, n in sorted(counts.items()))})"


async def judge_shown(context: ItemContext, shown: Sequence[str], *, round: int, pair: int) -> list[Verdict]:
    """The panel's verdicts on the candidates shown, by as many tiers as it takes.

    The cascade: the cheap judges first, the next tier where those asked so far are not sure enough. Every call is
    journalled as any other, so that an item replayed asks the same tiers and pays for none again.
    """
    return (await _judge_put(context, shown, *_put(context, shown, round, pair))).last


@dataclass(frozen=True, slots=True)
class Votes:
    """What the panel said.

    Attributes:
        last: the votes that count.
        first: those of the seats that voted again after a debate, as they were before it; empty without one.
        not_asked: those that were not asked, since none could change what the panel ends the item with.
    """

    last: list[Verdict]
    first: list[Verdict] = field(default_factory=list)
    not_asked: list[Verdict] = field(default_factory=list)


async def _judge_put(
    context: ItemContext, shown: Sequence[str], case: Case, put: Put, *, everyone: bool = True
) -> Votes:
    """`everyone`: ask all voters of a tier at once, whatever some of them say."""
    verdicts: list[Verdict] = []
    last = max(context.case.config.tiers)
    for tier in range(last + 1):
        voters = [voter for voter in context.voters if voter.tier == tier]
        missing = {} if everyone else _before_asking(context, case, tier)
        if not missing:
            verdicts += await _ask(voters, case, put)
        elif not_asked := await _ask_in_turns(context, shown, case, put, voters, missing, verdicts):
            return Votes(verdicts, not_asked=not_asked)
        if tier == last:
            break
        so_far = context.weigh(verdicts, shown)
        if stops_here(so_far, context.case.config.routing, stand(context.item.pilot, context.cuts, tier)):
            break
    if not (case.config.consensus.debate and context.recipe.can_debate):
        return Votes(verdicts)
    return await _debate([voter for voter in context.voters if voter.tier <= tier], case, put, verdicts)


def _before_asking(context: ItemContext, case: Case, tier: int) -> dict[judges.Place, Verdict]:
    """The verdicts of a tier before anybody is asked, those first that can move the panel most."""
    orders = judges.ORDERS if context.recipe.question.orders > 1 else ("",)
    found = list(judges.before_asking(case, orders, tier).items())
    turn = order_calls(context.consensus.at(tier), [one.vote() for _, one in found])
    return dict(found[place] for place in turn)


async def _ask_in_turns(
    context: ItemContext,
    shown: Sequence[str],
    case: Case,
    put: Put,
    voters: Sequence[Voter],
    missing: Mapping[judges.Place, Verdict],
    verdicts: list[Verdict],
) -> list[Verdict]:
    """Ask a tier for as many verdicts at a time as can settle the item, and add them to those that are there; the rest,
    which was not asked, since none of it could change what the panel ends the item with. Who votes beside the seats
    does so in the first turn."""
    left, tier = dict(missing), voters[0].tier
    n = max(1, context.count_next(verdicts, left.values(), shown, tier))
    while n:
        now, left = list(left)[:n], dict(list(left.items())[n:])
        verdicts += await _ask(voters, replace(case, asking=frozenset(now)), put)
        voters = [voter for voter in voters if isinstance(voter, Seats)]
        n = context.count_next(verdicts, left.values(), shown, tier)
    return list(left.values())


async def _debate(voters: Sequence[Voter], case: Case, put: Put, verdicts: list[Verdict]) -> Votes:
    """One turn of debate where seats of models disagree: they see reasons of both sides, and vote again. Functions,
    rules and classifiers read no reasons: their votes stay."""
    first = [one for one in verdicts if speaks(case, one)]
    if not disagree(first):
        return Votes(verdicts)
    reasons, first = await hear_reasons(case, put, first)
    if not any(reasons.values()):
        return Votes(verdicts)
    seats = [voter for voter in voters if isinstance(voter, Seats)]
    again = await _ask(seats, replace(case, reasons=reasons), put)
    others = [one for one in verdicts if not speaks(case, one)]
    return Votes([one for one in again if speaks(case, one)] + others, first)


def _put(context: ItemContext, shown: Sequence[str], round: int, pair: int) -> tuple[Case, Put]:
    """What voters see of the item, and what they are asked about it."""
    answers = tuple(context.answer(candidate) for candidate in shown)
    precedents = context.precedents(*shown).text
    drafts = context.drafts_of(round) if context.recipe.maker.merges else ()
    return context.case_of(shown[0]), Put(answers, context.question.outcomes, round, pair, precedents, drafts)


async def _ask(voters: Sequence[Voter], case: Case, put: Put) -> list[Verdict]:
    if len(voters) == 1:
        return await voters[0].vote(case, put)
    said = await asyncio.gather(*(voter.vote(case, put) for voter in voters))
    return [verdict for verdicts in said for verdict in verdicts]


async def _shortlist(context: ItemContext, round_: int, live: list[str]) -> dict[str, float | None]:
    """The mean score of each candidate on the rubric by the first tier; None where no judge scored it. What each judge
    gave is kept, and is no vote."""

    async def score(ordinal: int, candidate: str) -> float | None:
        case, answer = context.case_of(candidate), context.answer(candidate)
        verdicts = await judges.score(case, answer, round=round_, ordinal=ordinal, tier=0)
        _store(context, f"{SHORTLIST}.{round_}.{ordinal}", [candidate], verdicts, round_, SHORTLIST)
        scores = [v.scores for v in verdicts if v.scores]
        context.remember_scores(candidate, scores)
        return context.mean_score(scores)

    return dict(zip(live, await asyncio.gather(*(score(i, c) for i, c in enumerate(live))), strict=True))


def _store(
    context: ItemContext,
    place: str,
    shown: list[str],
    verdicts: list[Verdict],
    round_: int,
    purpose: str | None = None,
) -> None:
    for ordinal, verdict in enumerate(verdicts):
        verdict_id = context.row_id("judge", f"{place}.{ordinal}")
        if purpose != NOT_ASKED:
            tell_verdict(context, verdict_id, shown, verdict)
        context.add(
            VerdictRow,
            {
                "id": verdict_id,
                "item_id": context.item.id,
                "attempt": context.item.attempt,
                "round": round_,
                "a_id": shown[0],
                "b_id": shown[1] if len(shown) > 1 else None,
                "judge": verdict.judge,
                "seat": verdict.seat,
                "order": verdict.order,
                "sample": verdict.sample,
                "outcome": verdict.outcome,
                "p": verdict.p,
                "confidence": verdict.confidence,
                "scores": verdict.scores,
                "rationale_id": context.add_text(verdict.rationale) if verdict.rationale else None,
                "call_id": verdict.call.call_id if verdict.call else None,
                "abstained": verdict.abstained or None,
                "basis": verdict.basis or None,
                "purpose": purpose,
                "shares": verdict.shares,
                "evidence": [
                    {"candidate": shown[0], "start": start, "end": end, "flag": None}
                    for start, end in verdict.marks
                ]
                or None,
                "created_at": clock.now(),
            },
        )
