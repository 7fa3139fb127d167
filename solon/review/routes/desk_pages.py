"""Pages of a lead's desk: proposed principles, one answer to many reviews, exports."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from solon.errors import InvalidDecision, ReviewError, UsageError
from solon.formats.exports import FORMATS
from solon.review.auth import Caller, Lead, TheRoom, read_form
from solon.review.desk import begin_job as queue_export
from solon.review.desk import (
    bulk_filters,
    count_fitting,
    decide_fitting,
    draft_proposal,
    preview_export,
    read_proposals,
)
from solon.review.rendering import page
from solon.review.reviewer import note_shown, write
from solon.review.routes.desk import job_out
from solon.review.routes.queue import AnId
from solon.review.schemas.desk import BulkIn, ExportIn, TakeUpIn
from solon.review.state import Room
from solon.store.reviewing.bulk import BARE, LEFT_OUT
from solon.store.reviewing.experts import list_experts
from solon.store.reviewing.jobs import list_jobs
from solon.store.reviewing.proposals import ProposalRow, set_proposal
from solon.store.reviewing.review_lists import list_filtered
from solon.store.runs.runs import all_runs

router = APIRouter(include_in_schema=False)
State = Literal["open", "taken", "declined"]
SAMPLE = 10
"""Reviews that the page shows before it asks to confirm."""
PREVIEW_TEXT = 300
"""Characters of each text of a row that the preview of an export shows."""
BREAKS = {"n": "\n", "t": "\t"}
EMPTY: Mapping[str, str] = {}


@router.get("/lead/proposals")
async def proposals_page(room: TheRoom, caller: Lead, state: State = "open") -> HTMLResponse:
    """The page of principles that reviewers proposed."""
    rows = await read_proposals(room, caller, state)
    return await asyncio.to_thread(_proposals, room, caller, rows, state)


def _proposals(
    room: Room,
    caller: Caller,
    rows: list[ProposalRow],
    state: str,
    *,
    at: str = "",
    given: dict[str, str] | None = None,
    problem: str = "",
) -> HTMLResponse:
    with room.store.connect() as connection:
        names = {expert.actor: expert.name for expert in list_experts(connection)}
    told = {"at": at, "given": given or {}, "problem": problem}
    made = page(room, caller, "lead_proposals.html", rows=rows, names=names, state=state, **told)
    made.status_code = 422 if problem else 200
    return made


@router.post("/lead/proposals/{proposal_id}/draft")
async def draft_page(request: Request, room: TheRoom, proposal_id: AnId) -> Response:
    """Take a proposal up as the form says, and go on to the page of the amendment that is drafted."""
    caller, form = await read_form(request, room, "lead")
    values: dict[str, Any] = {name: form.get(name, "") for name in ("text", "reason", "name")}
    try:
        given = TakeUpIn(**values, first=form.get("place") == "first")
        made = await write(room, lambda c: draft_proposal(room, c, caller, proposal_id, given))
    except (ReviewError, UsageError, ValidationError) as error:
        return await _refused(room, caller, proposal_id, form, error)
    return RedirectResponse(f"/lead/amendments/{made.id}", 303)


@router.post("/lead/proposals/{proposal_id}/decline")
async def decline_page(request: Request, room: TheRoom, proposal_id: AnId) -> Response:
    """Decline a proposal; its author reads why."""
    caller, form = await read_form(request, room, "lead")
    why = form.get("why", "").strip()[:2000]
    actor = caller.expert.actor
    try:
        if not why:
            raise InvalidDecision("why: say in a sentence why not", next_step="its author reads it")
        await write(room, lambda c: set_proposal(room.store, c, proposal_id, "declined", actor, reason=why))
    except ReviewError as error:
        return await _refused(room, caller, proposal_id, form, error)
    return RedirectResponse("/lead/proposals", 303)


async def _refused(
    room: Room, caller: Caller, proposal_id: str, form: dict[str, str], error: Exception
) -> HTMLResponse:
    told = _told(error)
    rows = await read_proposals(room, caller, "open")
    about: dict[str, Any] = {"at": proposal_id, "given": form, "problem": told}
    return await asyncio.to_thread(_proposals, room, caller, rows, "open", **about)


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    if isinstance(error, ReviewError | UsageError):
        return f"{error.cause}; {error.next_step}" if error.next_step else error.cause
    return str(error)


@router.get("/lead/bulk")
def bulk_page(room: TheRoom, caller: Lead) -> HTMLResponse:
    """The page with the form that asks which reviews get which one answer."""
    return _bulk(room, caller, {})


@router.post("/lead/bulk")
async def bulk_form(request: Request, room: TheRoom) -> Response:
    """Count the reviews that fit, or decide them all where the form confirms the number that was shown."""
    caller, form = await read_form(request, room, "lead")
    try:
        given = _bulk_in(form)
        if given.expected is None:
            found = await asyncio.to_thread(count_fitting, room, given)
            shown = await asyncio.to_thread(_sample, room, given, set(found.ids))
            await note_shown(room, caller, shown, why=bulk_filters(given).tells_why)
            return await asyncio.to_thread(_bulk, room, caller, form, found=found, shown=shown)
        done = await decide_fitting(room, caller, given)
    except (ReviewError, UsageError, ValidationError) as error:
        again = {name: value for name, value in form.items() if name != "expected"}
        return await asyncio.to_thread(_bulk, room, caller, again, problem=_told(error))
    return await asyncio.to_thread(_bulk, room, caller, form, done=done)


def _bulk_in(form: dict[str, str]) -> BulkIn:
    names = [name for name in BulkIn.model_fields if form.get(name, "").strip()]
    return BulkIn.model_validate({name: form[name].strip() for name in names})


def _sample(room: Room, given: BulkIn, ids: set[str]) -> list[dict[str, Any]]:
    """The oldest that fit, as the queue shows them."""
    with room.store.connect() as connection:
        rows, _ = list_filtered(connection, bulk_filters(given), cursor=None, limit=20 * SAMPLE)
    return [row for row in rows if row["id"] in ids][:SAMPLE]


def _bulk(room: Room, caller: Caller, form: dict[str, str], **told: Any) -> HTMLResponse:
    values = {"found": None, "shown": (), "done": None, "problem": "", **told}
    with room.store.connect() as connection:
        runs = all_runs(connection)
    made = page(room, caller, "lead_bulk.html", asked=form, runs=runs, choices=BARE, why=LEFT_OUT, **values)
    made.status_code = 422 if values["problem"] else 200
    return made


@router.get("/lead/exports")
def exports_page(room: TheRoom, caller: Lead) -> HTMLResponse:
    """The page of exports that were asked for, with a form for another."""
    return _exports(room, caller)


def _exports(
    room: Room,
    caller: Caller,
    problem: str = "",
    *,
    asked: Mapping[str, str] = EMPTY,
    preview: list[dict[str, Any]] | None = None,
) -> HTMLResponse:
    with room.store.connect() as connection:
        rows = list_jobs(connection, "export")
        runs = all_runs(connection)
        names = {expert.actor: expert.name for expert in list_experts(connection)}
    jobs = []
    for row in rows:
        job = job_out(room, row)
        files = job.result.files if job.result is not None else []
        there = [room.jobs.file(row, place) is not None for place in range(len(files))]
        jobs.append({"job": job, "by": names.get(row.actor, row.actor), "there": there})
    values = {
        "jobs": jobs,
        "runs": runs,
        "formats": {name: FORMATS[name].about for name in sorted(FORMATS)},
        "problem": problem,
    }
    shown = None if preview is None else [_shown(row) for row in preview]
    made = page(room, caller, "lead_exports.html", asked=asked, preview=shown, **values)
    made.status_code = 422 if problem else 200
    return made


def _shown(row: dict[str, Any]) -> str:
    """A row as JSON, in which the lines of its texts are broken, as a person reads them."""
    spelled = json.dumps(_shortened(row), indent=2, ensure_ascii=False)
    return re.sub(r"\\(.)", lambda escape: BREAKS.get(escape[1], escape[0]), spelled)


def _shortened(value: Any) -> Any:
    """A row as a preview shows it: of long texts the beginning."""
    if isinstance(value, dict):
        return {name: _shortened(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_shortened(part) for part in value]
    long = isinstance(value, str) and len(value) > PREVIEW_TEXT
    return f"{value[: PREVIEW_TEXT - 3]}..." if long else value


@router.post("/lead/exports")
async def begin_page(request: Request, room: TheRoom) -> Response:
    """Begin an export, or show the first rows that it would write."""
    caller, form = await read_form(request, room, "lead")
    try:
        given = ExportIn(
            format=form.get("format", ""),
            run=None if form.get("run") == "*" else form.get("run") or None,
            all_runs=form.get("run") == "*",
            recipe=form.get("recipe") or None,
            certified_only=form.get("certified_only") == "yes",
        )
        if form.get("step") == "preview":
            rows = await preview_export(room, caller, given)
            return await asyncio.to_thread(_exports, room, caller, asked=form, preview=rows)
        await queue_export(room, caller, given)
    except (ReviewError, UsageError, ValidationError) as error:
        return await asyncio.to_thread(_exports, room, caller, _told(error), asked=form)
    return RedirectResponse("/lead/exports", 303)
