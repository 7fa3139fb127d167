"""The judges: which of two answers is better, seen in both orders; or how one answer scores on the rubric.

Where the model gives log probabilities, a verdict on a pair is the probability of the letter A against B in a single
token, averaged over both orders by the consensus; a lone sampled verdict of a small model mostly tells the order.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from solon.agents import plugged
from solon.agents.calls import Ask
from solon.agents.case import Case
from solon.agents.outputs import PairVerdict, scores_schema
from solon.config import JudgeConfig
from solon.plugins import Opinion, Plugin
from solon.prompts import Rendered
from solon.store.journal import Outcome

ORDERS = ("AB", "BA")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judge's finding. On a pair `p` is the probability that candidate a is better, whatever order was seen.

    Attributes:
        outcome: A | B | tie | abstain on a pair; accept | reject | abstain on a single candidate.
        call: None for a recorded verdict.
        abstained: why there is no verdict (no_verdict, bad_output, too_long), else empty.
    """

    judge: str
    seat: str
    order: str
    sample: int
    outcome: str
    call: Outcome | None
    p: float | None = None
    confidence: float | None = None
    scores: dict[str, float] | None = None
    rationale: str = ""
    abstained: str = ""


async def judge_pair(
    case: Case, a: str, b: str, *, round: int, pair: int, precedents: str = "", tier: int | None = None
) -> list[Verdict]:
    """Every seat's verdicts on a pair, in both orders. `pair` numbers the pairs of a round; `tier`: its seats alone."""
    jobs = [
        _judge_once(case, seat, judge, a, b, order, sample, round, pair, precedents)
        for seat, judge in enumerate(case.config.judges)
        if tier is None or judge.tier == tier
        for order in ORDERS
        for sample in range(judge.samples)
    ]
    return list(await asyncio.gather(*jobs))


async def _judge_once(
    case: Case,
    seat: int,
    judge: JudgeConfig,
    a: str,
    b: str,
    order: str,
    sample: int,
    round: int,
    pair: int,
    precedents: str,
) -> Verdict:
    first, second = (a, b) if order == "AB" else (b, a)
    if judge.python:
        place = f"{seat}/{pair}/{order}"
        asked = plugged.judge_pair(case, judge.python, first, second, seat=place, sample=sample, round=round)
        return _from_opinion(*await asked, seat, order, sample)
    values = {
        "constitution": case.principles,
        "persona": judge.persona,
        "prompt": case.prompt,
        "input": case.input,
        "reference": case.reference,
        "first": first,
        "second": second,
        "precedents": precedents,
    }
    base = Ask(
        role="judge",
        seat=f"{seat}/{pair}/{order}",
        model=judge.model,
        prompt=Rendered("", "", ""),
        max_tokens=judge.max_tokens,
        temperature=judge.temperature,
        seed=case.draw("judge", seat, round, pair, order, sample),
        sample=sample,
        round=round,
    )
    found: Verdict | None = None
    name = _seat_name(seat, judge)
    if case.caller.can_give_logprobs(judge.model):
        prompt = case.prompts["judge.pair"].render(case.mark, **values)
        ask = replace(base, prompt=prompt, max_tokens=1, logprobs=True)
        found = _from_logprobs(
            await case.caller.call(ask),
            case.caller.voter(judge.model),
            name,
            order,
            sample,
        )
    if found is None:
        prompt = case.prompts["judge.pair_json"].render(case.mark, **values)
        ask = replace(base, prompt=prompt, seat=base.seat + "/json", schema=PairVerdict)
        outcome, parsed = await case.caller.parsed(ask)
        found = _from_json(outcome, parsed, case.caller.voter(judge.model), name, order, sample)
    return found


def _seat_name(seat: int, judge: JudgeConfig) -> str:
    return f"{seat + 1}: {judge.persona}" if judge.persona else f"{seat + 1}"


def _from_logprobs(outcome: Outcome, voter: str, seat: str, order: str, sample: int) -> Verdict | None:
    from solon.agents.models.structured import verdict_probability

    if outcome.outcome == "too_long":
        return Verdict(voter, seat, order, sample, "abstain", outcome, abstained=outcome.outcome)
    probability = verdict_probability(outcome.logprobs) if outcome.ok else None
    if probability is None:
        return None
    p = probability["A"] if order == "AB" else probability["B"]
    side = "tie" if p == 0.5 else "A" if p > 0.5 else "B"
    return Verdict(voter, seat, order, sample, side, outcome, p=round(p, 6))


def _from_json(outcome: Outcome, parsed: object, voter: str, seat: str, order: str, sample: int) -> Verdict:
    if not isinstance(parsed, PairVerdict):
        return Verdict(voter, seat, order, sample, "abstain", outcome, abstained=outcome.outcome)
    side: str = parsed.verdict
    if order == "BA" and side != "tie":
        side = "B" if side == "A" else "A"
    return Verdict(
        voter, seat, order, sample, side, outcome, confidence=parsed.confidence, rationale=parsed.rationale
    )


def _from_opinion(
    outcome: Outcome, opinion: Opinion | None, plugin: Plugin, seat: int, order: str, sample: int
) -> Verdict:
    """A function's opinion as a verdict; it votes under its own identity."""
    name = f"{seat + 1}: {plugin.name}"
    if opinion is None:
        why = plugged.ABSTAINED if outcome.ok else outcome.outcome
        return Verdict(plugin.identity, name, order, sample, "abstain", outcome, abstained=why)
    side, p = opinion.verdict, opinion.p
    if order == "BA":
        side = {"A": "B", "B": "A"}.get(side, side)
        p = None if p is None else 1.0 - p
    return Verdict(
        plugin.identity,
        name,
        order,
        sample,
        side,
        outcome,
        p=p,
        confidence=opinion.confidence,
        scores=opinion.scores,
        rationale=opinion.rationale,
    )


async def explain(
    case: Case,
    seat: int,
    *,
    a: str,
    b: str,
    order: str,
    outcome: str,
    round: int,
    pair: int,
) -> str:
    """Why a judge that gave only a letter found so; asked only where somebody will read it. Empty when it fails."""
    judge = case.config.judges[seat]
    first, second = (a, b) if order == "AB" else (b, a)
    if judge.python:  # it has said what it had to say: the journal knows
        place = f"{seat}/{pair}/{order}"
        _, opinion, _ = await plugged.judge_pair(
            case, judge.python, first, second, seat=place, sample=0, round=round
        )
        return opinion.rationale if opinion is not None else ""
    shown = outcome if order == "AB" else ("B" if outcome == "A" else "A")
    prompt = case.prompts["judge.explain"].render(
        case.mark,
        constitution=case.principles,
        persona=judge.persona,
        prompt=case.prompt,
        input=case.input,
        first=first,
        second=second,
        verdict=shown,
    )
    ask = Ask(
        role="judge",
        seat=f"{seat}/{pair}/{order}/why",
        model=judge.model,
        prompt=prompt,
        max_tokens=min(judge.max_tokens, 120),
        temperature=0.0,
        seed=case.draw("explain", seat, round, pair, order),
        round=round,
    )
    answer = await case.caller.call(ask)
    return answer.text.strip() if answer.ok else ""


async def score(
    case: Case,
    answer: str,
    *,
    prompt: str,
    round: int,
    ordinal: int,
    precedents: str = "",
    tier: int | None = None,
) -> list[Verdict]:
    """Every seat's scores of one answer on the rubric; accept from the configured mean on. `tier`: its seats alone."""
    jobs = [
        _score_once(case, seat, judge, answer, prompt, sample, round, ordinal, precedents)
        for seat, judge in enumerate(case.config.judges)
        if tier is None or judge.tier == tier
        for sample in range(judge.samples)
    ]
    return list(await asyncio.gather(*jobs))


async def _score_once(
    case: Case,
    seat: int,
    judge: JudgeConfig,
    answer: str,
    prompt: str,
    sample: int,
    round: int,
    ordinal: int,
    precedents: str,
) -> Verdict:
    if judge.python:
        place = f"{seat}/score/{ordinal}"
        asked = plugged.judge_single(
            case, judge.python, answer, prompt=prompt, seat=place, sample=sample, round=round
        )
        found = _from_opinion(*await asked, seat, "", sample)
        if found.scores is None:
            return found
        mean = weighted_mean(found.scores, case.rubric.weights())
        side = "accept" if mean >= case.config.instruction.accept_score else "reject"
        return replace(found, outcome=side)
    rendered = case.prompts["judge.score"].render(
        case.mark,
        constitution=case.principles,
        rubric=case.rubric.as_prompt(),
        persona=judge.persona,
        prompt=prompt,
        input=case.input if prompt == case.prompt else "",
        answer=answer,
        precedents=precedents,
    )
    ask = Ask(
        role="judge",
        seat=f"{seat}/score/{ordinal}",
        model=judge.model,
        prompt=rendered,
        max_tokens=judge.max_tokens,
        temperature=judge.temperature,
        seed=case.draw("score", seat, round, ordinal, sample),
        sample=sample,
        round=round,
        schema=scores_schema(tuple(case.rubric.ids())),
    )
    outcome, parsed = await case.caller.parsed(ask)
    voter, name = case.caller.voter(judge.model), _seat_name(seat, judge)
    if parsed is None:
        return Verdict(voter, name, "", sample, "abstain", outcome, abstained=outcome.outcome)
    answer_scores = parsed.model_dump()
    scores = {k: float(v) for k, v in answer_scores["scores"].items()}
    mean = weighted_mean(scores, case.rubric.weights())
    side = "accept" if mean >= case.config.instruction.accept_score else "reject"
    return Verdict(
        voter,
        name,
        "",
        sample,
        side,
        outcome,
        scores=scores,
        rationale=str(answer_scores.get("rationale", "")),
    )


def weighted_mean(scores: dict[str, float], weights: dict[str, float]) -> float:
    """Mean score over the criteria that were scored; a missing score stays missing."""
    total = sum(weights[k] for k in scores if k in weights)
    return sum(scores[k] * weights[k] for k in scores if k in weights) / total if total else 0.0
