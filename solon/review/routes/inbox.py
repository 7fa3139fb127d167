"""Endpoints for clients that speak of interrupts: LangChain's inboxes, and AG-UI."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from fastapi.responses import Response

from solon.errors import ReviewError
from solon.review.ag_ui import (
    ResumeEntry,
    RunAgentInput,
    answer_of,
    answered,
    encode,
    run_finished,
    run_started,
)
from solon.review.auth import AnyExpert, Caller, TheRoom
from solon.review.description import gives, refusals
from solon.review.inbox import InboxAnswer, InboxItem, InboxNext, to_answer, to_interrupt, to_request
from solon.review.problems import status_of
from solon.review.reviewer import hand_out, take_answer
from solon.review.routes.queue import AnId
from solon.review.schemas.queue import DecisionIn, DecisionOut, NextIn
from solon.review.state import Room
from solon.store.reviewing.drafts import lease_of_token
from solon.store.reviewing.review_rows import find_review

router = APIRouter(prefix="/api/v1/inbox", tags=["inbox"])


@router.post("/next")
async def inbox_next(
    room: TheRoom, caller: AnyExpert, asked: Annotated[NextIn, Body(default_factory=NextIn)]
) -> InboxNext:
    """Lease the next review, as a HumanInterrupt and as a HITLRequest."""
    found = await hand_out(room, caller, asked.exclude)
    if found.item is None:
        return InboxNext(item=None, message=found.message)
    item = found.item
    return InboxNext(
        item=InboxItem(
            assignment=item.assignment,
            review=item.review,
            token=item.token,
            leased_until=item.leased_until,
            interrupt=to_interrupt(item),
            request=to_request(item),
        )
    )


@router.post("/{review_id}/response", responses=refusals(409))
async def inbox_response(
    room: TheRoom, caller: AnyExpert, review_id: AnId, given: InboxAnswer
) -> DecisionOut:
    """Answer a review with a HumanResponse or a HITLResponse, under its lease; the same rules hold as for
    `/decision`. An action of another name than the one that was asked is refused (422 `invalid`)."""
    with room.store.connect() as connection:
        review = find_review(connection, review_id)
    answer = to_answer(review.response_schema, given.response, review.recipe)
    decision = DecisionIn(token=given.token, answer=answer)
    return await take_answer(room, caller, decision, given.token, review_id=review.id)


@router.post("/ag-ui", response_class=Response, responses=gives("text/event-stream"), operation_id="ag_ui")
async def run_ag_ui(room: TheRoom, caller: AnyExpert, given: RunAgentInput) -> Response:
    """A run of AG-UI: take in the answers in `resume`, then end with the next review as interrupt, or with success
    where there is none. A refused answer ends it with RUN_ERROR; those before it stand, and may be sent again."""
    events = [run_started(given)]
    try:
        for entry in given.resume or ():
            events.append(answered(await _resume(room, caller, entry)))
        events.append(run_finished(given, await hand_out(room, caller, ())))
    except ReviewError as error:
        events.append({"type": "RUN_ERROR", "code": status_of(error)[1], "message": str(error)})
    return Response(encode(events), media_type="text/event-stream")


async def _resume(room: Room, caller: Caller, entry: ResumeEntry) -> DecisionOut:
    with room.store.connect() as connection:
        lease = lease_of_token(connection, caller.expert.actor, entry.interruptId)
    decision = DecisionIn(token=lease.token, answer=answer_of(entry))
    return await take_answer(room, caller, decision, lease.token, review_id=lease.review_id)
