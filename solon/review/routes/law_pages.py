"""Pages about law in the making: amendments with diff, impact, flips and vote; propose a rule from a decision."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from solon.errors import NotPending, SolonError, UsageError
from solon.lawmaking.rule_origins import rule_origins
from solon.review.auth import (
    AnyExpert,
    Caller,
    Lead,
    TheRoom,
    read_form,
)
from solon.review.lawmaking import (
    PARTS,
    ask_for_impact,
    ask_for_rejudging,
    cast_vote,
    cited_case,
    law_of_case,
    leave_rules_out,
    mark_changes,
    name_rule,
    propose_rule,
    propose_split,
    show_amendment,
    show_flip,
    show_rejudging,
)
from solon.review.rendering import page
from solon.review.reviewer import write
from solon.review.routes.law import read_principles
from solon.review.routes.queue import AnId
from solon.review.state import Room
from solon.store.lawmaking.amendments import list_amendments
from solon.store.reviewing.experts import list_experts

router = APIRouter(include_in_schema=False)
PARTS_OF_SPLIT = range(1, 5)


@router.get("/lead/amendments")
def amendments(room: TheRoom, caller: Lead) -> HTMLResponse:
    """The page that lists every amendment, the newest first."""
    with room.store.connect() as connection:
        rows = list_amendments(connection)
        names = {expert.actor: expert.name for expert in list_experts(connection)}
    return page(room, caller, "law_amendments.html", rows=rows, names=names)


@router.get("/lead/amendments/{amendment_id}")
def amendment(room: TheRoom, caller: Lead, amendment_id: AnId) -> HTMLResponse:
    """The page of one amendment: what it changes, what that would have done, and the vote."""
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
    caller, form = await read_form(request, room, "lead")
    about = {
        "in_favour": form.get("choice") == "for",
        "override": form.get("override") == "yes",
        "reason": form.get("reason", ""),
    }
    try:
        await write(room, lambda c: cast_vote(room, c, amendment_id, caller.expert, **about))
    except UsageError as error:
        return await asyncio.to_thread(_amendment, room, caller, amendment_id, _told(error))
    return RedirectResponse(f"/lead/amendments/{amendment_id}", 303)


@router.post("/lead/amendments/{amendment_id}/impact")
async def measure(request: Request, room: TheRoom, amendment_id: AnId) -> Response:
    """Begin a measurement within the limits of the form, and show the amendment."""
    lead, form = await read_form(request, room, "lead")
    try:
        limits = {"sample": _number(form, "sample", 200), **_limits(form)}
        await write(room, lambda c: ask_for_impact(room, c, amendment_id, lead.expert, **limits))
    except (UsageError, NotPending) as error:
        return await asyncio.to_thread(_amendment, room, lead, amendment_id, _told(error))
    room.jobs.wake()
    return RedirectResponse(f"/lead/amendments/{amendment_id}", 303)


@router.post("/lead/amendments/{amendment_id}/leave-out")
async def leave_out(request: Request, room: TheRoom, amendment_id: AnId) -> Response:
    """Propose a draft of rules again without those that the form marks, and show the new one."""
    lead, form = await read_form(request, room, "lead")
    names = [name.removeprefix("leave-") for name in form if name.startswith("leave-")]
    try:
        made = await write(room, lambda c: leave_rules_out(room, c, amendment_id, names))
    except UsageError as error:
        return await asyncio.to_thread(_amendment, room, lead, amendment_id, _told(error))
    return RedirectResponse(f"/lead/amendments/{made.id}", 303)


@router.get("/lead/rules")
def rules(room: TheRoom, caller: Lead) -> HTMLResponse:
    """The page of every rule that is or was law, and where each comes from."""
    with room.store.connect() as connection:
        origins = list(rule_origins(connection).values())
        names = {expert.actor: expert.name for expert in list_experts(connection)}
    return page(room, caller, "law_rules.html", rules=origins, names=names)


@router.get("/lead/rejudge")
def rejudging(room: TheRoom, caller: Lead) -> HTMLResponse:
    """The page of what new law may change, how judging it again stands, and a form to begin."""
    return _rejudging(room, caller)


def _rejudging(room: Room, caller: Caller, problem: str = "") -> HTMLResponse:
    return page(room, caller, "law_rejudge.html", **show_rejudging(room), problem=problem)


@router.post("/lead/rejudge")
async def rejudge(request: Request, room: TheRoom) -> Response:
    """Begin judging again within the limits of the form."""
    lead, form = await read_form(request, room, "lead")
    try:
        limits = _limits(form)
        await write(room, lambda c: ask_for_rejudging(room, c, lead.expert, **limits))
    except (UsageError, NotPending) as error:
        return await asyncio.to_thread(_rejudging, room, lead, _told(error))
    room.jobs.wake()
    return RedirectResponse("/lead/rejudge", 303)


def _limits(form: dict[str, str]) -> dict[str, Any]:
    cost = form.get("max_cost", "").strip()
    try:
        limit = float(cost) if cost else None
    except ValueError:
        limit = -1.0
    if limit is not None and not 0 <= limit < 1e9:
        raise UsageError(f"{cost[:20]!r} is no limit on cost", next_step="give a number, or nothing")
    return {"max_calls": _number(form, "max_calls", None), "max_cost": limit}


def _number(form: dict[str, str], name: str, default: int | None) -> int | None:
    given = form.get(name, "").strip()
    if not given:
        return default
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:12]) <= 10**9:
        raise UsageError(f"{name}: {given[:20]!r} is no number of one or more", next_step="give a number")
    return int(given)


def _told(error: SolonError) -> str:
    return f"{error.cause}; {error.next_step}" if error.next_step else error.cause


@router.get("/lead/amendments/{amendment_id}/flips/{precedent_id}")
async def flip(room: TheRoom, caller: Lead, amendment_id: AnId, precedent_id: AnId) -> HTMLResponse:
    """The page of one verdict that turned, beside the decided case."""
    found = await write(room, lambda c: show_flip(room, c, amendment_id, precedent_id, caller.expert))
    return page(room, caller, "law_flip.html", flip=found, parts=PARTS)


@router.get("/lead/principles")
def principles(room: TheRoom, caller: Lead) -> HTMLResponse:
    """The page of how often each principle was cited, and how often the side it was cited for won."""
    law, found = read_principles(room, waits=False)
    return page(room, caller, "law_principles.html", law=law, kept=found)


@router.get("/law/propose/{review_id}")
def propose_page(room: TheRoom, caller: AnyExpert, review_id: AnId) -> HTMLResponse:
    """The page with a form to propose a rule that a decision follows."""
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
    """Keep the rule of the form as a draft."""
    caller, form = await read_form(request, room)
    about: dict[str, Any] = {name: form.get(name, "") for name in ("text", "reason", "name")}
    about["first"] = form.get("place") == "first"
    try:
        made = await write(room, lambda c: propose_rule(room, c, review_id, caller.expert, **about))
    except UsageError as error:
        return await asyncio.to_thread(_propose, room, caller, review_id, form, error.cause, 422)
    if caller.expert.may("lead"):
        return RedirectResponse(f"/lead/amendments/{made.id}", 303)
    return page(room, caller, "law_proposed.html", amendment=made)


@router.get("/law/split/{review_id}")
def split_page(room: TheRoom, caller: AnyExpert, review_id: AnId) -> HTMLResponse:
    """The page with a form to divide a rule of the constitution that governs a decided case."""
    return _split(room, caller, review_id, {})


def _split(
    room: Room, caller: Caller, review_id: str, given: dict[str, str], problem: str = "", status: int = 200
) -> HTMLResponse:
    with room.store.connect() as connection:
        case = cited_case(connection, review_id, caller.expert)
        law = law_of_case(connection, case)
    cited = next((name for name in case.principles if name in law.document.ids()), "")
    empty = {f"{field}{n}": "" for field in ("text", "name") for n in PARTS_OF_SPLIT}
    values = {"principle": cited, "reason": case.rationale, **empty, **given}
    made = page(room, caller, "law_split.html", law=law, review=review_id, given=values, problem=problem)
    made.status_code = status
    return made


@router.post("/law/split/{review_id}")
async def split(request: Request, room: TheRoom, review_id: AnId) -> Response:
    """Keep the division of the form as a draft."""
    caller, form = await read_form(request, room)
    parts = [(form.get(f"text{n}", ""), form.get(f"name{n}", "")) for n in PARTS_OF_SPLIT]
    about: dict[str, Any] = {name: form.get(name, "") for name in ("principle", "reason")}
    try:
        made = await write(
            room, lambda c: propose_split(room, c, review_id, caller.expert, parts=parts, **about)
        )
    except UsageError as error:
        return await asyncio.to_thread(_split, room, caller, review_id, form, error.cause, 422)
    if caller.expert.may("lead"):
        return RedirectResponse(f"/lead/amendments/{made.id}", 303)
    return page(room, caller, "law_proposed.html", amendment=made)
