"""Endpoints of a lead's desk: bulk decisions, similar items, proposals, exports as jobs, webhook deliveries."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse

from solon.review.auth import Lead, TheRoom
from solon.review.description import gives, refusals
from solon.review.desk import begin_job, decide_fitting, draft_proposal, read_proposals, too_few_people
from solon.review.reviewer import write
from solon.review.routes.queue import AnId
from solon.review.schemas.desk import (
    BulkIn,
    BulkOut,
    ExportIn,
    ExportResult,
    HookOut,
    JobOut,
    ProposalIn,
    ProposalOut,
    SimilarOut,
    TakenUp,
    TakeUpIn,
    TooFewOut,
)
from solon.review.state import Room
from solon.store.database.audit_log import append
from solon.store.reviewing.hooks import list_hooks
from solon.store.reviewing.jobs import JobRow, find_job, list_jobs
from solon.store.reviewing.proposals import ProposalRow, set_proposal
from solon.store.reviewing.review_rows import NotThere, find_review

router = APIRouter(prefix="/api/v1", tags=["leads"])
jobs = APIRouter(prefix="/api/v1", tags=["exports"])
log = APIRouter(prefix="/api/v1", tags=["log"])


@router.post("/reviews/bulk-decision", responses=refusals(409))
async def decide_many(room: TheRoom, caller: Lead, given: BulkIn) -> BulkOut:
    """Give one answer to all reviews that fit. Ask without `expected` first: that only counts.

    Never on audits, golden or overlapped questions or random samples, nor on what someone holds or has begun.
    """
    return await decide_fitting(room, caller, given)


@router.get("/reviews/{review_id}/similar")
async def similar_items(room: TheRoom, caller: Lead, review_id: AnId) -> list[SimilarOut]:
    """Decided items that resemble this one's request. Reading them is recorded."""

    def look() -> list[dict[str, Any]]:
        with room.store.connect() as connection:
            review = find_review(connection, review_id)
            return room.similar.find(connection, review.item_id, review.recipe)

    found = await asyncio.to_thread(look)
    told = {"items": [one["item"] for one in found]}
    await write(room, lambda c: append(room.store, c, caller.expert.actor, "similar.read", review_id, told))
    return [SimilarOut(**one) for one in found]


@router.get("/queue/too-few")
def too_few(room: TheRoom, _caller: Lead) -> list[TooFewOut]:
    """Waiting reviews that fewer people can answer than are asked, two at least: by their languages and, where the
    queue requires these (`match`), by their fields."""
    with room.store.connect() as connection:
        return [TooFewOut(**one) for one in too_few_people(room, connection)]


def _proposal(row: ProposalRow) -> ProposalOut:
    return ProposalOut(
        id=row.id,
        review=row.review_id,
        item=row.item_id,
        state=row.state,
        text=row.text,
        reason=row.reason,
        amendment=row.amendment_id,
        created_at=row.created_at,
        closed_at=row.closed_at,
    )


@router.get("/proposals", operation_id="list_proposals")
async def proposals(
    room: TheRoom, caller: Lead, state: Literal["open", "taken", "declined"] = "open"
) -> list[ProposalOut]:
    """Principles that reviewers proposed with their answers, the oldest first. Reading them is recorded."""
    return [_proposal(row) for row in await read_proposals(room, caller, state)]


@router.post("/proposals/{proposal_id}")
async def mark_proposal(room: TheRoom, caller: Lead, proposal_id: AnId, given: ProposalIn) -> ProposalIn:
    """Note that a proposal was taken up or declined."""
    actor = caller.expert.actor
    await write(
        room, lambda c: set_proposal(room.store, c, proposal_id, given.state, actor, reason=given.reason)
    )
    return given


@router.post(
    "/proposals/{proposal_id}/draft",
    operation_id="take_up_proposal",
    status_code=201,
    responses=refusals(409),
)
async def take_proposal(room: TheRoom, caller: Lead, proposal_id: AnId, given: TakeUpIn) -> TakenUp:
    """Take a proposal up: an amendment is drafted with it, resting on the decision that it came with."""
    made = await write(room, lambda c: draft_proposal(room, c, caller, proposal_id, given))
    return TakenUp(amendment=made.id, version=made.document.version, warnings=list(made.warnings))


def job_out(room: Room, row: JobRow) -> JobOut:
    """Return an export's job as the API shows it."""
    asked = ExportIn(**{name: row.asked[name] for name in ExportIn.model_fields if name in row.asked})
    return JobOut(
        id=row.id,
        state=row.state,
        asked=asked,
        result=ExportResult(**row.result) if row.result else None,
        problem=row.problem,
        created_at=row.created_at,
        finished_at=row.finished_at,
        bytes_so_far=room.jobs.written(row),
    )


@jobs.post("/exports", status_code=202)
async def begin_export(room: TheRoom, caller: Lead, given: ExportIn) -> JobOut:
    """Begin an export; ask for the job until it is done."""
    return job_out(room, await begin_job(room, caller, given))


@jobs.get("/exports", operation_id="list_exports")
def exports(room: TheRoom, _caller: Lead) -> list[JobOut]:
    """Exports that were asked for, the newest first."""
    with room.store.connect() as connection:
        return [job_out(room, row) for row in list_jobs(connection, "export")]


@jobs.get("/exports/{job_id}")
def show_export(room: TheRoom, _caller: Lead, job_id: AnId) -> JobOut:
    """One export."""
    with room.store.connect() as connection:
        return job_out(room, find_job(connection, job_id))


@jobs.get(
    "/exports/{job_id}/files/{place}",
    response_class=FileResponse,
    responses=gives("application/octet-stream"),
)
async def export_file(
    room: TheRoom, caller: Lead, job_id: AnId, place: Annotated[int, Path(ge=0, le=99)]
) -> FileResponse:
    """A file of an export that is done."""
    with room.store.connect() as connection:
        job = find_job(connection, job_id)
    path = room.jobs.file(job, place)
    if path is None:
        raise NotThere("this file is not there (any more)", next_step="begin the export again")
    await write(room, lambda c: append(room.store, c, caller.expert.actor, "export.read", job_id))
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


@log.get("/webhook-deliveries")
def webhook_deliveries(room: TheRoom, _caller: Lead) -> list[HookOut]:
    """Events on their way to webhooks, the newest first."""
    with room.store.connect() as connection:
        rows = list_hooks(connection)
    keys = [name for name in HookOut.model_fields if name != "host"]
    return [
        HookOut(**{name: row[name] for name in keys}, host=urlsplit(row["hook"]).hostname or "")
        for row in rows
    ]
