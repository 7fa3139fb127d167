"""Endpoints for leads and admins: the filtered queue, an item's lineage, figures, law, people, the audit log."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from solon.law import documents
from solon.review.auth import Admin, AnyExpert, Lead, TheRoom, language_of
from solon.review.reviewer import note_shown, write
from solon.review.routes.queue import AnId
from solon.review.schemas.lineage import Lineage
from solon.review.schemas.queue import (
    AuditCheck,
    AuditOut,
    AuditPage,
    ChangeOut,
    ExpertIn,
    ExpertOut,
    LawOut,
    ReviewOut,
    ReviewPage,
    Statistics,
)
from solon.review.state import Room
from solon.review.statistics import statistics
from solon.store.database.audit_log import append, list_entries, verify
from solon.store.reviewing.experts import ExpertRow, add_expert, list_experts, rotate_token
from solon.store.reviewing.reading import law_rows
from solon.store.reviewing.review_lists import LOOKED_THROUGH, Filters, list_filtered
from solon.store.reviewing.review_rows import NotThere, find_review
from solon.store.reviewing.sessions import make_login_link, revoke_expert

router = APIRouter(prefix="/api/v1", tags=["leads"])
law = APIRouter(prefix="/api/v1", tags=["law"])
log = APIRouter(prefix="/api/v1", tags=["log"])
mine = APIRouter(prefix="/api/v1", tags=["my queue"])
people = APIRouter(prefix="/api/v1", tags=["people"])
Limit = Annotated[int, Query(ge=1, le=200)]
Short = Annotated[str | None, Query(max_length=200, pattern=r"\S")]


@router.get("/reviews")
async def list_reviews(
    room: TheRoom,
    caller: Lead,
    status: Literal["opening", "held", "waiting", "decided", "withdrawn", "all", "any"] = "waiting",
    reason: Short = None,
    recipe: Short = None,
    run: Short = None,
    judge: Short = None,
    kind: Short = None,
    constitution: Short = None,
    min_margin: float | None = None,
    max_margin: float | None = None,
    escalated: bool | None = None,
    text: Short = None,
    cursor: Short = None,
    limit: Limit = 50,
) -> ReviewPage:
    """Reviews by age, filtered; `cursor` of one page continues with the next, in a stable order. Of every state are
    those of `status=any`, or `all`, as the page's address has it.

    A page that searches (`text`, `reason`, `judge`, `constitution`) ends after 5,000 reviews: it may have fewer than
    `limit`, or none, and a `cursor` all the same.
    It tells why each is here, and that is recorded: a later answer of the reader's to one of them is no blind evidence.
    """
    state = None if status in ("all", "any") else status
    filters = Filters(
        state, reason, recipe, run, judge, kind, constitution, min_margin, max_margin, escalated, text
    )
    rows, following = await asyncio.to_thread(list_page, room, filters, cursor, limit)
    await note_shown(room, caller, rows, why=True)
    keys = ReviewOut.model_fields
    return ReviewPage(
        reviews=[ReviewOut(**{key: row[key] for key in keys}) for row in rows], cursor=following
    )


def list_page(
    room: Room, filters: Filters, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of the filtered list of reviews, and the cursor of the next page; None at the end."""
    with room.store.connect() as connection:
        return list_filtered(connection, filters, cursor=cursor, limit=limit, most=LOOKED_THROUGH)


@router.get("/items/{item_id}", response_model_exclude_unset=True)
async def item_lineage(room: TheRoom, caller: Lead, item_id: AnId) -> Lineage:
    """Everything behind an item. Reading it is recorded: a later answer of the reader's is no blind evidence."""
    return Lineage(**await read_lineage(room, caller.expert, item_id))


async def read_lineage(room: Room, expert: ExpertRow, some_id: str) -> dict[str, Any]:
    """Return everything behind an item, known by its own id or that of a review or decision of it; reading is noted.

    Raises:
        NotThere: nothing has this id.
    """
    from solon.errors import UsageError

    try:
        lineage = await asyncio.to_thread(room.project.trace, some_id)
    except UsageError as error:
        raise NotThere(error.cause, next_step=error.next_step) from None
    await write(room, lambda c: append(room.store, c, expert.actor, "item.read", str(lineage["item"]["id"])))
    return lineage


@router.get("/reviews/{review_id}", operation_id="review_lineage", response_model_exclude_unset=True)
async def show_review(room: TheRoom, caller: Lead, review_id: AnId) -> Lineage:
    """The lineage of a review's item."""
    with room.store.connect() as connection:
        review = find_review(connection, review_id)
    return Lineage(**await read_lineage(room, caller.expert, review.item_id))


@mine.get("/statistics", operation_id="statistics")
def read_statistics(room: TheRoom, caller: AnyExpert) -> Statistics:
    """Experts see their own figures, leads everyone's and the runs'. In a large store they are as of a minute ago, or
    up to ten."""
    with room.store.connect() as connection:
        return statistics(room, connection, caller.expert, language_of(room, caller))


def list_law(room: Room, kind: str) -> list[LawOut]:
    """Return every version of the constitutions or rubrics; `kind` is `constitutions` or `rubrics`."""
    keys = LawOut.model_fields
    with room.store.connect() as connection:
        rows = law_rows(connection, kind)
        return [LawOut(**{key: row[key] for key in keys}) for row in rows]


def diff_law(room: Room, kind: str, old: str, new: str) -> list[ChangeOut]:
    """Return what the second version changes in the first, both given by their ids.

    Raises:
        NotThere: there is no such version.
    """
    versions = {law.id: law for law in list_law(room, kind)}
    for law_id in (old, new):
        if law_id not in versions:
            raise NotThere(f"there is no version {law_id}", next_step=f"see /api/v1/{kind}")
    model: Any = documents.Constitution if kind == "constitutions" else documents.Rubric
    before, after = (model.model_validate(versions[law_id].document) for law_id in (old, new))
    return [ChangeOut(**asdict(change)) for change in documents.diff(before, after)]


@law.get("/constitutions", operation_id="list_constitutions")
def constitutions(room: TheRoom, _caller: AnyExpert) -> list[LawOut]:
    """Every version of every constitution."""
    return list_law(room, "constitutions")


@law.get("/constitutions/{old}/diff/{new}", operation_id="diff_constitutions")
def constitution_diff(room: TheRoom, _caller: AnyExpert, old: AnId, new: AnId) -> list[ChangeOut]:
    """What the second version changes in the first."""
    return diff_law(room, "constitutions", old, new)


@law.get("/rubrics", operation_id="list_rubrics")
def rubrics(room: TheRoom, _caller: AnyExpert) -> list[LawOut]:
    """Every version of every rubric."""
    return list_law(room, "rubrics")


@law.get("/rubrics/{old}/diff/{new}", operation_id="diff_rubrics")
def rubric_diff(room: TheRoom, _caller: AnyExpert, old: AnId, new: AnId) -> list[ChangeOut]:
    """What the second version changes in the first."""
    return diff_law(room, "rubrics", old, new)


@log.get("/audit-log")
def audit_log(
    room: TheRoom,
    _caller: Lead,
    before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    actor: Short = None,
    subject: Short = None,
    action: Short = None,
    limit: Limit = 100,
) -> AuditPage:
    """Who did what, the newest first: ids and numbers, never texts."""
    with room.store.connect() as connection:
        rows = list_entries(
            connection, before=before, actor=actor, subject=subject, action=action, limit=limit
        )
    keys = AuditOut.model_fields
    return AuditPage(
        entries=[AuditOut(**{key: row[key] for key in keys}) for row in rows],
        before=rows[-1]["seq"] if len(rows) == limit else None,
    )


@log.get("/audit-log/check", operation_id="check_audit_log")
def audit_check(room: TheRoom, _caller: Lead, head: Short = None) -> AuditCheck:
    """Check every seal of the chain; with `head`, that this seal is still in it."""
    report = verify(room.store, head)
    return AuditCheck(
        intact=report.intact,
        entries=report.entries,
        head=report.head,
        problem=report.problem,
        at_entry=report.at_entry,
    )


def expert_out(expert: ExpertRow, token: str | None = None, login: str | None = None) -> ExpertOut:
    """Return a person as the API shows them; `token` and `login` only in the answer that makes them."""
    return ExpertOut(
        id=expert.id,
        name=expert.name,
        role=expert.role,
        specialties=list(expert.specialties),
        languages=list(expert.languages),
        credential=expert.credential,
        stage=expert.stage,
        revoked=expert.revoked_at is not None,
        token=token,
        login=login,
    )


@people.get("/experts", operation_id="list_experts")
def experts(room: TheRoom, _caller: Lead) -> list[ExpertOut]:
    """Everyone, by name."""
    with room.store.connect() as connection:
        return [expert_out(expert) for expert in list_experts(connection)]


@people.post("/experts", operation_id="add_expert", status_code=201)
def new_expert(room: TheRoom, caller: Admin, given: ExpertIn, request: Request) -> ExpertOut:
    """Add a person. The token and a login link that works once for ten minutes are shown in this answer only."""
    proven = not room.options.onboarding if given.proven is None else given.proven
    facts = given.model_dump(exclude={"proven"})
    stage = "proven" if proven else "guidelines"
    expert, token = add_expert(room.store, **facts, stage=stage, by=caller.expert.actor)
    secret = make_login_link(room.store, expert.id, by=caller.expert.actor)
    return expert_out(expert, token, f"{str(request.base_url).rstrip('/')}/login?link={secret}")


def _check_known(room: Room, expert_id: str) -> None:
    with room.store.connect() as connection:
        if expert_id not in {expert.id for expert in list_experts(connection)}:
            raise NotThere(f"there is no expert {expert_id}", next_step="see /api/v1/experts")


@people.post("/experts/{expert_id}/revoke", operation_id="revoke_expert")
def revoke(room: TheRoom, caller: Admin, expert_id: AnId) -> ExpertOut:
    """End a person's access at once. What they decided stays."""
    _check_known(room, expert_id)
    return expert_out(revoke_expert(room.store, expert_id, by=caller.expert.actor))


@people.post("/experts/{expert_id}/rotate", operation_id="rotate_token")
def rotate(room: TheRoom, caller: Admin, expert_id: AnId) -> ExpertOut:
    """A new token for the same person; the old one ends at once."""
    _check_known(room, expert_id)
    expert, token = rotate_token(room.store, expert_id, by=caller.expert.actor)
    return expert_out(expert, token)
