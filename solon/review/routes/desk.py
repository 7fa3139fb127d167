"""Endpoints of a lead's desk: bulk decisions, similar items, proposals, exports as jobs, webhook deliveries."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse

from solon.errors import NotPending
from solon.formats.exports import find_format
from solon.review.auth import Lead, TheRoom
from solon.review.desk_schemas import (
    BulkIn,
    BulkOut,
    ExportIn,
    ExportResult,
    HookOut,
    JobOut,
    ProposalIn,
    ProposalOut,
    SimilarOut,
    TooFewOut,
)
from solon.review.routes.queue import ANSWERS, AnId
from solon.review.serving import write
from solon.store.audit_log import append
from solon.store.bulk import bulk_decide, bulk_ids, count_too_few
from solon.store.experts import list_experts
from solon.store.hooks import list_hooks
from solon.store.jobs import JobRow, add_job, find_job, list_jobs
from solon.store.proposals import ProposalRow, list_proposals, set_proposal
from solon.store.review_lists import Filters
from solon.store.reviews import NotThere, find_review
from solon.store.runs import find_run

router = APIRouter(prefix="/api/v1", tags=["leads"], responses=ANSWERS)
CHUNK = 20
"""Decisions in one transaction: no other writer waits long."""


@router.post("/reviews/bulk-decision")
async def decide_many(room: TheRoom, caller: Lead, given: BulkIn) -> BulkOut:
    """Give one answer to all reviews that fit. Ask without `expected` first: that only counts.

    Never on audits, golden or overlapped questions or random samples, nor on what someone holds or has begun.
    """
    filters = Filters(
        status="waiting",
        reason=given.reason,
        recipe=given.recipe,
        run=given.run,
        judge=given.judge,
        text=given.text,
        min_margin=given.min_margin,
        max_margin=given.max_margin,
    )
    with room.store.connect() as connection:
        ids = bulk_ids(connection, filters, given.choice)
    if given.expected is None:
        return BulkOut(dry_run=True, fitting=len(ids), decided=0)
    if given.expected != len(ids):
        raise NotPending(
            f"{len(ids)} reviews fit now, not {given.expected}; nothing was changed", next_step="count again"
        )
    expert, decided = caller.expert, 0
    answer = {"choice": given.choice, "rationale": given.rationale}
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        decided += await write(room, lambda c, some=part: bulk_decide(room.store, c, expert, some, answer))  # type: ignore[misc]
    detail = {"choice": given.choice, "fitting": len(ids), "decided": decided}
    await write(room, lambda c: append(room.store, c, expert.actor, "reviews.bulk", "", detail))
    if room.worker is not None:
        room.worker.wake()
    return BulkOut(dry_run=False, fitting=len(ids), decided=decided)


@router.get("/reviews/{review_id}/similar")
def similar_items(room: TheRoom, _caller: Lead, review_id: AnId) -> list[SimilarOut]:
    """Decided items that resemble this one's request."""
    with room.store.connect() as connection:
        review = find_review(connection, review_id)
        found = room.similar.find(connection, review.item_id, review.recipe)
    return [SimilarOut(**one) for one in found]


@router.get("/queue/too-few")
def too_few(room: TheRoom, _caller: Lead) -> list[TooFewOut]:
    """Waiting reviews that fewer than two people can answer by their fields and languages."""
    with room.store.connect() as connection:
        people = [(one.specialties, one.languages) for one in list_experts(connection, revoked=False)]
        return [TooFewOut(**one) for one in count_too_few(connection, people)]


def _proposal(row: ProposalRow) -> ProposalOut:
    return ProposalOut(
        id=row.id,
        review=row.review_id,
        item=row.item_id,
        state=row.state,
        text=row.text,
        created_at=row.created_at,
    )


@router.get("/proposals")
def proposals(
    room: TheRoom, _caller: Lead, state: Literal["open", "taken", "declined"] = "open"
) -> list[ProposalOut]:
    """Principles that reviewers proposed with their answers, the oldest first."""
    with room.store.connect() as connection:
        return [_proposal(row) for row in list_proposals(connection, state)]


@router.post("/proposals/{proposal_id}")
async def mark_proposal(room: TheRoom, caller: Lead, proposal_id: AnId, given: ProposalIn) -> ProposalIn:
    """Note that a proposal was taken up or declined."""
    actor = caller.expert.actor
    await write(room, lambda c: set_proposal(room.store, c, proposal_id, given.state, actor))
    return given


def _job(row: JobRow) -> JobOut:
    asked = ExportIn(**{name: row.asked.get(name) for name in ExportIn.model_fields})
    return JobOut(
        id=row.id,
        state=row.state,
        asked=asked,
        result=ExportResult(**row.result) if row.result else None,
        problem=row.problem,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


@router.post("/exports", status_code=202)
async def begin_export(room: TheRoom, caller: Lead, given: ExportIn) -> JobOut:
    """Begin an export; ask for the job until it is done."""
    find_format(given.format)
    with room.store.connect() as connection:
        run_id = find_run(connection, given.run).id if given.run else None
    asked: dict[str, Any] = {**given.model_dump(), "run": run_id, "name": f"{given.format}.jsonl"}

    def add(connection: Any) -> JobRow:
        job_id = add_job(connection, "export", caller.expert.actor, asked)
        append(room.store, connection, caller.expert.actor, "export.asked", job_id, {"format": given.format})
        return find_job(connection, job_id)

    job = await write(room, add)
    room.jobs.wake()
    return _job(job)


@router.get("/exports")
def exports(room: TheRoom, _caller: Lead) -> list[JobOut]:
    """Exports that were asked for, the newest first."""
    with room.store.connect() as connection:
        return [_job(row) for row in list_jobs(connection, "export")]


@router.get("/exports/{job_id}")
def show_export(room: TheRoom, _caller: Lead, job_id: AnId) -> JobOut:
    """One export."""
    with room.store.connect() as connection:
        return _job(find_job(connection, job_id))


@router.get("/exports/{job_id}/files/{place}", response_class=FileResponse)
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


@router.get("/webhook-deliveries")
def webhook_deliveries(room: TheRoom, _caller: Lead) -> list[HookOut]:
    """Events on their way to webhooks, the newest first."""
    with room.store.connect() as connection:
        rows = list_hooks(connection)
    keys = [name for name in HookOut.model_fields if name != "host"]
    return [
        HookOut(**{name: row[name] for name in keys}, host=urlsplit(row["hook"]).hostname or "")
        for row in rows
    ]
