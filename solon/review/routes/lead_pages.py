"""Pages for leads: the first one, queue, one item's lineage, agreement and reviewers, runs, constitution, audit log."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from solon.errors import InvalidDecision
from solon.eval.report.promise import find_promised
from solon.eval.report.promise_picture import render_promise
from solon.review.auth import AnyExpert, Lead, TheRoom
from solon.review.desk import too_few_people
from solon.review.first_page import read_first_page
from solon.review.rendering import page
from solon.review.reviewer import note_shown
from solon.review.routes.leads import diff_law, list_law, list_page, read_lineage
from solon.review.routes.queue import AnId
from solon.review.statistics import look_at_people, look_at_promise, look_at_runs
from solon.store.database.audit_log import list_actions, list_entries
from solon.store.reviewing.experts import list_experts
from solon.store.reviewing.review_lists import LOOKED_THROUGH, Filters

router = APIRouter(prefix="/lead", include_in_schema=False)
Short = Annotated[str, Query(max_length=200)]
LOG_ROWS = 100
QUEUE_ROWS = 50


@router.get("")
async def first(room: TheRoom, caller: Lead) -> HTMLResponse:
    """The first page: how far the work is, how good, who waits for what, and what to do next."""
    found = await asyncio.to_thread(read_first_page, room, caller.expert)
    return page(room, caller, "lead_first.html", found=found)


@router.get("/queue")
async def queue(
    room: TheRoom,
    caller: Lead,
    status: Literal["opening", "held", "waiting", "decided", "withdrawn", "all"] = "waiting",
    text: Short = "",
    recipe: Short = "",
    constitution: Short = "",
    reason: Short = "",
    judge: Short = "",
    min_margin: Short = "",
    max_margin: Short = "",
    why: bool = False,
    cursor: Short = "",
) -> HTMLResponse:
    """The page of the queue: reviews, and on request why they are here; filters stand in the address."""
    asked = {"text": text, "recipe": recipe, "constitution": constitution, "reason": reason, "judge": judge}
    margins: dict[str, Any] = {"min_margin": _number(min_margin), "max_margin": _number(max_margin)}
    given: dict[str, Any] = {name: value.strip() or None for name, value in asked.items()}
    filters = Filters(status=None if status == "all" else status, **given, **margins)
    why = why or filters.tells_why
    rows, following = await asyncio.to_thread(list_page, room, filters, cursor or None, QUEUE_ROWS)
    await note_shown(room, caller, rows, why=why)
    more = {"min_margin": min_margin, "max_margin": max_margin, "why": "1" if why else ""}
    parts = {"status": status, **asked, **more}
    with room.store.connect() as connection:
        few = too_few_people(room, connection)
    return page(
        room,
        caller,
        "lead_queue.html",
        rows=rows,
        next_page=urlencode({**parts, "cursor": following}) if following else "",
        asked=parts,
        looked=LOOKED_THROUGH if following and len(rows) < QUEUE_ROWS else 0,
        why=why,
        few=few,
        counts=room.live.counts(),
        works=room.worker is not None,
    )


def _number(words: str) -> float | None:
    """A margin from a form; what is none is refused with its name."""
    try:
        return float(words) if words.strip() else None
    except ValueError:
        raise InvalidDecision(
            f"ahead by: {words[:20]!r} is no number", next_step="write a number from 0 to 1, such as 0.2"
        ) from None


@router.get("/items/{item_id}")
async def item(room: TheRoom, caller: Lead, item_id: AnId) -> HTMLResponse:
    """The page of everything behind an item; that it was read is noted."""
    found = await read_lineage(room, caller.expert, item_id)
    with room.store.connect() as connection:
        names = {expert.actor: expert.name for expert in list_experts(connection)}
    return page(room, caller, "lead_item.html", trace=found, names=names)


@router.get("/reviewers")
def reviewers(room: TheRoom, caller: Lead) -> HTMLResponse:
    """The page of everyone's work and agreement, by name, without ranking."""
    with room.store.connect() as connection:
        found = look_at_people(room, connection, caller.expert, room.language)
    return page(room, caller, "lead_reviewers.html", kept=found)


@router.get("/runs")
def runs(room: TheRoom, caller: Lead, run: Short = "") -> HTMLResponse:
    """The page of the runs: what is promised of one of them (default: the newest that a panel judged), where their
    items are, and what they cost."""
    with room.store.connect() as connection:
        found, counting = look_at_runs(room, connection)
        promised = find_promised(connection, run)
        promise = look_at_promise(room, connection, promised) if promised else None
        picture = render_promise(promise.value, say=room.language.tell) if promise else None
    return page(
        room,
        caller,
        "lead_runs.html",
        runs=found.value,
        runs_at=found.at,
        counting=counting,
        promising=promised is not None and promise is None,
        counts=room.live.counts(),
        works=room.worker is not None,
        picture=picture,
        promise_at=promise.at if promise else None,
        promised=promised.id if promised else "",
    )


@router.get("/constitution")
def constitution(room: TheRoom, caller: AnyExpert, old: Short = "", new: Short = "") -> HTMLResponse:
    """The page of every version of the constitutions, and what one changes in another."""
    laws = list_law(room, "constitutions")
    changes: list[Any] = diff_law(room, "constitutions", old, new) if old and new else []
    return page(room, caller, "constitution.html", laws=laws, changes=changes, asked={"old": old, "new": new})


@router.get("/log")
def log(
    room: TheRoom,
    caller: Lead,
    actor: Short = "",
    action: Short = "",
    subject: Short = "",
    since: Short = "",
    until: Short = "",
    zone: Short = "UTC",
    before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> HTMLResponse:
    """The page of the audit log, the newest entries first; filters stand in the address, with the time zone of their
    days. `before` is the entry at which the page before ended."""
    asked = {
        "actor": actor,
        "action": action,
        "subject": subject,
        "since": since,
        "until": until,
        "zone": zone,
    }
    wanted: dict[str, Any] = {name: asked[name].strip() or None for name in ("actor", "action", "subject")}
    wanted |= {"since": read_day(since, "since", zone), "until": read_day(until, "until", zone, ends=True)}
    with room.store.connect() as connection:
        rows = list_entries(connection, before=before, limit=LOG_ROWS, **wanted)
        people = list_experts(connection)
        actions = list_actions(connection)
    older = urlencode({**asked, "before": rows[-1]["seq"]}) if len(rows) == LOG_ROWS else ""
    names = {expert.actor: expert.name for expert in people}
    return page(
        room, caller, "lead_log.html", rows=rows, names=names, asked=asked, actions=actions, older=older
    )


def read_day(words: str, name: str, zone: str, *, ends: bool = False) -> float | None:
    """Return the begin of a day in a time zone, or its end, in epoch seconds; None without one. What is no day, or
    no zone, is refused by name."""
    if not words.strip():
        return None
    try:
        here = UTC if zone == "UTC" else ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidDecision(
            f"zone: this server knows no time zone {zone[:40]!r}",
            next_step="write UTC, or e.g. Europe/Stockholm",
        ) from None
    try:
        day = date.fromisoformat(words.strip()) + timedelta(days=ends)
        return datetime.combine(day, time.min, here).timestamp()
    except (ValueError, OverflowError):
        raise InvalidDecision(
            f"{name}: {words[:20]!r} is no day", next_step="write e.g. 2026-11-29"
        ) from None
