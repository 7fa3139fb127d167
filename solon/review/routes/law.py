"""Endpoints about law in the making: amendments with their impact and votes, rules proposed, how principles fare."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from solon.review.auth import AnyExpert, Lead, TheRoom
from solon.review.description import refusals
from solon.review.kept import Reading
from solon.review.law_jobs import show_job
from solon.review.lawmaking import (
    ask_for_impact,
    ask_for_rejudging,
    cast_vote,
    propose_rule,
    propose_split,
    show_amendment,
    show_flip,
    show_rejudging,
)
from solon.review.reviewer import write
from solon.review.routes.queue import AnId
from solon.review.schemas.law import (
    AmendmentLine,
    AmendmentOut,
    Drafted,
    FlipCase,
    ImpactIn,
    JobState,
    LimitsIn,
    PrincipleOut,
    PrinciplesOut,
    RejudgeState,
    RuleIn,
    SplitIn,
    StandingOut,
    VoteIn,
)
from solon.review.state import Room
from solon.store.lawmaking.amendments import AmendmentRow, list_amendments
from solon.store.lawmaking.principles import PrincipleUse, count_uses
from solon.store.reviewing.review_rows import NotThere
from solon.store.runs.items import are_many
from solon.store.runs.laws import LawVersion, find_version, history

router = APIRouter(prefix="/api/v1", tags=["law"])
Short = Annotated[str | None, Query(max_length=200, pattern=r"\S")]


@router.get("/amendments", operation_id="list_amendments")
def amendments(room: TheRoom, _caller: Lead) -> list[AmendmentLine]:
    """Every amendment, the newest first."""
    with room.store.connect() as connection:
        found = list_amendments(connection)
    same = ("id", "kind", "name", "scope", "state", "verdict", "reason", "created_at")
    return [AmendmentLine(**{n: getattr(a, n) for n in same}, version=a.document.version) for a in found]


@router.post("/amendments", operation_id="propose_rule", status_code=201, responses=refusals(404))
async def propose(room: TheRoom, caller: AnyExpert, given: RuleIn) -> Drafted:
    """Propose a rule from a decision of one's own (leads: from any): a draft that leads measure and vote on."""
    about = given.model_dump(exclude={"review"})
    made = await write(room, lambda c: propose_rule(room, c, given.review, caller.expert, **about))
    return _proposed(made)


def _proposed(made: AmendmentRow) -> Drafted:
    told = {"id": made.id, "version": made.document.version, "state": made.state}
    return Drafted.model_validate({**told, "warnings": list(made.warnings)})


@router.get("/amendments/{amendment_id}", operation_id="show_amendment")
def amendment(room: TheRoom, _caller: Lead, amendment_id: AnId) -> AmendmentOut:
    """One amendment: its changes, its impact, the flips that may be told, its votes."""
    with room.store.connect() as connection:
        return AmendmentOut(**show_amendment(room, connection, amendment_id))


@router.post("/amendments/split", operation_id="split_principle", status_code=201, responses=refusals(404))
async def split(room: TheRoom, caller: AnyExpert, given: SplitIn) -> Drafted:
    """Propose that a principle be divided, from a decision of one's own (leads: from any)."""
    parts = [(part.text, part.name) for part in given.parts]
    rule, why = given.principle, given.reason
    made = await write(
        room,
        lambda c: propose_split(
            room, c, given.review, caller.expert, principle=rule, parts=parts, reason=why
        ),
    )
    return _proposed(made)


@router.post(
    "/amendments/{amendment_id}/impact",
    operation_id="measure_impact",
    status_code=202,
    responses=refusals(409),
)
async def measure(room: TheRoom, caller: Lead, amendment_id: AnId, given: ImpactIn) -> JobState:
    """Begin to measure a draft on earlier decisions; `job` of the amendment tells how it stands."""
    limits = given.model_dump()
    job = await write(room, lambda c: ask_for_impact(room, c, amendment_id, caller.expert, **limits))
    room.jobs.wake()
    return JobState(**show_job(job))


@router.get("/rejudge")
def rejudging(room: TheRoom, _caller: Lead) -> RejudgeState:
    """What new law may change, and how judging it again stands."""
    return RejudgeState(**show_rejudging(room))


@router.post("/rejudge", status_code=202, responses=refusals(409))
async def rejudge(room: TheRoom, caller: Lead, given: LimitsIn) -> JobState:
    """Begin to judge again, waiting reviews first, then stale records, the most doubtful first."""
    job = await write(room, lambda c: ask_for_rejudging(room, c, caller.expert, **given.model_dump()))
    room.jobs.wake()
    return JobState(**show_job(job))


@router.get("/amendments/{amendment_id}/flips/{precedent_id}", operation_id="show_flip")
async def flip(room: TheRoom, caller: Lead, amendment_id: AnId, precedent_id: AnId) -> FlipCase:
    """One flip with the decided case behind it. Reading it is recorded."""
    found = await write(room, lambda c: show_flip(room, c, amendment_id, precedent_id, caller.expert))
    return FlipCase(**found)


@router.post("/amendments/{amendment_id}/votes")
async def vote(room: TheRoom, caller: Lead, amendment_id: AnId, given: VoteIn) -> StandingOut:
    """Vote; a later vote takes the place of one's earlier. The vote that completes the quorum brings it into force."""
    standing = await write(
        room, lambda c: cast_vote(room, c, amendment_id, caller.expert, **given.model_dump())
    )
    return StandingOut(**asdict(standing))


@router.get("/principles", responses=refusals(404))
def principles(room: TheRoom, _caller: Lead, constitution: Short = None) -> PrinciplesOut:
    """How often each principle was cited, by whom, and how often the side that it was cited for won; as of a minute
    ago at most."""
    law, found = read_principles(room, constitution)
    told = [PrincipleOut(**use.to_json()) for use in (found.value if found else ())]
    return PrinciplesOut(name=law.name, version=law.version, principles=told)


def read_principles(
    room: Room, named: str | None = None, *, waits: bool = True
) -> tuple[LawVersion, Reading[list[PrincipleUse]] | None]:
    """Return a constitution and how often its principles were cited, as of a minute ago, or up to ten in a large store.

    Args:
        named: NAME counts every version, NAME@VERSION one; without it, the newest constitution in force.
        waits: until they are counted; otherwise there is None of them while they are, which happens in a large store.

    Raises:
        NotThere: there is none.
    """
    with room.store.connect() as connection:
        if named:
            law = find_version(connection, "constitution", named)
        else:
            known = [v for v in history(connection, "constitution") if v.status == "in_force"]
            law = known[-1] if known else None
        if law is None:
            raise NotThere("there is no such constitution", next_step="see /api/v1/constitutions")
        alone = "@" in (named or "")
        kept, key = room.principle_uses, (law.id, alone)
        count = partial(count_uses, law=law, version_only=alone)
        if waits or not are_many(connection):
            return law, Reading(kept.get(key, lambda: count(connection)))
        return law, kept.look(key, partial(room.read, count))
