"""Endpoints about law in the making: amendments with their impact and votes, rules proposed, how principles fare."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from solon.review.auth import AnyExpert, Lead, TheRoom
from solon.review.room import Room
from solon.review.routes.queue import ANSWERS, AnId
from solon.review.rules import cast_vote, propose_rule, show_amendment, show_flip
from solon.review.schemas import Wire
from solon.review.serving import write
from solon.store.amendments import list_amendments
from solon.store.laws import LawVersion, find_version, history
from solon.store.principles import PrincipleUse, count_uses
from solon.store.reviews import NotThere

router = APIRouter(prefix="/api/v1", tags=["law"], responses=ANSWERS)
Short = Annotated[str | None, Query(max_length=200)]


class VoteIn(Wire):
    """A lead's vote. What is not green needs an override with its reason."""

    in_favour: bool = Field(examples=[True])
    override: bool = False
    reason: str = Field("", max_length=2000)


class RuleIn(Wire):
    """A rule proposed from a decision; `first`: before all others, else after them."""

    review: Annotated[str, Field(max_length=64, pattern="^[0-9a-f]+$", examples=["193cdc94fd10e3f843ace947"])]
    text: str = Field(min_length=1, max_length=600, examples=["Gives every amount with its unit."])
    reason: str = Field(min_length=1, max_length=2000, examples=["A dose without a unit was misread."])
    name: str = Field("", max_length=60)
    first: bool = False


@router.get("/amendments")
def amendments(room: TheRoom, _caller: Lead) -> list[dict[str, Any]]:
    """Every amendment, the newest first."""
    with room.store.connect() as connection:
        found = list_amendments(connection)
    same = ("id", "kind", "name", "scope", "state", "verdict", "reason", "created_at")
    return [{**{n: getattr(a, n) for n in same}, "version": a.document.version} for a in found]


@router.post("/amendments", status_code=201)
async def propose(room: TheRoom, caller: AnyExpert, given: RuleIn) -> dict[str, Any]:
    """Propose a rule from a decision of one's own (leads: from any): a draft that leads measure and vote on."""
    about = given.model_dump(exclude={"review"})
    made = await write(room, lambda c: propose_rule(room, c, given.review, caller.expert, **about))
    return {
        "id": made.id,
        "version": made.document.version,
        "state": made.state,
        "warnings": list(made.warnings),
    }


@router.get("/amendments/{amendment_id}")
def amendment(room: TheRoom, _caller: Lead, amendment_id: AnId) -> dict[str, Any]:
    """One amendment: its changes, its impact, the flips that may be told, its votes."""
    with room.store.connect() as connection:
        return show_amendment(room, connection, amendment_id)


@router.get("/amendments/{amendment_id}/flips/{precedent_id}")
async def flip(room: TheRoom, caller: Lead, amendment_id: AnId, precedent_id: AnId) -> dict[str, Any]:
    """One flip with the decided case behind it. Reading it is recorded."""
    return await write(room, lambda c: show_flip(room, c, amendment_id, precedent_id, caller.expert))


@router.post("/amendments/{amendment_id}/votes")
async def vote(room: TheRoom, caller: Lead, amendment_id: AnId, given: VoteIn) -> dict[str, Any]:
    """Vote; a later vote takes the place of one's earlier. The vote that completes the quorum brings it into force."""
    standing = await write(
        room, lambda c: cast_vote(room, c, amendment_id, caller.expert, **given.model_dump())
    )
    return {name: getattr(standing, name) for name in ("state", "in_favour", "needed", "missing")}


@router.get("/principles")
def principles(room: TheRoom, _caller: Lead, constitution: Short = None) -> dict[str, Any]:
    """How often each principle was cited, by whom, and how often the side that it was cited for won."""
    law, found = read_principles(room, constitution)
    return {"name": law.name, "version": law.version, "principles": [use.to_json() for use in found]}


def read_principles(room: Room, named: str | None = None) -> tuple[LawVersion, list[PrincipleUse]]:
    """Uses under a constitution: a NAME (every version), NAME@VERSION, or without one the last in force."""
    with room.store.connect() as connection:
        if named:
            law = find_version(connection, "constitution", named)
        else:
            known = [v for v in history(connection, "constitution") if v.status == "in_force"]
            law = known[-1] if known else None
        if law is None:
            raise NotThere("there is no such constitution", next_step="see /api/v1/constitutions")
        return law, count_uses(connection, law, version_only="@" in (named or ""))
