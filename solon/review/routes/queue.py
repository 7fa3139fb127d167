"""Endpoints of a reviewer: next, lease, draft, decide, undo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path
from fastapi.responses import StreamingResponse

from solon.errors import InvalidDecision
from solon.review import markdown
from solon.review.auth import AnyExpert, TheRoom, may_still
from solon.review.checks import check_answer
from solon.review.description import gives, refusals
from solon.review.explain import explain_review
from solon.review.reviewer import (
    hand_out,
    open_review,
    own_answers,
    progress_of,
    take_answer,
    take_back,
    write,
)
from solon.review.schemas.desk import SimilarOut
from solon.review.schemas.explanations import Explanation
from solon.review.schemas.queue import (
    BlindItem,
    CheckIn,
    CheckOut,
    DecisionIn,
    DecisionOut,
    DraftIn,
    Guidelines,
    LawOut,
    LeaseOut,
    Me,
    MyAnswer,
    NextIn,
    NextOut,
    QueueCounts,
    SettingsIn,
    UndoOut,
)
from solon.review.state import Room
from solon.store.database.audit_log import append, has_read
from solon.store.reviewing.drafts import Lease, find_lease, own_lease, save_draft
from solon.store.reviewing.experts import save_settings, set_stage
from solon.store.reviewing.queue import keep_lease, release, reveal
from solon.store.reviewing.reading import law_rows
from solon.store.reviewing.review_rows import NotThere, find_review

core = APIRouter(prefix="/api/v1", tags=["core"])
router = APIRouter(prefix="/api/v1", tags=["my queue"])
MAX_DRAFT = 400_000
AnId = Annotated[str, Path(max_length=64, pattern="^[0-9a-f]+$")]


@router.get("/me")
def me(room: TheRoom, caller: AnyExpert) -> Me:
    """The caller, with their settings and progress."""
    expert = caller.expert
    return Me(
        id=expert.id,
        name=expert.name,
        role=expert.role,
        specialties=list(expert.specialties),
        languages=list(expert.languages),
        settings=SettingsIn.model_validate(expert.settings).model_dump(),
        progress=progress_of(room, caller),
        stage=expert.stage,
    )


@router.get("/guidelines")
def guidelines(room: TheRoom, caller: AnyExpert) -> Guidelines:
    """What a new expert reads and acknowledges: the project's text, and the constitutions in force."""
    with room.store.connect() as connection:
        rows = [row for row in law_rows(connection, "constitutions") if row["status"] == "in_force"]
    return Guidelines(
        html=markdown.render(room.options.guidelines),
        constitutions=[LawOut(**{key: row[key] for key in LawOut.model_fields}) for row in rows],
        acknowledged=caller.expert.stage != "guidelines",
    )


@router.post("/guidelines/acknowledge", operation_id="acknowledge_guidelines")
async def acknowledge(room: TheRoom, caller: AnyExpert) -> Guidelines:
    """The caller has read them; practice follows. It is noted with the ids of the constitutions."""
    told = guidelines(room, caller)

    def run(connection: Any) -> None:
        if caller.expert.stage == "guidelines":
            laws = [law.id for law in told.constitutions]
            set_stage(connection, caller.expert.id, "practice")
            append(
                room.store,
                connection,
                caller.expert.actor,
                "guidelines.read",
                caller.expert.id,
                {"laws": laws},
            )

    await write(room, run)
    return told.model_copy(update={"acknowledged": True})


@router.put("/me/settings", operation_id="save_settings")
async def put_settings(room: TheRoom, caller: AnyExpert, settings: SettingsIn) -> SettingsIn:
    """Keep the page's settings: keys, sending at once, idle lock, session length."""
    taken = list(settings.keys.values())
    if len(set(taken)) != len(taken):
        raise InvalidDecision("keys: two actions have the same key", next_step="give each its own")

    def run(connection: Any) -> None:
        save_settings(connection, caller.expert.id, settings.model_dump())
        append(room.store, connection, caller.expert.actor, "settings.changed", caller.expert.id)

    await write(room, run)
    return settings


@router.get("/me/answers")
def my_answers(room: TheRoom, caller: AnyExpert) -> list[MyAnswer]:
    """The caller's last ten answers that stand; each can be taken back."""
    return own_answers(room, caller)


@core.post("/next", operation_id="next")
async def next_review(
    room: TheRoom, caller: AnyExpert, asked: Annotated[NextIn, Body(default_factory=NextIn)]
) -> NextOut:
    """Lease the next review: what the caller holds already, what came back to them, their fields, then the rest."""
    return await hand_out(room, caller, asked.exclude)


@router.post("/reviews/{review_id}/lease", operation_id="lease_review", responses=refusals(409))
async def lease_one(room: TheRoom, caller: AnyExpert, review_id: AnId) -> BlindItem:
    """Lease one named review, where nobody else holds it."""
    return await open_review(room, caller, review_id)


@core.post("/assignments/{assignment_id}/heartbeat", responses=refusals(409))
async def heartbeat(room: TheRoom, caller: AnyExpert, assignment_id: AnId) -> LeaseOut:
    """Keep a lease; one that ran out is taken up again while nobody else has the review."""
    return _lease_out(await write(room, lambda c: keep_lease(c, assignment_id, caller.expert.actor)))


@core.post("/assignments/{assignment_id}/release", operation_id="release")
async def give_back(room: TheRoom, caller: AnyExpert, assignment_id: AnId) -> LeaseOut:
    """Give a review back to the queue. The draft is kept for the caller."""

    def run(connection: Any) -> Lease:
        release(connection, assignment_id, caller.expert.actor)
        lease = find_lease(connection, assignment_id)
        append(room.store, connection, caller.expert.actor, "review.released", lease.review_id)
        return lease

    return _lease_out(await write(room, run))


@core.put("/assignments/{assignment_id}/draft", operation_id="draft", responses=refusals(409))
async def put_draft(room: TheRoom, caller: AnyExpert, assignment_id: AnId, given: DraftIn) -> LeaseOut:
    """Keep what is typed so far, also after the lease ran out. The log notes the first draft of a review."""
    if len(str(given.draft)) > MAX_DRAFT:
        raise InvalidDecision(f"draft: longer than {MAX_DRAFT} characters", next_step="shorten it")
    actor = caller.expert.actor

    def run(connection: Any) -> Lease:
        lease = save_draft(connection, assignment_id, actor, given.draft)
        if not has_read(connection, actor, "draft.saved", lease.review_id):
            append(room.store, connection, actor, "draft.saved", lease.review_id, {"assignment": lease.id})
        return lease

    return _lease_out(await write(room, run))


@router.post("/assignments/{assignment_id}/check", operation_id="check_answer", responses=refusals(409))
async def check_before(room: TheRoom, caller: AnyExpert, assignment_id: AnId, given: CheckIn) -> CheckOut:
    """Let a model read an answer before it is sent, and say what may be wrong. What it says is kept with the answer;
    where it changes the answer, the one before it stays the blind evidence."""
    return await check_answer(room, caller, assignment_id, given.answer)


@router.post("/assignments/{assignment_id}/reveal", operation_id="reveal")
async def reveal_early(room: TheRoom, caller: AnyExpert, assignment_id: AnId) -> Explanation:
    """See why it is here before answering. This is recorded; the answer then counts as no blind evidence."""

    def run(connection: Any) -> dict[str, Any]:
        lease = reveal(connection, assignment_id, caller.expert.actor)
        append(room.store, connection, caller.expert.actor, "review.revealed", lease.review_id)
        return explain_review(room, connection, find_review(connection, lease.review_id), caller.expert)

    return await _with_similar(room, await write(room, run))


@router.get("/assignments/{assignment_id}/explanation")
async def explanation(room: TheRoom, caller: AnyExpert, assignment_id: AnId) -> Explanation:
    """After the answer: why it was here, what the critics found, how the judges voted."""

    def run(connection: Any) -> dict[str, Any]:
        lease = own_lease(connection, assignment_id, caller.expert.actor)
        if lease.revealed_at is None and lease.state not in ("decided", "second", "escalated", "undone"):
            raise NotThere("this is shown after your answer", next_step="answer first, or open it early")
        reveal(connection, assignment_id, caller.expert.actor)
        append(room.store, connection, caller.expert.actor, "review.explained", lease.review_id)
        return explain_review(room, connection, find_review(connection, lease.review_id), caller.expert)

    return await _with_similar(room, await write(room, run))


async def _with_similar(room: Room, told: dict[str, Any]) -> Explanation:
    """An explanation with decided items that resemble this one; looked up outside of the writer."""

    def look() -> Explanation:
        with room.store.connect() as connection:
            review = find_review(connection, str(told["review"]))
            found = room.similar.find(connection, review.item_id, review.recipe)
        return Explanation(**told, similar=[SimilarOut(**one) for one in found])

    return await asyncio.to_thread(look)


@core.post("/reviews/{review_id}/decision", operation_id="decision", responses=refusals(409))
async def decide(
    room: TheRoom,
    caller: AnyExpert,
    review_id: AnId,
    given: DecisionIn,
    if_match: Annotated[str | None, Header(description="the lease token, in quotes or not")] = None,
) -> DecisionOut:
    """Answer a review under its lease. Sending the same answer again changes nothing and gives the same decision."""
    token = given.token or (if_match or "").strip('"')
    if not token:
        raise InvalidDecision("token: the token of the lease is missing", next_step="ask for the next review")
    return await take_answer(room, caller, given, token, review_id=review_id)


@core.post("/decisions/{decision_id}/undo", operation_id="undo", responses=refusals(409))
async def undo_decision(room: TheRoom, caller: AnyExpert, decision_id: AnId) -> UndoOut:
    """Take one of the caller's last ten answers back, as a lead any answer; the review is open again, with the old
    answer as its draft. A vote, and that a question was skipped, declined or handed on, goes by its assignment's id."""
    return await take_back(room, caller, decision_id)


@router.get("/queue")
def queue_counts(room: TheRoom, _caller: AnyExpert) -> QueueCounts:
    """How much waits: free, leased, escalated, opening; decisions that wait for a worker, and what stops it."""
    return QueueCounts(**room.live.counts())


@router.get("/events", response_class=StreamingResponse, responses=gives("text/event-stream"))
async def events(room: TheRoom, caller: AnyExpert) -> StreamingResponse:
    """Server-sent events: `queue` with the counts, whenever they change. It ends with the caller's access."""

    async def stream() -> AsyncIterator[str]:
        async for chunk in room.live.changes():
            if not await asyncio.to_thread(may_still, room, caller):
                return
            if chunk:
                yield chunk

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


def _lease_out(lease: Lease) -> LeaseOut:
    return LeaseOut(assignment=lease.id, state=lease.state, leased_until=round(lease.expires_at, 3))
