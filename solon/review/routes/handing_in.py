"""An expert hands in an instruction: as JSON, or by the form of a page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from solon.errors import ReviewError
from solon.review.auth import Caller, Expert, TheRoom, read_form
from solon.review.description import refusals
from solon.review.handing_in import LONGEST
from solon.review.rendering import page
from solon.review.schemas.queue import InstructionIn, InstructionOut
from solon.review.state import Room

router = APIRouter(prefix="/api/v1", tags=["my queue"])
page_router = APIRouter(include_in_schema=False)


@router.post("/instructions", operation_id="hand_in", responses=refusals(404))
async def hand_in(room: TheRoom, caller: Expert, given: InstructionIn) -> InstructionOut:
    """Hand in an instruction of one's own, where the project takes such. It is checked, and comes into the queue. Sent
    again, it changes nothing."""
    return InstructionOut(item=await room.hand_ins.take(caller.expert, given))


@page_router.get("/write")
def write_page(
    room: TheRoom, caller: Expert, sent: Annotated[str, Query(max_length=64)] = ""
) -> HTMLResponse:
    """The page on which an instruction is written; `sent` is the one that was handed in just now."""
    return _page(room, caller, sent=sent)


@page_router.post("/write")
async def write_on_page(request: Request, room: TheRoom) -> Response:
    """Hand in what the form says; what cannot be taken is shown with the form as it was."""
    caller, form = await read_form(request, room, "expert")
    try:
        given = InstructionIn.model_validate(
            {name: form.get(name, "") for name in InstructionIn.model_fields}
        )
        item = await room.hand_ins.take(caller.expert, given)
    except (ReviewError, ValidationError) as error:
        told = (
            error.cause if isinstance(error, ReviewError) else "write a request and an answer, not too long"
        )
        return _page(room, caller, problem=told, given=form)
    return RedirectResponse(f"/write?sent={item}", 303)


def _page(
    room: Room, caller: Caller, *, sent: str = "", problem: str = "", given: dict[str, str] | None = None
) -> HTMLResponse:
    own = room.hand_ins.own(caller.expert)
    values = {"sent": sent, "problem": problem, "given": given or {}, "own": own, "longest": LONGEST}
    return page(room, caller, "write.html", **values)
