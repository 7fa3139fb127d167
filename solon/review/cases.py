"""Disagreements as they are shown: to the adjudicator without names, to its reviewers with the outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from solon.consensus.rankings import Ranking, find_cycles, find_flips
from solon.errors import InvalidDecision, ReviewError
from solon.questions import LABELLED, RankingQuestion, question_of
from solon.responses import read_fields
from solon.review.auth import Caller
from solon.review.blind import shown_reference
from solon.review.reviewer import REPLAY_SECONDS, write
from solon.review.schemas.cases import (
    CaseLine,
    CaseOut,
    GivenOut,
    MyOutcome,
    OutcomeOut,
    RankingCycle,
    RankingFlip,
    ReplyIn,
    RulingIn,
)
from solon.review.schemas.queue import EvidenceOut, ShownCandidate, ShownPrinciple, Turn
from solon.review.state import Room
from solon.store.database.audit_log import append
from solon.store.reviewing.adjudicating import (
    NO_FILTERS,
    Case,
    CaseFilters,
    adjudicate,
    cases_of,
    find_case,
    list_cases,
    replies_to,
    reply,
)
from solon.store.reviewing.disagreements import text_ids
from solon.store.reviewing.experts import ExpertRow, list_experts
from solon.store.reviewing.rankings import stored_rankings
from solon.store.reviewing.reading import (
    FORGOTTEN,
    decided_form,
    decision_row,
    earlier_turns,
    quote_evidence,
    read_candidates,
    request_of,
    seed_content,
    text_bodies,
)
from solon.store.reviewing.undoing import BeingApplied

if TYPE_CHECKING:
    from solon.store.database.engine import Connection


def case_lines(
    connection: Connection, expert: ExpertRow, state: str | None, filters: CaseFilters = NO_FILTERS
) -> list[CaseLine]:
    """Return the list of disagreements in a state (None: in any) that fit the filters, the oldest first.

    Args:
        expert: who reads it.
    """
    lines = []
    for case in list_cases(connection, state, filters):
        _, content = seed_content(connection, case.item_id)
        lines.append(
            CaseLine(
                id=case.id,
                item=case.item_id,
                state=case.state,
                answers=len(case.given),
                yours=case.number(expert.actor) is not None,
                recipe=case.review.recipe,
                prompt=(content.get("prompt") or FORGOTTEN)[:300],
                created_at=case.created_at,
                decided_at=case.decided_at,
            )
        )
    return lines


def show_case(room: Room, connection: Connection, case: Case) -> CaseOut:
    """Return a case with its answers side by side; the reviewers have names only once it is settled."""
    item, content = seed_content(connection, case.item_id)
    constitution, _ = room.law(connection, item["constitution_id"], item["rubric_id"])
    names = {expert.actor: expert.name for expert in list_experts(connection)}
    prompt, asked_of = request_of(read_candidates(connection, case.review.candidates), content)
    answers = _answers(connection, case, names if case.decided_at is not None else {})
    flips, cycles = _contradictions(answers)
    return CaseOut(
        id=case.id,
        item=case.item_id,
        state=case.state,
        prompt=prompt,
        turns=[Turn(**turn) for turn in earlier_turns(content)],
        input=asked_of,
        reference=shown_reference(room, case.review, content),
        candidates=_candidates(connection, case),
        constitution=f"{constitution.name} {constitution.version}",
        principles=[ShownPrinciple(id=p.id, text=p.text) for p in constitution.ordered()],
        answers=answers,
        flips=flips,
        cycles=cycles,
        choices=case.choices,
        fields=case.fields,
        outcome=_outcome(connection, case),
        informed=case.informed,
    )


def _candidates(connection: Connection, case: Case) -> list[ShownCandidate]:
    return [
        ShownCandidate(id=one.id, text=one.text, prompt=one.prompt)
        for one in read_candidates(connection, case.review.candidates)
    ]


def _answers(connection: Connection, case: Case, names: dict[str, str]) -> list[GivenOut]:
    said = replies_to(connection, case.id)
    wanted = [text for one in case.given for text in (one.rationale_id, one.edit_id, one.guidance_id)]
    bodies = text_bodies(connection, [*wanted, *(text for _, text in said.values())])
    candidate_of = {text: name for name, text in text_ids(connection, case.review.candidates).items()}
    named = {name for one in case.given for name in (*one.flags, *(e["candidate"] for e in one.evidence))}
    now = {name: candidate_of.get(text, name) for name, text in text_ids(connection, sorted(named)).items()}
    given = []
    rankings = _rankings(case, bodies, candidate_of)
    for number, one in enumerate(case.given, 1):
        stance, reply_id = said.get(one.actor, (None, None))
        edit = bodies.get(one.edit_id, "")
        given.append(
            GivenOut(
                reviewer=number,
                name=names.get(one.actor),
                alone=one.alone,
                choice=one.choice,
                candidate=candidate_of.get(one.side or ""),
                text="" if case.fields or one.assignment_id in rankings else edit,
                rankings=_tiers(rankings.get(one.assignment_id, {})),
                fields=read_fields(edit) if case.fields else {},
                guidance=bodies.get(one.guidance_id, ""),
                rationale=bodies.get(one.rationale_id, ""),
                principles=list(one.principles),
                strength=one.strength,
                flags={now.get(name, name): list(flags) for name, flags in one.flags.items()},
                evidence=[
                    EvidenceOut(**{**told, "candidate": now.get(told["candidate"], told["candidate"])})
                    for told in quote_evidence(connection, one.evidence)
                ],
                stance=stance,
                reply=bodies.get(reply_id, ""),
            )
        )
    return given


def _rankings(
    case: Case, bodies: Mapping[str | None, str], called: Mapping[str, str]
) -> dict[str, dict[str, Ranking]]:
    """The rankings of those answers that rank, by assignment and question."""
    return {
        one.assignment_id: stored_rankings(bodies.get(one.edit_id), called)
        for one in case.given
        if one.choice == "rank"
    }


def _tiers(rankings: Mapping[str, Ranking]) -> dict[str, list[list[str]]]:
    return {question: [[*tier] for tier in ranking.tiers] for question, ranking in rankings.items()}


def _contradictions(answers: Sequence[GivenOut]) -> tuple[list[RankingFlip], list[RankingCycle]]:
    """Where the rankings of several people contradict each other, question by question."""
    given = [one.rankings for one in answers if one.rankings]
    flips, cycles = list[RankingFlip](), list[RankingCycle]()
    for question in given[0] if given else ():
        told = [Ranking("", tuple(map(tuple, one[question]))) for one in given]
        flips += [
            RankingFlip(question=question, a=f.a, b=f.b, a_first=f.a_first, b_first=f.b_first)
            for f in find_flips(told)
        ]
        cycles += [RankingCycle(question=question, candidates=[*c.answers]) for c in find_cycles(told)]
    return flips, cycles


def _outcome(connection: Connection, case: Case) -> OutcomeOut | None:
    if case.decided_at is None or case.choice is None:
        return None
    soft = case.soft
    texts = text_ids(connection, case.review.candidates)
    if question_of(case.review.response_schema).kind == LABELLED:
        texts = {label: label for label in soft or ()}
    return OutcomeOut(
        choice=case.choice,
        candidate=case.candidate_id,
        principle=case.principle,
        reason=text_bodies(connection, [case.reason_id]).get(case.reason_id, ""),
        fields=_form_now(connection, case) if case.fields else {},
        rankings=_tiers(_ranking_now(connection, case, {text: name for name, text in texts.items()})),
        decided_at=case.decided_at,
        shares=None if soft is None else {name: soft[text] for name, text in texts.items() if text in soft},
    )


def _ranking_now(connection: Connection, case: Case, called: Mapping[str, str]) -> dict[str, Ranking]:
    """The rankings that hold by the ruling; empty without any."""
    if not isinstance(question_of(case.review.response_schema), RankingQuestion) or not case.decision_id:
        return {}
    held = decision_row(connection, case.decision_id)
    body = text_bodies(connection, [held["edit_id"]]).get(held["edit_id"])
    return stored_rankings(body, called) if held["choice"] == "rank" else {}


def _form_now(connection: Connection, case: Case) -> dict[str, Any]:
    return decided_form(connection, case.decision_id) if case.decision_id else {}


def read_form_fields(case: CaseOut, form: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what a lead set in the fields of a question's form; None where it has none.

    Each is one reviewer's (`take:NAME` holds their number), or what the lead wrote (`field:NAME`).

    Raises:
        InvalidDecision: naming the field.
    """
    told: dict[str, Any] = {}
    for name, field in case.fields.items():
        taken = form.get(f"take:{name}", "")
        one = next((one for one in case.answers if str(one.reviewer) == taken), None)
        value = (
            one.fields.get(name) if one is not None else _typed(name, field, form.get(f"field:{name}", ""))
        )
        if value is not None:
            told[name] = value
    return told if case.fields else None


def spell_problem(case: CaseOut, error: ReviewError) -> str:
    """Return what is wrong with a ruling as a sentence, with the field of a form by its title."""
    name, colon, told = error.cause.partition(": ")
    title = str(case.fields[name].get("title") or name) if colon and name in case.fields else ""
    words = f"{title}: {told}" if title else error.cause
    return f"{words[:1].upper()}{words[1:].removesuffix('.')}."


def agreed_fields(case: CaseOut) -> set[str]:
    """Return the fields of a question's form that all its reviewers filled in alike."""
    return {name for name in case.fields if len({repr(one.fields.get(name)) for one in case.answers}) == 1}


def _typed(name: str, field: Mapping[str, Any], words: str) -> Any:
    """What stands in a field of a form, by the field's kind; None where nothing does."""
    kind = field.get("type")
    if kind == "boolean":
        return bool(words)
    if not words.strip():
        return None
    if kind == "array":
        return [line.strip() for line in words.splitlines() if line.strip()]
    if kind not in ("integer", "number"):
        return words.strip()
    try:
        return int(words) if kind == "integer" else float(words)
    except ValueError:
        raise InvalidDecision(f"{name}: {words[:40]!r} is no number", next_step="write digits") from None


def my_outcomes(connection: Connection, expert: ExpertRow) -> list[MyOutcome]:
    """Return what came of a person's answers with which others disagreed. Other reviewers stay without a name."""
    outcomes = []
    for case in cases_of(connection, expert.actor):
        outcome = _outcome(connection, case)
        number = case.number(expert.actor)
        if outcome is None or number is None:
            continue
        own = _answers(connection, case, {})[number - 1]
        _, content = seed_content(connection, case.item_id)
        outcomes.append(
            MyOutcome(
                id=case.id,
                state=case.state,
                prompt=content.get("prompt") or FORGOTTEN,
                candidates=_candidates(connection, case),
                fields=case.fields,
                yours=own,
                outcome=outcome,
                may_reply=own.stance is None,
            )
        )
    return outcomes


async def settle(room: Room, caller: Caller, case_id: str, ruling: RulingIn) -> CaseOut:
    """Settle a case and return it as it is then. Where a worker moves its item just now, wait for a moment.

    Raises:
        BeingApplied: the item was still on its way after that moment.
    """

    def rule(connection: Connection) -> CaseOut:
        settled = adjudicate(
            room.store,
            connection,
            caller.expert,
            case_id,
            choice=ruling.choice,
            candidate=ruling.candidate,
            principle=ruling.principle or None,
            reason=ruling.reason,
            fields=ruling.fields,
        )
        return show_case(room, connection, settled)

    until = time.monotonic() + REPLAY_SECONDS
    while True:
        try:
            case = await write(room, rule)
            break
        except BeingApplied:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)
    if room.worker is not None:
        room.worker.wake(begun=True)
    return case


async def open_case(room: Room, caller: Caller, case_id: str) -> CaseOut:
    """Return a case, and note in the audit log that the caller has read it."""

    def look(connection: Connection) -> CaseOut:
        case = find_case(connection, case_id)
        append(room.store, connection, caller.expert.actor, "adjudication.read", case.id)
        return show_case(room, connection, case)

    return await write(room, look)


async def answer_outcome(room: Room, caller: Caller, case_id: str, given: ReplyIn) -> MyOutcome:
    """Store the caller's one reply to an outcome, and return the outcome with it."""

    def say(connection: Connection) -> MyOutcome:
        reply(room.store, connection, caller.expert, case_id, stance=given.stance, words=given.words)
        return next(one for one in my_outcomes(connection, caller.expert) if one.id == case_id)

    return await write(room, say)
