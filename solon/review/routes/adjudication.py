"""Endpoints and pages of adjudication: leads settle what reviewers differ in; reviewers see it and reply once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from solon.errors import InvalidDecision, ReviewError
from solon.review.auth import AnyExpert, Caller, Lead, TheRoom, read_form
from solon.review.cases import (
    agreed_fields,
    answer_outcome,
    case_lines,
    my_outcomes,
    open_case,
    read_form_fields,
    settle,
)
from solon.review.description import refusals
from solon.review.rendering import page
from solon.review.routes.queue import AnId
from solon.review.schemas.cases import CaseLine, CaseOut, MyOutcome, ReplyIn, RulingIn
from solon.review.state import Room
from solon.review.statistics import statistics
from solon.store.reviewing.adjudicating import CONTESTED
from solon.store.reviewing.proposals import list_proposals

router = APIRouter(prefix="/api/v1", tags=["adjudication"])
mine = APIRouter(prefix="/api/v1", tags=["my queue"])
page_router = APIRouter(include_in_schema=False)
State = Literal["open", "decided", "contested", "withdrawn", "all"]


@router.get("/adjudications")
def list_adjudications(room: TheRoom, caller: Lead, state: State = "open") -> list[CaseLine]:
    """Questions to which reviewers gave different answers, the oldest first."""
    with room.store.connect() as connection:
        return case_lines(connection, caller.expert, None if state == "all" else state)


@router.get("/adjudications/{case_id}")
async def show_adjudication(room: TheRoom, caller: Lead, case_id: AnId) -> CaseOut:
    """Both answers with their rationales, side by side; reviewers have numbers until it is settled."""
    return await open_case(room, caller, case_id)


@router.post("/adjudications/{case_id}/decision", responses=refusals(409))
async def decide_adjudication(room: TheRoom, caller: Lead, case_id: AnId, ruling: RulingIn) -> CaseOut:
    """Settle it. Only a lead who gave none of the answers may; `contested` keeps it with a soft label."""
    return await settle(room, caller, case_id, ruling)


@mine.get("/me/outcomes", operation_id="my_outcomes")
def list_outcomes(room: TheRoom, caller: AnyExpert) -> list[MyOutcome]:
    """What a lead settled about the caller's own answers, the newest first."""
    with room.store.connect() as connection:
        return my_outcomes(connection, caller.expert)


@mine.post("/me/outcomes/{case_id}/reply", responses=refusals(409))
async def reply_to_outcome(room: TheRoom, caller: AnyExpert, case_id: AnId, given: ReplyIn) -> MyOutcome:
    """Accept the outcome or maintain the answer, once. A maintained answer leaves the question contested."""
    return await answer_outcome(room, caller, case_id, given)


@page_router.get("/lead/adjudications")
def cases_page(room: TheRoom, caller: Lead, state: State = "open") -> HTMLResponse:
    """The page that lists disagreements in a state."""
    with room.store.connect() as connection:
        cases = case_lines(connection, caller.expert, None if state == "all" else state)
    return page(room, caller, "lead_cases.html", cases=cases, state=state)


@page_router.get("/lead/adjudications/{case_id}")
async def case_page(
    room: TheRoom, caller: Lead, case_id: AnId, problem: Annotated[str, Query(max_length=300)] = ""
) -> HTMLResponse:
    """The page of one case, with the form that settles it."""
    case = await open_case(room, caller, case_id)
    yours = any(line.yours for line in _lines(room, caller) if line.id == case_id)
    return _case_page(room, caller, case, yours=yours, problem=problem)


def _case_page(
    room: Room,
    caller: Caller,
    case: CaseOut,
    *,
    yours: bool = False,
    problem: str = "",
    given: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """The page of a case, its form filled in as `given`."""
    agreed = agreed_fields(case)
    return page(
        room,
        caller,
        "lead_case.html",
        case=case,
        yours=yours,
        problem=problem,
        given=given or {},
        agreed=agreed,
    )


def _lines(room: Room, caller: Caller) -> list[CaseLine]:
    with room.store.connect() as connection:
        return case_lines(connection, caller.expert, "open")


@page_router.post("/lead/adjudications/{case_id}")
async def settle_page(request: Request, room: TheRoom, case_id: AnId) -> Response:
    """Settle a case as the form says, and show it; what cannot be taken is shown with the form as it was."""
    caller, form = await read_form(request, room, "lead")
    choice, _, candidate = form.get("choice", "").partition(":")
    try:
        case = await open_case(room, caller, case_id)
        ruling = RulingIn(
            choice=choice,
            candidate=candidate or None,
            principle=form.get("principle") or None,
            reason=form.get("reason", ""),
            fields=None if choice == CONTESTED else read_form_fields(case, form),
        )
        await settle(room, caller, case_id, ruling)
    except (ReviewError, ValidationError) as error:
        told = error.cause if isinstance(error, ReviewError) else "the sentence is too long"
        case = await open_case(room, caller, case_id)
        return _case_page(room, caller, case, problem=told, given=form)
    return RedirectResponse(f"/lead/adjudications/{case_id}", 303)


@page_router.get("/outcomes")
def outcomes_page(room: TheRoom, caller: AnyExpert) -> HTMLResponse:
    """The page of what came of the caller's own answers."""
    with room.store.connect() as connection:
        outcomes = my_outcomes(connection, caller.expert)
        me = statistics(room, connection, caller.expert).me
        proposed = list_proposals(connection, None, actor=caller.expert.actor)
    return page(room, caller, "outcomes.html", outcomes=outcomes, me=me, proposed=proposed)


@page_router.post("/outcomes/{case_id}")
async def reply_page(request: Request, room: TheRoom, case_id: AnId) -> Response:
    """Store the form's reply to an outcome, and go back to the list."""
    caller, form = await read_form(request, room)
    stance = form.get("stance", "")
    if stance not in ("accepts", "maintains"):
        raise InvalidDecision("stance: choose one of the two", next_step="go back")
    given = ReplyIn(
        stance="maintains" if stance == "maintains" else "accepts", words=form.get("words", "")[:2000]
    )
    await answer_outcome(room, caller, case_id, given)
    return RedirectResponse("/outcomes", 303)
