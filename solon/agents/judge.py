"""The judges: which of two answers is better, seen in both orders; how one answer scores on the rubric; or which label
a text gets.

Where the model gives log probabilities, a verdict on a pair is the probability of the letter A against B in a
single token; the consensus averages it over both orders. A single sampled verdict of a small model would
mostly reflect the order in which it saw the answers. Where less than half of the token's mass lies on the
letters, or nothing of it can be read, the seat is asked in JSON instead.

A score of the rubric is the expectation over the probabilities of its token, where the model gives them: a judge that
says 5 of nearly everything still says by them what it finds better.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any

from solon.agents import plugged
from solon.agents.calls import Ask
from solon.agents.case import Case
from solon.agents.echoes import cut
from solon.agents.outputs import SCORES, PairVerdict, label_schema, scores_schema
from solon.config.sections import JudgeConfig
from solon.consensus.panel import ABSTAIN, Vote
from solon.dialogues import Turn, number_turns
from solon.plugins import Opinion, Plugin
from solon.prompts.library import Rendered
from solon.store.runs.journal import Outcome
from solon.store.runs.verdicts import RESOLVER

ORDERS = ("AB", "BA")
NOT_ASKED = "not_asked"
"""Why there is no verdict where no vote that was missing could change what the panel ended the item with."""
AGAIN = "/again"
"""Ends the seat of a call in which a judge who has seen reasons of others votes again."""
IN_STATE = ("judge", "seat", "order", "sample", "outcome", "p", "confidence", "shares", "scores")
"""What a checkpoint keeps of a verdict. Old checkpoints are read by it, too: names are only ever added at the end."""
_KEPT = attrgetter(*IN_STATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One judge's finding. On a pair `p` is the probability that candidate a is better, whatever order was
    seen.

    Attributes:
        judge: who votes; seats of one model are one voter.
        seat: the judge's place on the panel, with its persona.
        order: which candidate it saw first, AB or BA; empty on a single candidate.
        sample: which of its tries this is, from 0.
        outcome: A | B | tie | abstain on a pair; accept | reject | abstain on a single candidate; a label | abstain;
            silent, of a rule that does not match.
        call: None for a verdict that was recorded elsewhere or comes from a checkpoint.
        p: probability that candidate a is better, in [0, 1]; None where the judge gave none.
        confidence: what the judge said of itself; None where it said nothing.
        scores: by criterion of the rubric; None on a pair.
        rationale: the judge's reason in words; empty where it gave none.
        abstained: why there is no verdict (no_verdict, bad_output, too_long, not_asked), else empty.
        basis: what it was read from: `letter`, the first token's probabilities; `bound`, the same where the other
            letter was not listed, so that `p` is the end nearest to even of what is possible; `json`, an answer in
            JSON; `expectation`, the same with scores that are means over their tokens' probabilities; `function`, a
            plug-in; `rule`; `classifier`. Empty where it was recorded elsewhere or there is none.
        shares: outcome -> probability, where the voter gave one for each; None where it did not.
        marks: start and end of the words of a single candidate that it points to, as the worst turn of a dialogue.
    """

    judge: str
    seat: str
    order: str = ""
    sample: int = 0
    outcome: str = ABSTAIN
    call: Outcome | None = None
    p: float | None = None
    confidence: float | None = None
    scores: dict[str, float] | None = None
    rationale: str = ""
    abstained: str = ""
    basis: str = ""
    shares: dict[str, float] | None = None
    marks: tuple[tuple[int, int], ...] = ()

    def vote(self) -> Vote:
        """The verdict as a vote, which is what the consensus counts."""
        return Vote.of(self)

    def to_state(self) -> list[Any]:
        """The values of the verdict that the item's thread keeps, in the order of `IN_STATE`."""
        return list(_KEPT(self))

    @classmethod
    def from_state(cls, kept: Sequence[Any]) -> Verdict:
        """The verdict that `to_state` gave, now or in an earlier version, which kept fewer of its values."""
        return cls(**dict(zip(IN_STATE, kept, strict=False)))

    @classmethod
    def from_seed(cls, recorded: Mapping[str, Any]) -> Verdict:
        """A verdict that came with the seed, read from its record. All tries of a judge are one voter, as in
        the panel, and a seat that is called as one of this panel, or as the resolver, is called otherwise."""
        fields = {"outcome" if name == "verdict" else name: value for name, value in recorded.items()}
        if fields["seat"] == RESOLVER or fields["seat"].split(":", 1)[0].isdecimal():
            fields["seat"] = f"brought: {fields['seat']}"
        return cls(**fields, abstained="recorded" if fields["outcome"] == ABSTAIN else "")


Place = tuple[int, str, int]
"""Of one call of the panel: index of the seat, order in which the candidates are shown, number of the sample."""


def _places(case: Case, orders: Sequence[str], tier: int | None) -> list[Place]:
    """The calls of a tier, or of all, that are to be made now."""
    places = [
        (seat, order, sample)
        for seat, judge in enumerate(case.config.judges)
        if tier is None or judge.tier == tier
        for order in orders
        for sample in range(judge.samples)
    ]
    return places if case.asking is None else [place for place in places if place in case.asking]


def before_asking(case: Case, orders: Sequence[str], tier: int) -> dict[Place, Verdict]:
    """The verdicts of a tier of the panel as they are before anybody is asked: who would vote, from where. Empty where
    that is not known, since another model may stand in for one of them."""
    found: dict[Place, Verdict] = {}
    for place in _places(case, orders, tier):
        seat, order, sample = place
        judge = case.config.judges[seat]
        if judge.python:
            plugin = case.caller.pool.plugin(judge.python)
            voter, name = plugin.identity, f"{seat + 1}: {plugin.name}"
        elif case.config.models[judge.model].fallback:
            return {}
        else:
            voter, name = case.caller.voter(judge.model), _seat_name(seat, judge)
        found[place] = Verdict(judge=voter, seat=name, order=order, sample=sample, abstained=NOT_ASKED)
    return found


async def pair(
    case: Case,
    a: str,
    b: str,
    *,
    round: int = 0,
    pair: int = 0,
    precedents: str = "",
    tier: int | None = None,
) -> list[Verdict]:
    """Every seat's verdicts on a pair, in both orders.

    Args:
        round: how often the item was redrafted before.
        pair: which pair of the round this is, from 0.
        precedents: similar earlier decisions as text for the prompt; empty without any.
        tier: ask only the seats of this tier; None: every seat.
    """
    jobs = [_judge_once(case, place, a, b, round, pair, precedents) for place in _places(case, ORDERS, tier)]
    return [_signed(verdict) for verdict in await asyncio.gather(*jobs)]


async def _judge_once(
    case: Case, place: Place, a: str, b: str, round: int, pair: int, precedents: str
) -> Verdict:
    seat, order, sample = place
    judge, asked_at = case.config.judges[seat], f"{seat}/{pair}/{order}"
    first, second = (a, b) if order == "AB" else (b, a)
    if judge.python:
        opinion = plugged.judge_pair(
            case, judge.python, first, second, seat=asked_at, sample=sample, round=round
        )
        return _from_opinion(*await opinion, place)
    asked_at = f"{asked_at}{AGAIN if case.reasons.get(order) else ''}"
    ask = partial(
        Ask,
        role="judge",
        model=judge.model,
        temperature=judge.temperature,
        seed=case.draw("judge", seat, round, pair, order, sample),
        sample=sample,
        round=round,
    )
    finding: Verdict | None = None
    verdict = _verdict_at(case, place)
    if case.caller.can_give_logprobs(judge.model):
        prompt = _pair_prompt(case, place, first, second, precedents, letter=True)
        asked = ask(seat=asked_at, prompt=prompt, max_tokens=1, logprobs=True)
        finding = _from_logprobs(await case.caller.call(asked), order, verdict)
    if finding is None:
        prompt = _pair_prompt(case, place, first, second, precedents, letter=False)
        asked = ask(seat=f"{asked_at}/json", prompt=prompt, max_tokens=judge.max_tokens, schema=PairVerdict)
        outcome, parsed = await case.caller.parsed(asked)
        finding = _from_json(outcome, parsed, order, verdict)
    return finding


def _pair_prompt(
    case: Case, place: Place, first: str, second: str, precedents: str, *, letter: bool
) -> Rendered:
    """The prompt of a pair, answered by a letter or in JSON: another one where there is more to show than the texts."""
    seat, order, _ = place
    values = {
        "constitution": case.principles,
        "persona": case.config.judges[seat].persona,
        "prompt": case.prompt,
        "input": case.input,
        "reference": case.reference,
        "first": first,
        "second": second,
        "precedents": precedents,
    }
    reasons = case.reasons.get(order, "")
    if reasons or case.seed_rubric:
        rubric = case.seed_rubric.as_words() if case.seed_rubric else ""
        values |= {"rubric": rubric, "reasons": reasons, "letter": "letter" if letter else ""}
        return case.prompts["judge.pair_informed"].render(case.mark, **values)
    return case.prompts["judge.pair" if letter else "judge.pair_json"].render(case.mark, **values)


def _verdict_at(case: Case, place: Place) -> Callable[..., Verdict]:
    """What makes the verdicts of the model that sits at this place."""
    seat, order, sample = place
    judge = case.config.judges[seat]
    voter, name = case.caller.voter(judge.model), _seat_name(seat, judge)
    return partial(Verdict, judge=voter, seat=name, order=order, sample=sample)


def _signed(verdict: Verdict) -> Verdict:
    """The verdict under the name of who gave it, where that is another model than the one that sits there."""
    other = verdict.call.model if verdict.call is not None else ""
    return replace(verdict, judge=other) if other else verdict


def _seat_name(seat: int, judge: JudgeConfig) -> str:
    return f"{seat + 1}: {judge.persona}" if judge.persona else f"{seat + 1}"


def _from_logprobs(outcome: Outcome, order: str, verdict: Callable[..., Verdict]) -> Verdict | None:
    """The verdict in the first token; None where there is none in it, so that JSON is to be asked.

    Of a label that was not listed only the most it can have is known. The verdict then takes the end of what is
    possible that is nearest to even, so that the consensus never counts what was not seen as certainty.
    """
    from solon.agents.models.logprobs import label_shares

    if outcome.outcome == "too_long":
        return verdict(call=outcome, abstained=outcome.outcome)
    found = label_shares(outcome.logprobs) if outcome.ok else None
    if found is None:
        return None
    p = found.shares["A"] if order == "AB" else found.shares["B"]
    side = "tie" if p == 0.5 else "A" if p > 0.5 else "B"
    return verdict(outcome=side, call=outcome, p=round(p, 6), basis="bound" if found.bound else "letter")


def _from_json(outcome: Outcome, parsed: object, order: str, verdict: Callable[..., Verdict]) -> Verdict:
    if not isinstance(parsed, PairVerdict):
        return verdict(call=outcome, abstained=outcome.outcome)
    side: str = parsed.verdict
    if order == "BA" and side != "tie":
        side = "B" if side == "A" else "A"
    return verdict(
        outcome=side, call=outcome, confidence=parsed.confidence, rationale=parsed.rationale, basis="json"
    )


def _from_opinion(outcome: Outcome, opinion: Opinion | None, plugin: Plugin, place: Place) -> Verdict:
    """A function's opinion as a verdict; it votes under its own identity."""
    seat, order, sample = place
    name = f"{seat + 1}: {plugin.name}"
    verdict = partial(Verdict, judge=plugin.identity, seat=name, order=order, sample=sample, call=outcome)
    if opinion is None:
        return verdict(abstained=plugged.ABSTAINED if outcome.ok else outcome.outcome)
    side, p, shares = opinion.verdict, opinion.p, opinion.shares
    if order == "BA":
        other = {"A": "B", "B": "A"}
        side = other.get(side, side)
        p = None if p is None else 1.0 - p
        shares = None if shares is None else {other[name]: share for name, share in shares.items()}
    return verdict(
        outcome=side,
        p=p,
        confidence=opinion.confidence,
        scores=opinion.scores,
        rationale=opinion.rationale,
        basis="function",
        shares=shares,
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
    again: bool = False,
) -> str:
    """Why a judge that gave only a letter decided so; asked only where somebody will read it.

    Args:
        seat: index of the judge on the panel.
        order: which answer it saw first, AB or BA.
        outcome: A or B, the side that it took.
        again: with its vote after a debate; what it had said of its first vote is no answer.

    Returns:
        The reason in words; empty where the judge gives none.
    """
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
        seat=f"{seat}/{pair}/{order}/why{AGAIN if again else ''}",
        model=judge.model,
        prompt=prompt,
        max_tokens=min(judge.max_tokens, 120),
        temperature=0.0,
        seed=case.draw("explain", seat, round, pair, order),
        round=round,
    )
    answer = await case.caller.call(ask)
    return cut(answer.text, prompt, cites=True) if answer.ok else ""


async def score(
    case: Case,
    answer: str,
    *,
    round: int = 0,
    ordinal: int = 0,
    precedents: str = "",
    tier: int | None = None,
    turns: Sequence[Turn] = (),
) -> list[Verdict]:
    """Every seat's scores of one answer on the rubric. A verdict is `accept` from the weighted mean
    `instruction.accept_score` on.

    Args:
        case: the item, with the request that the answer is to.
        round: how often the item was redrafted before.
        ordinal: which answer of the round this is, from 0.
        precedents: similar earlier decisions as text for the prompt; empty without any.
        tier: ask only the seats of this tier; None: every seat.
        turns: of an answer that is a dialogue: a verdict then marks the worst of them, where the judge names one.
    """
    jobs = [
        _score_once(case, place, answer, round, ordinal, precedents, turns)
        for place in _places(case, ("",), tier)
    ]
    return [_signed(verdict) for verdict in await asyncio.gather(*jobs)]


async def _score_once(
    case: Case,
    place: Place,
    answer: str,
    round: int,
    ordinal: int,
    precedents: str,
    turns: Sequence[Turn],
) -> Verdict:
    seat, _, sample = place
    judge, asked_at = case.config.judges[seat], f"{seat}/score/{ordinal}"
    if judge.python:
        asked = plugged.judge_single(case, judge.python, answer, seat=asked_at, sample=sample, round=round)
        finding = _from_opinion(*await asked, place)
        return finding if finding.scores is None else replace(finding, outcome=_side(case, finding.scores))
    ask = Ask(
        role="judge",
        seat=f"{asked_at}{AGAIN if case.reasons.get('') else ''}",
        model=judge.model,
        prompt=_score_prompt(case, judge, answer, precedents, turns),
        max_tokens=judge.max_tokens,
        temperature=judge.temperature,
        seed=case.draw("score", seat, round, ordinal, sample),
        sample=sample,
        round=round,
        schema=scores_schema(tuple(case.criteria.ids()), len(turns)),
        logprobs=case.caller.can_give_logprobs(judge.model),
    )
    outcome, parsed = await case.caller.parsed(ask)
    verdict = partial(_verdict_at(case, place), call=outcome)
    if parsed is None:
        return verdict(abstained=outcome.outcome)
    said = parsed.model_dump()
    worst = int(said.get("turn", 0))
    scores, basis = _expected(said["scores"], outcome.logprobs)
    return verdict(
        outcome=_side(case, scores),
        scores=scores,
        rationale=str(said.get("rationale", "")),
        basis=basis,
        marks=tuple((turn.start, turn.end) for turn in turns[worst - 1 : worst] if worst),
    )


def _score_prompt(
    case: Case, judge: JudgeConfig, answer: str, precedents: str, turns: Sequence[Turn]
) -> Rendered:
    """The prompt for scores of an answer or a dialogue: another one where there is more to show than the text."""
    values = {
        "constitution": case.principles,
        "rubric": case.criteria.as_prompt(),
        "persona": judge.persona,
        "prompt": case.prompt,
        "input": case.input,
        "answer": number_turns(turns) if turns else answer,
        "precedents": precedents,
    }
    template, reasons = "judge.dialogue" if turns else "judge.score", case.reasons.get("", "")
    if reasons or case.seed_rubric:
        template = "judge.score_informed"
        values |= {"own": "request" if case.seed_rubric else "", "dialogue": "dialogue" if turns else ""}
        values |= {"reasons": reasons}
    return case.prompts[template].render(case.mark, **values)


def _side(case: Case, scores: Mapping[str, float]) -> str:
    """Accept or reject, by the weighted mean of the scores."""
    return "accept" if case.criteria.mean(scores) >= case.config.instruction.accept_score else "reject"


def _expected(given: Mapping[str, int], told: object) -> tuple[dict[str, float], str]:
    """The scores by criterion with what they were read from: each the expectation over its token's probabilities where
    these were told, else the number as it was given."""
    from solon.agents.models.logprobs import expected_number

    tokens = told if isinstance(told, dict) else {}
    means = {
        criterion: expected_number(tokens[criterion], score, SCORES)
        for criterion, score in given.items()
        if criterion in tokens
    }
    known = {criterion: round(mean, 4) for criterion, mean in means.items() if mean is not None}
    return {k: float(v) for k, v in given.items()} | known, "expectation" if known else "json"


async def label(
    case: Case,
    text: str,
    labels: Sequence[str],
    *,
    round: int = 0,
    ordinal: int = 0,
    precedents: str = "",
    tier: int | None = None,
) -> list[Verdict]:
    """Every seat's label for a text, out of a closed set.

    Args:
        labels: the closed set.
        round: how often the item was redrafted before.
        ordinal: which text of the round this is, from 0.
        precedents: similar earlier decisions as text for the prompt; empty without any.
        tier: ask only the seats of this tier; None: every seat.
    """
    jobs = [
        _label_once(case, place, text, tuple(labels), round, ordinal, precedents)
        for place in _places(case, ("",), tier)
    ]
    return [_signed(verdict) for verdict in await asyncio.gather(*jobs)]


async def _label_once(
    case: Case,
    place: Place,
    text: str,
    labels: tuple[str, ...],
    round: int,
    ordinal: int,
    precedents: str,
) -> Verdict:
    seat, _, sample = place
    judge, asked_at = case.config.judges[seat], f"{seat}/label/{ordinal}"
    if judge.python:
        asked = plugged.judge_label(
            case, judge.python, text, labels, seat=asked_at, sample=sample, round=round
        )
        return _from_opinion(*await asked, place)
    reasons = case.reasons.get("", "")
    informed = {"reasons": reasons} if reasons else {}
    rendered = case.prompts["judge.label_informed" if reasons else "judge.label"].render(
        case.mark,
        constitution=case.principles,
        persona=judge.persona,
        prompt=case.prompt,
        input=case.input,
        text=text,
        labels=", ".join(f'"{name}"' for name in labels),
        precedents=precedents,
        **informed,
    )
    ask = Ask(
        role="judge",
        seat=asked_at + (AGAIN if reasons else ""),
        model=judge.model,
        prompt=rendered,
        max_tokens=judge.max_tokens,
        temperature=judge.temperature,
        seed=case.draw("label", seat, round, ordinal, sample),
        sample=sample,
        round=round,
        schema=label_schema(labels),
    )
    outcome, parsed = await case.caller.parsed(ask)
    verdict = partial(_verdict_at(case, place), call=outcome)
    if parsed is None:
        return verdict(abstained=outcome.outcome)
    said = parsed.model_dump()
    return verdict(
        outcome=said["label"], confidence=said["confidence"], rationale=said["rationale"], basis="json"
    )
