"""Endpoints and pages of adjudication: leads settle what reviewers differ in; reviewers see it and reply once."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
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
    spell_problem,
)
from solon.review.description import refusals
from solon.review.rendering import page
from solon.review.reviewer import note_shown
from solon.review.routes.queue import AnId
from solon.review.schemas.cases import CaseLine, CaseOut, MyOutcome, ReplyIn, RulingIn
from solon.review.schemas.queue import SettingsIn
from solon.review.state import Room
from solon.review.statistics import look_at_people
from solon.store.reviewing.adjudicating import CONTESTED, CaseFilters, count_left_for, find_case, next_case
from solon.store.reviewing.experts import list_experts
from solon.store.reviewing.proposals import list_proposals
from solon.store.runs.runs import recipes_of_runs

router = APIRouter(prefix="/api/v1", tags=["adjudication"])
mine = APIRouter(prefix="/api/v1", tags=["my queue"])
page_router = APIRouter(include_in_schema=False)
State = Literal["open", "decided", "contested", "withdrawn", "all"]
Short = Annotated[str, Query(max_length=200)]
Settled = Annotated[str, Query(max_length=64, pattern=r"^\w*$")]


def read_filters(
    text: Short = "", recipe: Short = "", reason: Short = "", reviewer: Short = ""
) -> CaseFilters:
    """Return the filters of a list of disagreements as they stand in an address; `reviewer` is a person's id."""
    given = {"text": text, "recipe": recipe, "reason": reason}
    named: dict[str, str | None] = {name: value.strip() or None for name, value in given.items()}
    return CaseFilters(**named, reviewer=f"expert:{reviewer.strip()}" if reviewer.strip() else None)


NAMES = tuple(CaseFilters.__dataclass_fields__)
Filtered = Annotated[CaseFilters, Depends(read_filters)]


@router.get("/adjudications")
async def list_adjudications(
    room: TheRoom, caller: Lead, filters: Filtered, state: State = "open"
) -> list[CaseLine]:
    """Questions to which reviewers gave different answers, the oldest first. A filter by reviewer finds settled ones
    only; one by reason tells something of the panel, which is recorded."""
    return await _listed(room, caller, state, filters)


async def _listed(room: Room, caller: Caller, state: str, filters: CaseFilters) -> list[CaseLine]:
    def read() -> list[CaseLine]:
        with room.store.connect() as connection:
            return case_lines(connection, caller.expert, None if state == "all" else state, filters)

    lines = await asyncio.to_thread(read)
    if filters.reason is not None:
        await note_shown(room, caller, [{"item_id": line.item} for line in lines], why=True)
    return lines


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
async def cases_page(
    request: Request,
    room: TheRoom,
    caller: Lead,
    filters: Filtered,
    state: State = "open",
    settled: Settled = "",
) -> HTMLResponse:
    """The page that lists disagreements in a state; `settled` is the one that was settled just now."""
    cases = await _listed(room, caller, state, filters)
    with room.store.connect() as connection:
        about: dict[str, Any] = {
            "first": next_case(connection, caller.expert.actor, filters),
            "recipes": recipes_of_runs(connection),
            "people": list_experts(connection),
            "asked": {name: request.query_params.get(name, "") for name in NAMES},
            "kept": _address(request),
            "settled": settled,
        }
    return page(room, caller, "lead_cases.html", cases=cases, state=state, **about)


@page_router.get("/lead/adjudications/{case_id}")
async def case_page(
    request: Request, room: TheRoom, caller: Lead, case_id: AnId, filters: Filtered, settled: Settled = ""
) -> HTMLResponse:
    """The page of one case, with the form that settles it; `settled` is the one that was settled just now."""
    return await _case(request, room, caller, case_id, filters, settled=settled)


async def _case(
    request: Request, room: Room, caller: Caller, case_id: str, filters: CaseFilters, **about: Any
) -> HTMLResponse:
    case = await open_case(room, caller, case_id)
    if filters.reason is not None:  # that it was found by it tells something of the panel
        await note_shown(room, caller, [{"item_id": case.item}], why=True)
    with room.store.connect() as connection:
        here = find_case(connection, case_id)
        following = next_case(connection, caller.expert.actor, filters, here)
        left = count_left_for(connection, caller.expert.actor, filters)
    values = {"problem": "", "given": {}, "settled": "", "agreed": agreed_fields(case), **about}
    yours = here.number(caller.expert.actor) is not None
    values |= {"yours": yours, "following": following, "left": left, "kept": _address(request)}
    values["settings"] = SettingsIn.model_validate(caller.expert.settings)
    return page(room, caller, "lead_case.html", case=case, **values)


def _address(request: Request, **more: str) -> str:
    """The filters of a request as the query of another address, with what else shall stand there."""
    given = {
        name: value for name, value in request.query_params.items() if name in (*NAMES, "state") and value
    }
    return urlencode(given | more)


@page_router.post("/lead/adjudications/{case_id}")
async def settle_page(request: Request, room: TheRoom, case_id: AnId, filters: Filtered) -> Response:
    """Settle a case as the form says, and go on to the next one; what cannot be taken is shown with the form as it
    was."""
    caller, form = await read_form(request, room, "lead")
    choice, _, candidate = form.get("choice", "").partition(":")
    case = await open_case(room, caller, case_id)
    try:
        ruling = RulingIn(
            choice=choice,
            candidate=candidate or None,
            principle=form.get("principle") or None,
            reason=form.get("reason", ""),
            fields=None if choice == CONTESTED else read_form_fields(case, form),
        )
        await settle(room, caller, case_id, ruling)
    except (ReviewError, ValidationError) as error:
        told = spell_problem(case, error) if isinstance(error, ReviewError) else "the sentence is too long"
        return await _case(request, room, caller, case_id, filters, problem=told, given=form)
    with room.store.connect() as connection:
        settled = find_case(connection, case_id)
        following = next_case(connection, caller.expert.actor, filters, settled)
    place = f"/{following}" if following else ""
    return RedirectResponse(f"/lead/adjudications{place}?{_address(request, settled=case_id)}", 303)


@page_router.get("/outcomes")
def outcomes_page(room: TheRoom, caller: AnyExpert) -> HTMLResponse:
    """The page of what came of the caller's own answers."""
    with room.store.connect() as connection:
        outcomes = my_outcomes(connection, caller.expert)
        found = look_at_people(room, connection, caller.expert)
        proposed = list_proposals(connection, None, actor=caller.expert.actor)
    return page(room, caller, "outcomes.html", outcomes=outcomes, kept=found, proposed=proposed)


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
