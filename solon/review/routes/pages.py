"""The reviewer's pages: log in, one item at a time, diff, explanation."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from solon.errors import ReviewError
from solon.review import markdown
from solon.review.auth import (
    AnyExpert,
    Caller,
    NotAllowed,
    NotLoggedIn,
    TheRoom,
    check_csrf,
    end_cookie,
    form_fields,
    let_in,
    session_caller,
)
from solon.review.blind import show_blind, shown_order
from solon.review.comparing import compare
from solon.review.markdown import mark_quotes
from solon.review.rendering import page, render
from solon.review.reviewer import (
    hand_out,
    open_review,
    own_answers,
    progress_of,
    take_answer,
    take_back,
    write,
)
from solon.review.routes.queue import AnId, explanation
from solon.review.schemas.explanations import Explanation
from solon.review.schemas.queue import BlindItem, DecisionIn, NextIn, NextOut, PreviewIn, Progress, SettingsIn
from solon.review.state import Room
from solon.store.database.audit_log import append
from solon.store.reviewing.drafts import own_lease
from solon.store.reviewing.experts import ExpertRow
from solon.store.reviewing.reading import read_candidates, read_proposed
from solon.store.reviewing.review_rows import find_review
from solon.store.reviewing.sessions import end_session, use_login_link

if TYPE_CHECKING:
    from solon.store.database.engine import Connection


router = APIRouter(include_in_schema=False)


@router.get("/login")
async def login_page(
    request: Request, room: TheRoom, link: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """The login page. A link is spent by its button, not by opening the page: mail scanners open links too."""
    if not link and await session_caller(request, room) is not None:
        return RedirectResponse("/", 303)
    return HTMLResponse(render(room, "login.html", link=link, problem="", sso=_sso(room)))


@router.post("/login")
async def log_in(request: Request, room: TheRoom) -> Response:
    """Log in by the secret of a link, or by a token. A form of another site cannot log anyone in."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise NotAllowed("the form did not come from this page", next_step="open the page itself")
    form = await form_fields(request)
    link, token = form.get("link", ""), form.get("token", "").strip()
    expert = await _by_link(room, link) if link else await asyncio.to_thread(room.tokens.check, token)
    if expert is None:
        told = (
            "This link was used already or is older than ten minutes. Ask for a new one."
            if link
            else "This token is not known. Copy the whole of it, from solon_ on, or ask for a new one."
        )
        return HTMLResponse(render(room, "login.html", link="", problem=told, sso=_sso(room)), 401)
    return await let_in(request, room, expert)


def _sso(room: Room) -> str:
    return room.sso.name if room.sso is not None else ""


async def _by_link(room: Room, secret: str) -> ExpertRow | None:
    return await write(room, lambda c: use_login_link(room.store, c, secret))


@router.post("/logout")
async def log_out(request: Request, room: TheRoom) -> Response:
    """End the browser's session, in the store and here, and go to the login page."""
    caller = await session_caller(request, room)
    response = RedirectResponse("/login", 303)
    end_cookie(room, response)
    if caller is not None:
        check_csrf(room, caller.session, (await form_fields(request)).get("csrf", ""))
        await write(room, lambda c: end_session(room.store, c, caller.session, caller.expert))
    return response


@router.get("/")
async def review_page(
    room: TheRoom, caller: AnyExpert, review: Annotated[str | None, Query(max_length=64)] = None
) -> HTMLResponse:
    """The page of one item at a time. The item itself is fetched by the script: a review that is asked for by its id
    comes first, where it waits for the caller."""
    if not caller.session:
        raise NotLoggedIn("this page is for browsers", next_step="use /api/v1 with a token")
    if review is not None:
        with suppress(ReviewError):
            await open_review(room, caller, review)
    settings = SettingsIn.model_validate(caller.expert.settings)
    progress = await asyncio.to_thread(progress_of, room, caller)
    return page(room, caller, "review.html", settings=settings, progress=progress)


@router.get("/page/progress")
async def page_progress(room: TheRoom, caller: AnyExpert) -> Progress:
    """How far the caller is, and what is left for them: an open page asks where the queue has changed."""
    return await asyncio.to_thread(progress_of, room, caller)


@router.get("/page/csrf")
async def fresh_csrf(room: TheRoom, caller: AnyExpert) -> dict[str, str]:
    """The CSRF token of the session as it is now, and its person: an open page asks where its own token was refused."""
    from solon.review.auth import csrf_token

    return {"csrf": csrf_token(room, caller.session), "expert": caller.expert.id}


def item_html(room: Room, item: BlindItem) -> str:
    """Return a review before its answer as the HTML of the page."""
    return render(room, "_item.html", item=item)


def _with_html(room: Room, given: NextOut) -> dict[str, Any]:
    plain = given.model_dump()
    plain["html"] = item_html(room, given.item) if given.item is not None else ""
    return plain


@router.post("/page/next")
async def page_next(room: TheRoom, caller: AnyExpert, asked: NextIn) -> dict[str, Any]:
    """Lease the next review, as the API's `next` does, with the item's HTML."""
    return await asyncio.to_thread(_with_html, room, await hand_out(room, caller, asked.exclude))


@router.post("/page/decide/{review_id}")
async def page_decide(room: TheRoom, caller: AnyExpert, review_id: AnId, given: DecisionIn) -> dict[str, Any]:
    """Take an answer, as the API's decision does, with the caller's progress."""
    taken = await take_answer(room, caller, given, given.token or "", review_id=review_id)
    progress = await asyncio.to_thread(progress_of, room, caller)
    return {**taken.model_dump(), "progress": progress.model_dump()}


@router.post("/page/undo/{decision_id}")
async def page_undo(room: TheRoom, caller: AnyExpert, decision_id: AnId) -> dict[str, Any]:
    """Take an answer back, as the API's undo does, with the HTML of the item where it is open again."""
    back = await take_back(room, caller, decision_id)
    return {**back.model_dump(), "html": item_html(room, back.item) if back.item is not None else ""}


@router.get("/page/answers")
async def page_answers(room: TheRoom, caller: AnyExpert) -> HTMLResponse:
    """The caller's last ten answers, with the requests drawn as on the page."""
    answers = await asyncio.to_thread(own_answers, room, caller)
    return HTMLResponse(await asyncio.to_thread(render, room, "_mine.html", answers=answers))


@router.post("/page/preview")
async def page_preview(_caller: AnyExpert, given: PreviewIn) -> HTMLResponse:
    """A text that somebody is writing, drawn as it will be shown."""
    return HTMLResponse(await asyncio.to_thread(markdown.render, given.text))


@router.get("/page/diff/{assignment_id}")
async def page_diff(room: TheRoom, caller: AnyExpert, assignment_id: AnId) -> HTMLResponse:
    """The two candidates in the order that the person sees, or a text and the fix that is proposed for it, as a word
    diff; that it was read is noted."""
    actor = caller.expert.actor

    def note(connection: Connection) -> None:
        lease = own_lease(connection, assignment_id, actor)
        append(room.store, connection, actor, "diff.read", lease.review_id, {"assignment": lease.id})

    await write(room, note)
    return HTMLResponse(await asyncio.to_thread(_diff, room, caller, assignment_id))


def _diff(room: Room, caller: Caller, assignment_id: str) -> str:
    with room.store.connect() as connection:
        texts = [text for _, text in _texts_shown(room, connection, caller, assignment_id)]
        lease = own_lease(connection, assignment_id, caller.expert.actor)
        fix = read_proposed(connection, find_review(connection, lease.review_id)).fix
    texts += [fix] if fix else []
    compared = compare(*texts) if len(texts) == 2 else None
    return render(room, "_diff.html", compared=compared, fixed=bool(fix))


@router.get("/page/source/{assignment_id}")
async def page_source(room: TheRoom, caller: AnyExpert, assignment_id: AnId) -> HTMLResponse:
    """The exact characters of every text of an item that the caller has in hand."""
    return HTMLResponse(await asyncio.to_thread(_source, room, caller, assignment_id))


def _source(room: Room, caller: Caller, assignment_id: str) -> str:
    with room.store.connect() as connection:
        lease = own_lease(connection, assignment_id, caller.expert.actor)
        review = find_review(connection, lease.review_id)
        item = show_blind(room, connection, lease, review, caller)
    texts = {"prompt": item.prompt, "input": item.input, "asks": item.asks, "reference": item.reference}
    texts["first"] = item.first.text if item.first else ""
    texts |= {f"turn:{n}": turn.content for n, turn in enumerate(item.turns)}
    texts |= {
        f"candidate:{n}": text for n, text in enumerate((*(one.text for one in item.candidates), item.fix))
    }
    return render(room, "_source.html", texts={name: text for name, text in texts.items() if text})


def _texts_shown(
    room: Room, connection: Connection, caller: Caller, assignment_id: str
) -> list[tuple[str, str]]:
    lease = own_lease(connection, assignment_id, caller.expert.actor)
    review = find_review(connection, lease.review_id)
    order = shown_order(room, connection, review, caller.expert)
    return [(one.id, one.text) for one in read_candidates(connection, order)]


@router.get("/page/explanation/{assignment_id}")
async def page_explanation(room: TheRoom, caller: AnyExpert, assignment_id: AnId) -> HTMLResponse:
    """Why it was here, with the critics' quotes marked in the texts."""
    told = await explanation(room, caller, assignment_id)
    return HTMLResponse(await asyncio.to_thread(_explained, room, caller, assignment_id, told))


def _explained(room: Room, caller: Caller, assignment_id: str, told: Explanation) -> str:
    with room.store.connect() as connection:
        texts = _texts_shown(room, connection, caller, assignment_id)
    marked = []
    for name, text in texts:
        own = [found for found in told.findings if found.candidate == name]
        quotes = [(found.quote, f"{found.principle}: {found.severity}") for found in own]
        marked.append(mark_quotes(text[:20_000], quotes))
    return render(room, "_explanation.html", told=told, marked=marked)
