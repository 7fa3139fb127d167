"""Pages about law in the making: amendments with diff, impact, flips and vote; propose a rule from a decision."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from solon.errors import UsageError
from solon.review.auth import (
    AnyExpert,
    Caller,
    Lead,
    NotAllowed,
    NotLoggedIn,
    TheRoom,
    check_csrf,
    session_caller,
)
from solon.review.rendering import page
from solon.review.room import Room
from solon.review.routes.law import read_principles
from solon.review.routes.queue import AnId
from solon.review.rules import (
    PARTS,
    cast_vote,
    cited_case,
    mark_changes,
    name_rule,
    propose_rule,
    show_amendment,
    show_flip,
)
from solon.review.serving import write
from solon.store.amendments import list_amendments
from solon.store.experts import list_experts

router = APIRouter(include_in_schema=False)


@router.get("/lead/amendments")
def amendments(room: TheRoom, caller: Lead) -> HTMLResponse:
    """Every amendment, the newest first."""
    with room.store.connect() as connection:
        rows = list_amendments(connection)
        names = {expert.actor: expert.name for expert in list_experts(connection)}
    return page(room, caller, "law_amendments.html", rows=rows, names=names)


@router.get("/lead/amendments/{amendment_id}")
def amendment(room: TheRoom, caller: Lead, amendment_id: AnId) -> HTMLResponse:
    """One amendment: what it changes, what that would have done, and the vote."""
    return _amendment(room, caller, amendment_id)


def _amendment(room: Room, caller: Caller, amendment_id: str, problem: str = "") -> HTMLResponse:
    with room.store.connect() as connection:
        found = show_amendment(room, connection, amendment_id)
    found["changes"] = mark_changes(found["changes"])
    own = found["proposer_actor"] == caller.expert.actor
    return page(room, caller, "law_amendment.html", amendment=found, parts=PARTS, own=own, problem=problem)


@router.post("/lead/amendments/{amendment_id}/vote")
async def vote(request: Request, room: TheRoom, amendment_id: AnId) -> Response:
    """Take the vote of the form, and show where it leaves the amendment."""
    caller, form = await _form(request, room)
    if not caller.expert.may("lead"):
        raise NotAllowed("leads vote on amendments", next_step="ask a lead")
    about = {
        "in_favour": form.get("choice") == "for",
        "override": form.get("override") == "yes",
        "reason": form.get("reason", ""),
    }
    try:
        await write(room, lambda c: cast_vote(room, c, amendment_id, caller.expert, **about))
    except UsageError as error:
        told = f"{error.cause}; {error.next_step}" if error.next_step else error.cause
        return await asyncio.to_thread(_amendment, room, caller, amendment_id, told)
    return RedirectResponse(f"/lead/amendments/{amendment_id}", 303)


@router.get("/lead/amendments/{amendment_id}/flips/{precedent_id}")
async def flip(room: TheRoom, caller: Lead, amendment_id: AnId, precedent_id: AnId) -> HTMLResponse:
    """One verdict that turned, beside the decided case."""
    found = await write(room, lambda c: show_flip(room, c, amendment_id, precedent_id, caller.expert))
    return page(room, caller, "law_flip.html", flip=found, parts=PARTS)


@router.get("/lead/principles")
def principles(room: TheRoom, caller: Lead) -> HTMLResponse:
    """How often each principle was cited, and won."""
    law, found = read_principles(room)
    return page(room, caller, "law_principles.html", law=law, principles=found)


@router.get("/law/propose/{review_id}")
def propose_page(room: TheRoom, caller: AnyExpert, review_id: AnId) -> HTMLResponse:
    """A form for a rule that a decision follows."""
    return _propose(room, caller, review_id, {})


def _propose(
    room: Room, caller: Caller, review_id: str, given: dict[str, str], problem: str = "", status: int = 200
) -> HTMLResponse:
    with room.store.connect() as connection:
        case = cited_case(connection, review_id, caller.expert)
    values = {"text": "", "reason": case.rationale, "name": "", "place": "last", **given}
    made = page(
        room,
        caller,
        "law_propose.html",
        case=case,
        review=review_id,
        given=values,
        problem=problem,
        suggested=name_rule(values["text"]),
    )
    made.status_code = status
    return made


@router.post("/law/propose/{review_id}")
async def propose(request: Request, room: TheRoom, review_id: AnId) -> Response:
    """Keep the rule as a draft."""
    caller, form = await _form(request, room)
    about: dict[str, Any] = {name: form.get(name, "") for name in ("text", "reason", "name")}
    about["first"] = form.get("place") == "first"
    try:
        made = await write(room, lambda c: propose_rule(room, c, review_id, caller.expert, **about))
    except UsageError as error:
        return await asyncio.to_thread(_propose, room, caller, review_id, form, error.cause, 422)
    if caller.expert.may("lead"):
        return RedirectResponse(f"/lead/amendments/{made.id}", 303)
    return page(room, caller, "law_proposed.html", amendment=made)


async def _form(request: Request, room: Room) -> tuple[Caller, dict[str, str]]:
    """Who sent a form of ours, and what it says."""
    caller = await session_caller(request, room)
    if caller is None:
        raise NotLoggedIn("you are not logged in", next_step="log in with your link or token")
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=12)
    form = {name: values[0] for name, values in fields.items()}
    check_csrf(room, caller.session, form.pop("csrf", ""))
    return caller, form
