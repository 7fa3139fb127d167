"""Checks of answers before they are sent: a model reads an answer and says what may be wrong with it.

It never stands in the way: where it cannot be asked, the answer is sent as it is, and nothing is noted, since nothing
was told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solon.agents.checker import CheckRemark, GivenAnswer
from solon.errors import InvalidDecision, NotPending, SolonError
from solon.responses import NOT_ANSWERS, Response
from solon.review.auth import Caller, language_of
from solon.review.blind import may_check, shown_order
from solon.review.language import Language
from solon.review.reviewer import write
from solon.review.schemas.queue import CheckOut, CheckRemarkOut
from solon.review.state import Room
from solon.store.database.audit_log import append
from solon.store.reviewing.answering import saw_votes
from solon.store.reviewing.checks import earlier_check, note_check, refuse_many
from solon.store.reviewing.citations import read_answer
from solon.store.reviewing.drafts import own_lease
from solon.store.reviewing.proposals import take_proposal
from solon.store.reviewing.reading import read_candidates
from solon.store.reviewing.review_rows import LeaseLost, NotThere, ReviewRow, find_review

if TYPE_CHECKING:
    from solon.store.database.engine import Connection

SECONDS = 60.0
"""So long an answer waits for its check."""
NOT_MADE = "The check could not be made. Send your answer as it is, or try again."
NOTHING = "Nothing was found that speaks against it. Send it, or change it."


@dataclass(frozen=True, slots=True)
class _Asked:
    """An answer that is to be checked."""

    review: ReviewRow
    response: Response
    given: GivenAnswer


async def check_answer(room: Room, caller: Caller, assignment_id: str, answer: Mapping[str, Any]) -> CheckOut:
    """Let a model read an answer under its author's lease; return what it says, which is noted with the turn.

    Raises:
        NotThere: there is no such lease of the caller's, or answers are not checked here.
        LeaseLost: it was answered already. NotPending: it was checked too often.
        InvalidDecision: naming the field that is wrong.
    """
    asked = await asyncio.to_thread(_read, room, caller, assignment_id, answer)
    try:
        reading = room.checker.read(
            asked.review, asked.given, model=room.options.check, guidelines=room.options.guidelines
        )
        remarks = await asyncio.wait_for(reading, SECONDS)
    except (SolonError, TimeoutError):
        remarks = None
    if remarks is None:
        return CheckOut(made=False, remarks=[], message=language_of(room, caller).gettext(NOT_MADE))
    told: Sequence[CheckRemark] = remarks
    await write(room, lambda connection: _note(room, connection, caller, assignment_id, asked, told))
    shown = [CheckRemarkOut(kind=one.kind, text=one.text, cites=one.cites) for one in remarks]
    return CheckOut(made=True, remarks=shown, message=_message(language_of(room, caller), len(shown)))


def _message(say: Language, n: int) -> str:
    told = say.ngettext(
        "%(n)s thing may be wrong, as a model says. Change your answer, or send it as it is.",
        "%(n)s things may be wrong, as a model says. Change your answer, or send it as it is.",
        n,
    )
    return told % {"n": n} if n else say.gettext(NOTHING)


def _read(room: Room, caller: Caller, assignment_id: str, answer: Mapping[str, Any]) -> _Asked:
    if not may_check(room, caller.expert):
        raise NotThere(
            "your answers are not checked before they are sent",
            next_step="whoever runs the server names a model as `[review] check`; votes are never checked",
        )
    with room.store.connect() as connection:
        lease = own_lease(connection, assignment_id, caller.expert.actor)
        review = find_review(connection, lease.review_id)
        if lease.state != "leased":
            raise LeaseLost(
                f"this review is not in your hands any more ({lease.state})", next_step="ask for the next one"
            )
        if review.state != "waiting":
            raise NotPending("this review does not wait any more", next_step="ask for the next one")
        refuse_many(earlier_check(connection, lease.actor, review))
        answer, _ = take_proposal(answer)
        if str(answer.get("choice", "")) in NOT_ANSWERS:
            raise InvalidDecision("choice: only an answer can be checked", next_step="send it as it is")
        response = read_answer(connection, review, answer)
        order = shown_order(room, connection, review, caller.expert)
        texts = [one.text for one in read_candidates(connection, order)]
    given = GivenAnswer(
        texts="\n\n".join(f"Answer {n}: {text}" for n, text in enumerate(texts, 1))
        if len(texts) > 1
        else "".join(texts),
        choice=_in_words(response, order, texts),
        rationale=response.rationale or "",
        principles=tuple(response.principles),
    )
    return _Asked(review, response, given)


def _in_words(response: Response, order: Sequence[str], texts: Sequence[str]) -> str:
    """An answer as a model reads it: candidates by the places at which its author sees them.

    Args:
        texts: those of the candidates, in the same order.
    """

    def name(candidate: str) -> str:
        return f"answer {order.index(candidate) + 1}" if len(order) > 1 else "the text"

    lines = [response.choice.replace("_", " ")]
    if response.candidate:
        lines = [f"{lines[0]}: {name(response.candidate)}"]
    lines += [f"scored {criterion}: {score}" for criterion, score in response.scores.items()]
    lines += [f"flagged {name(one)}: {', '.join(flags)}" for one, flags in response.flags.items()]
    for one in response.evidence:
        quote = texts[order.index(one.candidate)][one.start : one.end]
        lines.append(
            f"marked in {name(one.candidate)} as {(one.flag or 'reason').replace('_', ' ')}: {quote}"
        )
    lines += [f"as it should be: {response.text}"] if response.text else []
    lines += [f"what a new draft shall do: {response.guidance}"] if response.guidance else []
    return "\n".join(lines)


def _note(
    room: Room,
    connection: Connection,
    caller: Caller,
    assignment_id: str,
    asked: _Asked,
    remarks: Sequence[CheckRemark],
) -> None:
    lease = own_lease(connection, assignment_id, caller.expert.actor)
    if lease.state != "leased":
        raise LeaseLost("this review was answered meanwhile", next_step="ask for the next one", kept=lease.id)
    blind = not saw_votes(connection, lease.actor, asked.review)
    said = [one.model_dump() for one in remarks]
    note_check(room.store, connection, lease, asked.review, asked.response, said, blind=blind)
    detail = {"assignment": lease.id, "remarks": len(said)}
    append(room.store, connection, lease.actor, "review.checked", asked.review.id, detail)
