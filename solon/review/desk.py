"""What the endpoints and pages of a lead's desk both do: decide many reviews, settle proposals, begin exports."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, Any

from solon.errors import NotPending
from solon.formats.exports import ENDINGS, find_format, first_rows
from solon.review.auth import Caller
from solon.review.lawmaking import propose_rule
from solon.review.reviewer import write
from solon.review.schemas.desk import BulkIn, BulkOut, ExportIn, TakeUpIn
from solon.review.state import Room
from solon.store.database.audit_log import append
from solon.store.lawmaking.amendments import AmendmentRow
from solon.store.records.exporting import export_rows
from solon.store.reviewing.bulk import BulkCount, bulk_decide, count_bulk, count_too_few
from solon.store.reviewing.experts import list_experts
from solon.store.reviewing.jobs import JobRow, add_job, find_job
from solon.store.reviewing.proposals import ProposalRow, find_proposal, list_proposals, set_proposal
from solon.store.reviewing.review_lists import Filters
from solon.workspace.views import find_wanted

if TYPE_CHECKING:
    from solon.store.database.engine import Connection

CHUNK = 20
"""Decisions in one transaction: no other writer waits long."""


def bulk_filters(given: BulkIn) -> Filters:
    """Return the filters of the waiting reviews that one answer is to decide."""
    return Filters(
        status="waiting",
        reason=given.reason,
        recipe=given.recipe,
        run=given.run,
        judge=given.judge,
        constitution=given.constitution,
        text=given.text,
        min_margin=given.min_margin,
        max_margin=given.max_margin,
    )


def count_fitting(room: Room, given: BulkIn) -> BulkCount:
    """Return which reviews one answer to all that fit would decide, and how many are left out, by reason."""
    with room.store.connect() as connection:
        return count_bulk(connection, bulk_filters(given), given.choice)


async def decide_fitting(room: Room, caller: Caller, given: BulkIn) -> BulkOut:
    """Give one answer to all reviews that fit; without `expected`, only count them.

    Raises:
        NotPending: another number of reviews fits by now.
        InvalidDecision: the choice cannot be given to many.
    """
    count = count_fitting(room, given)
    fitting = len(count.ids)
    if given.expected is None:
        return BulkOut(dry_run=True, fitting=fitting, decided=0, left_out=count.left_out)
    if given.expected != fitting:
        raise NotPending(
            f"{fitting} reviews fit now, not {given.expected}; nothing was changed", next_step="count again"
        )
    expert, decided = caller.expert, 0
    answer = {"choice": given.choice, "rationale": given.rationale}
    for start in range(0, fitting, CHUNK):
        part = count.ids[start : start + CHUNK]
        decided += await write(room, lambda c, some=part: bulk_decide(room.store, c, expert, some, answer))  # type: ignore[misc]
    detail = {"choice": given.choice, "fitting": fitting, "decided": decided}
    await write(room, lambda c: append(room.store, c, expert.actor, "reviews.bulk", "", detail))
    if room.worker is not None:
        room.worker.wake()
    return BulkOut(dry_run=False, fitting=fitting, decided=decided, left_out=count.left_out)


async def read_proposals(room: Room, caller: Caller, state: str) -> list[ProposalRow]:
    """Return the proposals in a state, the oldest first, and note in the audit log that they were read."""

    def look() -> list[ProposalRow]:
        with room.store.connect() as connection:
            return list_proposals(connection, state)

    rows = await asyncio.to_thread(look)
    detail = {"state": state, "proposals": [row.id for row in rows]}
    await write(room, lambda c: append(room.store, c, caller.expert.actor, "proposals.read", "", detail))
    return rows


def draft_proposal(
    room: Room, connection: Connection, caller: Caller, proposal_id: str, given: TakeUpIn
) -> AmendmentRow:
    """Take a proposal up: return a draft that has it as a principle, resting on the decision that it came with.

    Raises:
        NotThere: there is no such proposal, or its review is not decided yet. NotPending: it is closed already.
        UsageError: it cannot be a rule.
    """
    proposal = find_proposal(connection, proposal_id)
    if proposal.state != "open":
        raise NotPending(f"this proposal is {proposal.state} already", next_step="see the list of proposals")
    about = {"reason": given.reason, "name": given.name, "first": given.first}
    text = given.text or proposal.text
    amendment = propose_rule(room, connection, proposal.review_id, caller.expert, text=text, **about)  # type: ignore[arg-type]
    set_proposal(room.store, connection, proposal.id, "taken", caller.expert.actor, amendment_id=amendment.id)
    return amendment


async def begin_job(room: Room, caller: Caller, given: ExportIn) -> JobRow:
    """Queue an export and return its job.

    Raises:
        UsageError: there is no such format, or no such run, or one run and all runs are asked for.
    """
    form = find_format(given.format)
    run_id = find_wanted(room.store, run_id=given.run, recipe=None, all_runs=given.all_runs)["run_id"]
    name = f"solon-{given.format}{ENDINGS.get(form.container, '.jsonl')}"
    asked: dict[str, Any] = {**given.model_dump(), "run": run_id, "name": name}
    actor = caller.expert.actor

    def add(connection: Connection) -> JobRow:
        job_id = add_job(connection, "export", actor, asked)
        append(room.store, connection, actor, "export.asked", job_id, {"format": given.format})
        return find_job(connection, job_id)

    job = await write(room, add)
    room.jobs.wake()
    return job


async def preview_export(room: Room, caller: Caller, given: ExportIn) -> list[dict[str, Any]]:
    """Return the first rows that an export would write, and note in the audit log that they were read.

    Raises:
        UsageError: as of `begin_job`.
    """
    rows = await asyncio.to_thread(_first_rows, room, given)
    detail = {"format": given.format}
    await write(room, lambda c: append(room.store, c, caller.expert.actor, "export.previewed", "", detail))
    return rows


def _first_rows(room: Room, given: ExportIn) -> list[dict[str, Any]]:
    which = find_wanted(room.store, run_id=given.run, recipe=given.recipe, all_runs=given.all_runs)
    scored = find_format(given.format).scored
    _, rows = export_rows(room.store, **which, rejected=True, scored=scored)
    with closing(rows):
        return first_rows(rows, format=given.format, certified_only=given.certified_only)


def too_few_people(room: Room, connection: Connection) -> list[dict[str, Any]]:
    """Return waiting reviews by field and language that fewer people would be given and can answer than are asked, two
    at least."""
    # Others are given none.
    people = [one for one in list_experts(connection, revoked=False) if one.stage == "proven"]
    return count_too_few(connection, people, max(2, room.options.answers), room.options.match)
