"""What the API and the pages both do for a reviewer: hand out the next review, take an answer in, take it back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from solon.errors import ReviewError
from solon.review.auth import Caller, language_of
from solon.review.blind import show_blind, shown_order, spell_suggestion
from solon.review.language import Language
from solon.review.schemas.queue import (
    BlindItem,
    DecisionIn,
    DecisionOut,
    EmptyReason,
    MyAnswer,
    NextOut,
    Progress,
    UndoOut,
)
from solon.review.state import Room
from solon.store.database.audit_log import append, unread
from solon.store.reviewing.answering import AnswerResult, answer_lease
from solon.store.reviewing.disagreements import text_ids
from solon.store.reviewing.drafts import Lease
from solon.store.reviewing.experts import STAGES, ExpertRow
from solon.store.reviewing.known import move_on, next_known
from solon.store.reviewing.queue import count_in_hand, count_left, count_not_offered, lease_next, lease_review
from solon.store.reviewing.rankings import stored_rankings
from solon.store.reviewing.reading import text_bodies
from solon.store.reviewing.review_lists import count_answers, list_own_answers
from solon.store.reviewing.review_rows import ReviewRow, find_review
from solon.store.reviewing.suggestions import may_carry
from solon.store.reviewing.undoing import BeingApplied
from solon.store.reviewing.unvoting import is_own, is_replayed, replayed
from solon.store.reviewing.unvoting import take_back as take_answer_back
from solon.store.runs.activity import judging

if TYPE_CHECKING:
    from solon.store.database.engine import Connection


T = TypeVar("T")
NOTED_AT_ONCE = 20
REPLAY_SECONDS = 8.0
"""Seconds that an undo waits until its review is open again."""

TOLD = {
    "decided": "Saved.",
    "vote": "Saved.",
    "second": "Someone had decided this one before. Yours is kept as a second opinion: the item stays as it is, "
    "and where the two differ a lead settles it.",
    "skipped": "Skipped: it goes to someone else.",
    "declined": "Declined: it goes to someone else.",
    "escalated": "Handed to a lead.",
    "vote_of_learner": "Saved as a vote: together with others' it decides.",
    "open_again": "Taken back. It is yours again; if you leave it for half an hour, others may answer it.",
    "in_a_moment": "Taken back. In a moment it comes back to you first; after a day, others may answer it.",
    "after_replay": "Taken back. Once a worker has replayed it (this server has none), it comes back to you first; "
    "after a day, others may answer it.",
}
"""What is said of an answer, by what became of it. Whoever is not proven is told `vote_of_learner` of every answer: of
known questions too, or these would be known by it."""


async def write(room: Room, function: Callable[[Connection], T]) -> T:
    """Return what a short function of a connection returns, run in the store's writer and committed.

    It may be run again, so it must do nothing but read and write through its connection.
    """
    result: T = await room.store.writer.run(function)
    return result


async def hand_out(room: Room, caller: Caller, exclude: Sequence[str]) -> NextOut:
    """Lease the next review to the caller and return it, or say why there is none.

    Args:
        exclude: assignments that are on screen or just answered.
    """
    mix, store, say = room.options.mix, room.store, language_of(room, caller)

    def lease(connection: Connection) -> tuple[BlindItem | None, ExpertRow]:
        expert = caller.expert
        for _ in STAGES:
            leased = lease_next(
                connection,
                expert,
                exclude=exclude,
                match=room.options.match,
                reviewers=room.reviewers,
                offer=partial(next_known, store, connection, expert, mix),
            )
            if leased is not None:
                return _shown(room, connection, *leased, caller), expert
            stage = move_on(store, connection, expert, mix)
            if stage == expert.stage:
                break
            expert = replace(expert, stage=stage)
        return None, expert

    item, expert = await write(room, lease)
    if item is not None:
        return NextOut(item=item)
    if expert.stage == "guidelines":
        return _empty("guidelines", say.gettext("Read the guidelines first."))
    if expert.stage != "proven":
        return _empty("onboarding", say.gettext("Send what you have open; then it goes on."))
    return await asyncio.to_thread(_why_empty, room, caller)


async def open_review(room: Room, caller: Caller, review_id: str) -> BlindItem:
    """Lease one named review to the caller and return it as it is shown before the answer."""

    def take(connection: Connection) -> BlindItem:
        lease, review = lease_review(
            connection, caller.expert, review_id, match=room.options.match, reviewers=room.reviewers
        )
        return _shown(room, connection, lease, review, caller)

    return await write(room, take)


def _shown(room: Room, connection: Connection, lease: Lease, review: ReviewRow, caller: Caller) -> BlindItem:
    append(
        room.store,
        connection,
        caller.expert.actor,
        "review.read",
        review.id,
        {"assignment": lease.id, "channel": caller.channel},
    )
    return show_blind(room, connection, lease, review, caller)


def _why_empty(room: Room, caller: Caller) -> NextOut:
    say, counts = language_of(room, caller), room.live.counts(fresh=True)
    expert = caller.expert
    with room.store.connect() as connection:
        panel = judging(connection)
        leased, escalated = count_in_hand(connection, expert.actor)
        free = count_not_offered(connection, expert, room.options.match)
    if free["aside"] or free["elsewhere"]:
        waits = say.ngettext(
            "%(n)s review waits, but not for you: %(why)s.",
            "%(n)s reviews wait, but not for you: %(why)s.",
            counts["free"],
        )
        why = {
            "elsewhere": say.gettext("in other fields or languages"),
            "others": say.gettext("for other people"),
            "aside": say.gettext("set aside by you"),
        }
        told = waits % {"n": counts["free"], "why": ", ".join(why[name] for name in why if free[name])}
        later = say.gettext("What you skipped comes back an hour later.")
        return _empty("nothing_for_you", f"{told} {later}" if free["aside"] else told)
    if panel.working or (counts["opening"] and room.worker is not None):
        told = say.gettext("The panel is still at work; new reviews appear here by themselves.")
        return _empty("being_judged", told, panel.until)
    if panel.stopped or counts["opening"]:
        return _empty("stopped", say.gettext("The run was stopped; whoever runs it can continue it."))
    parts = (
        (leased, say.gettext("others have %(n)s open")),
        (free["others"], say.gettext("%(n)s wait for other people")),
        (escalated, say.gettext("%(n)s wait for a lead")),
    )
    if known := ", ".join(words % {"n": n} for n, words in parts if n):
        told = say.gettext("Nothing is free for you: %(why)s. What comes back appears here by itself.")
        return _empty("in_hand", told % {"why": known})
    if counts["held"]:
        told = say.gettext(
            "%(n)s are held back under a budget until all are judged; those worth most appear here by themselves."
        )
        return _empty("held", told % {"n": counts["held"]})
    return _empty("all_done", say.gettext("All done: nothing waits."))


def own_answers(room: Room, caller: Caller) -> list[MyAnswer]:
    """Return the caller's last ten answers that stand or that somebody else took back, each with the number under which
    they saw what they chose."""
    answers = []
    with room.store.connect() as connection:
        for row in list_own_answers(connection, caller.expert.actor):
            shown = shown_order(room, connection, find_review(connection, row["review"]), caller.expert)
            named = len(shown) > 1 and row["candidate"] in shown
            place = shown.index(row["candidate"]) + 1 if named else None
            rankings = _rankings_seen(connection, row["choice"], row.pop("text_id"), shown)
            answers.append(MyAnswer(**row, place=place, rankings=rankings))
    return answers


def _rankings_seen(
    connection: Connection, choice: str, text_id: str | None, shown: Sequence[str]
) -> dict[str, list[list[int]]]:
    """The rankings of an answer by question, candidates by the numbers under which their author saw them."""
    if choice != "rank":
        return {}
    number = {name: n for n, name in enumerate(shown, 1)}
    body = text_bodies(connection, [text_id]).get(text_id)
    called = {text: name for name, text in text_ids(connection, shown).items()}
    rankings = stored_rankings(body, called)
    return {
        name: [sorted(number[one] for one in tier) for tier in found.tiers]
        for name, found in rankings.items()
    }


def _empty(reason: EmptyReason, message: str, until: float | None = None) -> NextOut:
    return NextOut(item=None, empty=reason, message=message, until=until and round(until))


async def note_shown(room: Room, caller: Caller, rows: Sequence[Mapping[str, Any]], *, why: bool) -> None:
    """Note in the audit log which items a list has shown.

    Args:
        rows: the list, each row with its `item_id`.
        why: the list told what brought each item here. This counts as having read the item: a later answer of the
            reader's to it is no blind evidence. Only the first time is noted.
    """
    actor = caller.expert.actor
    ids = [str(row["item_id"]) for row in rows]
    if not ids:
        return

    def note(connection: Connection) -> list[str]:
        append(room.store, connection, actor, "queue.read", "", {"items": ids})
        return unread(connection, actor, "item.read", ids) if why else []

    new = await write(room, note)
    for start in range(0, len(new), NOTED_AT_ONCE):
        part = new[start : start + NOTED_AT_ONCE]
        await write(room, lambda c, some=part: _note_read(room, c, actor, some))  # type: ignore[misc]


def _note_read(room: Room, connection: Connection, actor: str, item_ids: Sequence[str]) -> None:
    for item_id in item_ids:
        append(room.store, connection, actor, "item.read", item_id, {"list": True})


async def take_answer(
    room: Room, caller: Caller, given: DecisionIn, token: str, *, review_id: str
) -> DecisionOut:
    """Store an answer under its lease and return what became of it; sent again, it changes nothing.

    Args:
        given: the answer, its times, and whether the next review is wanted at once.
        token: the token of the lease.
        review_id: the review that it answers.
    """
    times: Mapping[str, Any] = given.times.model_dump()

    def answer(connection: Connection) -> AnswerResult:
        return answer_lease(
            room.store,
            connection,
            caller.expert,
            token,
            given.answer,
            review_id=review_id,
            channel=caller.channel,
            times={name: value for name, value in times.items() if value is not None},
            reviewers=room.reviewers,
            answers=room.options.answers,
            answers_below=room.options.answers_below,
            doubt=room.options.doubt,
            match=room.options.match,
        )

    taken = await write(room, answer)
    votes = taken.kind in ("decided", "vote") and not caller.expert.believed(room.reviewers).final
    told = language_of(room, caller).gettext(TOLD["vote_of_learner" if votes else taken.kind])
    if room.options.suggestion != "hidden" and taken.kind == "decided":
        told += await asyncio.to_thread(_after, room, caller, taken.review_id)
    if not taken.replayed:
        room.metrics.answers.labels(taken.kind).inc()
    if taken.kind in ("decided", "vote") and room.worker is not None:
        room.worker.wake()
    following = await hand_out(room, caller, given.exclude) if given.next else None
    return DecisionOut(
        kind=taken.kind,
        review=taken.review_id,
        assignment=taken.assignment_id,
        decision=taken.decision_id,
        replayed=taken.replayed,
        message=told,
        next=following,
    )


def _after(room: Room, caller: Caller, review_id: str) -> str:
    """What the panel had found, for after the answer; empty where there is nothing that may be told."""
    with room.store.connect() as connection:
        review = find_review(connection, review_id)
        if not may_carry(review):
            return ""
        found = spell_suggestion(room, connection, review, caller, review.best)
    return " " + language_of(room, caller).gettext("The panel had found: %(found)s.") % {"found": found}


async def take_back(room: Room, caller: Caller, decision_id: str) -> UndoOut:
    """Undo a decision, or a vote, of the caller's; return its review too, where it is open again by then."""

    def back(connection: Connection) -> tuple[BlindItem | None, str | None]:
        lease, review = take_answer_back(room.store, connection, caller.expert, decision_id, room.reviewers)
        if lease is not None:
            return _shown(room, connection, lease, review, caller), say.gettext(TOLD["open_again"])
        message = _who_is_next(say, connection, review, caller.expert)
        if message is None and not is_own(connection, decision_id, caller.expert.actor):
            message = _author_first(say)
        return None, message

    until, say = time.monotonic() + REPLAY_SECONDS, language_of(room, caller)
    while True:
        try:
            item, message = await write(room, back)
            break
        except BeingApplied:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)
    if item is None and room.worker is not None:
        room.worker.wake(begun=True)
    if message is None and room.worker is None:
        message = say.gettext(TOLD["after_replay"])
    elif message is None:
        item = await _wait_for_replay(room, caller, decision_id)
        message = say.gettext(TOLD["open_again" if item is not None else "in_a_moment"])
    return UndoOut(decision=decision_id, item=item, message=str(message))


def _who_is_next(say: Language, connection: Connection, review: ReviewRow, expert: ExpertRow) -> str | None:
    """Who can take a question up of which an answer was taken back; None where it first has to be replayed, and then
    comes back to its author."""
    if is_replayed(connection, review.item_id):
        return None
    if review.state != "waiting":
        return say.gettext("Taken back. Others have decided this question, so it is not asked again.")
    if review.escalated:
        return say.gettext("Taken back. The question waits for a lead.")
    if review.leased:
        return say.gettext("Taken back. Somebody else has the question open and may answer it.")
    if review.prefer_actor not in (None, expert.actor):
        return _author_first(say)
    return say.gettext("Taken back. Anyone may answer it now.")


def _author_first(say: Language) -> str:
    return say.gettext("Taken back. Its author is asked first; after a day, others may answer it.")


async def _wait_for_replay(room: Room, caller: Caller, decision_id: str) -> BlindItem | None:
    """Lease the review that the worker's replay has brought back to the caller; None where it takes too long."""
    until = time.monotonic() + REPLAY_SECONDS
    while time.monotonic() < until:
        await asyncio.sleep(0.1)
        with room.store.connect() as connection:
            review_id = replayed(connection, decision_id, caller.expert.actor)
        if review_id is not None:
            try:
                return await open_review(room, caller, review_id)
            except ReviewError:
                return None
    return None


def progress_of(room: Room, caller: Caller) -> Progress:
    """Return how many answers the caller gave today and in all, how many the team gave, how many reviews wait, and how
    many of them are left for the caller."""
    with room.store.connect() as connection:
        today, mine, team = count_answers(connection, caller.expert.actor)
        left = count_left(connection, caller.expert, match=room.options.match, reviewers=room.reviewers)
    counts = room.live.counts()
    waiting = counts["free"] + counts["escalated"]
    return Progress(mine_today=today, mine=mine, team=team, waiting=waiting, left=left)
