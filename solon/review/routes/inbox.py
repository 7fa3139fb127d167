"""Endpoints for LangChain's Agent Inbox and whatever else speaks its HumanInterrupt and HumanResponse."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body

from solon.responses import choices_of
from solon.review.auth import AnyExpert, TheRoom
from solon.review.description import refusals
from solon.review.inbox import InboxAnswer, InboxItem, InboxNext, to_answer, to_interrupt
from solon.review.reviewer import hand_out, take_answer
from solon.review.routes.queue import AnId
from solon.review.schemas.queue import DecisionIn, DecisionOut, NextIn
from solon.store.reviewing.review_rows import find_review

router = APIRouter(prefix="/api/v1/inbox", tags=["inbox"])


@router.post("/next")
async def inbox_next(
    room: TheRoom, caller: AnyExpert, asked: Annotated[NextIn, Body(default_factory=NextIn)]
) -> InboxNext:
    """Lease the next review, as a HumanInterrupt."""
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
        )
    )


@router.post("/{review_id}/response", responses=refusals(409))
async def inbox_response(
    room: TheRoom, caller: AnyExpert, review_id: AnId, given: InboxAnswer
) -> DecisionOut:
    """Answer a review with a HumanResponse, under its lease; the same rules hold as for `/decision`."""
    with room.store.connect() as connection:
        review = find_review(connection, review_id)
    answer = to_answer(list(choices_of(review.response_schema)), given.response)
    decision = DecisionIn(token=given.token, answer=answer)
    return await take_answer(room, caller, decision, given.token, review_id=review.id)
