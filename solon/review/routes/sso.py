"""Pages of single sign-on: away to the provider, and back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from solon.review.auth import TheRoom, let_in
from solon.review.rendering import render
from solon.review.reviewer import write
from solon.review.sso import COOKIE, SECONDS, SsoFailed
from solon.store.database.audit_log import append
from solon.store.reviewing.experts import expert_by_subject
from solon.store.reviewing.review_rows import NotThere

router = APIRouter(include_in_schema=False)
Part = Annotated[str, Query(max_length=4000)]


@router.get("/sso")
async def go(request: Request, room: TheRoom) -> Response:
    """Send the browser to the identity provider."""
    if room.sso is None:
        raise NotThere("there is no single sign-on here", next_step="log in with your link or token")
    address = room.options.address or str(request.base_url)
    try:
        url, kept = await room.sso.begin(f"{address.rstrip('/')}/sso/back")
    except SsoFailed as error:
        return _refused(room, error)
    response = RedirectResponse(url, 303)
    response.set_cookie(
        _cookie(room),
        kept,
        max_age=SECONDS,
        httponly=True,
        samesite="lax",
        secure=room.options.secure,
        path="/sso",
    )
    return response


@router.get("/sso/back")
async def back(request: Request, room: TheRoom, state: Part = "", code: Part = "") -> Response:
    """Log in whoever comes back from the identity provider and is an expert here."""
    if room.sso is None:
        raise NotThere("there is no single sign-on here", next_step="log in with your link or token")
    try:
        subject, email = await room.sso.finish(request.cookies.get(_cookie(room), ""), state, code)
        expert = await write(room, lambda c: expert_by_subject(room.store, c, subject, email))
        if expert is None:
            raise SsoFailed("you are logged in there, but nobody here knows you", next_step="ask an admin")
    except SsoFailed as error:
        return _refused(room, error)
    await write(room, lambda c: append(room.store, c, expert.actor, "sso.used", expert.id))
    response = await let_in(request, room, expert)
    response.delete_cookie(_cookie(room), path="/sso", secure=room.options.secure, httponly=True)
    return response


def _cookie(room: TheRoom) -> str:
    return f"__Secure-{COOKIE}" if room.options.secure else COOKIE


def _refused(room: TheRoom, error: SsoFailed) -> Response:
    told = f"{error.cause[0].upper()}{error.cause[1:]}."
    sso = room.sso.name if room.sso is not None else ""
    return HTMLResponse(render(room, "login.html", link="", problem=told, sso=sso), 401)
