"""Who is calling: a bearer token, or a browser's signed cookie with CSRF protection; and what their role allows."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse
from itsdangerous import BadSignature

from solon.errors import InvalidDecision, SolonError
from solon.review.language import IN_ENGLISH, Language
from solon.review.state import Room, get_room
from solon.store.database import clock
from solon.store.reviewing.experts import ExpertRow, find_expert
from solon.store.reviewing.sessions import (
    SEEN_EVERY,
    begin_session,
    end_session,
    find_session,
    touch_session,
)

if TYPE_CHECKING:
    from solon.store.database.engine import Connection

COOKIE = "solon_session"
"""Name of the cookie; over TLS with `__Host-` before it, so that browsers take it from this address alone."""
COOKIE_SECONDS = 30 * 24 * 3600
CSRF_HEADER = "X-CSRF-Token"


class NotLoggedIn(SolonError):
    """No token and no session, or one that has ended."""


class NotAllowed(SolonError):
    """The role does not reach, or the request did not come from our own page."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A person behind a request. `session` is the secret of the browser's session, empty where a token was sent."""

    expert: ExpertRow
    session: str = ""

    @property
    def channel(self) -> str:
        """How the person answers: `page` in a browser's session, `api` with a token."""
        return "page" if self.session else "api"


def language_of(room: Room, caller: Caller) -> Language:
    """Return the language in which a caller is told something: that of the pages in a browser, English to programs."""
    return room.language if caller.session else IN_ENGLISH


async def get_caller(request: Request) -> Caller:
    """Return the person who calls, known by a bearer token or a browser's session.

    Raises:
        NotLoggedIn: there is no token or session, or it has ended.
        NotAllowed: a cookie came without the page's own CSRF token.
    """
    room = get_room(request)
    caller = await _find_caller(request, room)
    if caller is None and request.headers.get("Authorization"):
        raise NotLoggedIn("the token is wrong, was replaced or revoked", next_step="ask for a new one")
    if caller is None:
        raise NotLoggedIn("you are not logged in", next_step="log in with your link or token")
    if not caller.session:
        return caller
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        check_csrf(room, caller.session, request.headers.get(CSRF_HEADER, ""))
    return caller


async def is_known(request: Request) -> bool:
    """Tell whether a request comes from somebody who is logged in, without looking at its body."""
    return await _find_caller(request, get_room(request)) is not None


async def _find_caller(request: Request, room: Room) -> Caller | None:
    header = request.headers.get("Authorization", "")
    if not header:
        return await session_caller(request, room)
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        return None
    expert = room.tokens.remembered(token) or await asyncio.to_thread(room.tokens.check, token)
    return None if expert is None else Caller(expert)


async def session_caller(request: Request, room: Room) -> Caller | None:
    """Return the person whose browser this is; None where it is not logged in."""
    cookie = request.cookies.get(cookie_name(room), "")
    try:
        secret = room.signer.loads(cookie) if cookie else None
    except BadSignature:
        return None
    if not isinstance(secret, str):
        return None
    with room.store.connect() as connection:
        session = find_session(connection, secret)
    if session is None:
        return None
    expert, seen_at = session
    if clock.now() - seen_at > SEEN_EVERY:
        await room.store.writer.run(lambda connection: touch_session(connection, secret))
    return Caller(expert, secret)


def may_still(room: Room, caller: Caller) -> bool:
    """Tell whether a caller still has access: the session goes on, and neither access nor token were taken away."""
    with room.store.connect() as connection:
        if caller.session:
            return find_session(connection, caller.session) is not None
        now = find_expert(connection, caller.expert.id)
    return now.revoked_at is None and now.token_made_at == caller.expert.token_made_at


def csrf_token(room: Room, session: str) -> str:
    """Return the token that a page of this session must send along to change anything."""
    return hmac.new(room.csrf_key, session.encode(), hashlib.sha256).hexdigest()


def check_csrf(room: Room, session: str, given: str) -> None:
    """Refuse a request that does not carry the CSRF token of its session.

    Raises:
        NotAllowed: the token is another one, or missing.
    """
    if not hmac.compare_digest(csrf_token(room, session).encode(), given.encode()):
        raise NotAllowed("the request did not come from this page", next_step="reload the page")


def cookie_name(room: Room) -> str:
    """Return the name of the session's cookie on this server."""
    return f"__Host-{COOKIE}" if room.options.secure else COOKIE


async def let_in(request: Request, room: Room, expert: ExpertRow) -> Response:
    """Log a browser in, and return the way to the first page. A session that it had until then ends."""
    before = await session_caller(request, room)

    def begin(connection: Connection) -> str:
        if before is not None:
            end_session(room.store, connection, before.session, before.expert)
        return begin_session(room.store, connection, expert)

    response = RedirectResponse(first_page_of(expert), 303)
    _set_cookie(room, response, await room.store.writer.run(begin))
    return response


def end_cookie(room: Room, response: Response) -> None:
    """Take the session's cookie away from a browser."""
    response.delete_cookie(cookie_name(room), path="/", secure=room.options.secure, httponly=True)


def _set_cookie(room: Room, response: Response, secret: str) -> None:
    """Log a browser in. Scripts cannot read the cookie, and other sites cannot send it with a change.

    The cookie outlives the session, which every use prolongs and which the store alone ends."""
    response.set_cookie(
        cookie_name(room),
        str(room.signer.dumps(secret)),
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="lax",
        secure=room.options.secure,
        path="/",
    )


def first_page_of(expert: ExpertRow) -> str:
    """Return the path of the page that a person sees after logging in: their next review, or where all stands."""
    return "/lead" if expert.may("lead") else "/"


async def form_fields(request: Request) -> dict[str, str]:
    """Return the fields of a form, the first value of each.

    Raises:
        InvalidDecision: there are more than any page of ours has.
    """
    try:
        fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=30)
    except ValueError:
        raise InvalidDecision("form: it has more than 30 fields", next_step="send the page's own") from None
    return {name: values[0] for name, values in fields.items()}


async def read_form(request: Request, room: Room, role: str = "worker") -> tuple[Caller, dict[str, str]]:
    """Return who sent a form of our own pages, and its fields without the CSRF token.

    Raises:
        NotLoggedIn: nobody is known. NotAllowed: the role does not reach, or the form is not from our page.
    """
    caller = await session_caller(request, room)
    if caller is None:
        raise NotLoggedIn("you are not logged in", next_step="log in with your link or token")
    form = await form_fields(request)
    check_csrf(room, caller.session, form.pop("csrf", ""))
    if not caller.expert.may(role):
        raise NotAllowed(f"this needs the role {role}", next_step="ask an admin")
    return caller, form


def needs(role: str) -> Callable[[Caller], Awaitable[Caller]]:
    """Return a dependency of FastAPI that gives the caller, and refuses anybody whose role does not reach `role`."""

    async def check(caller: Annotated[Caller, Depends(get_caller)]) -> Caller:
        if not caller.expert.may(role):
            raise NotAllowed(
                f"this needs the role {role}; yours is {caller.expert.role}", next_step="ask an admin"
            )
        return caller

    return check


needs_expert, needs_lead, needs_admin = needs("expert"), needs("lead"), needs("admin")
AnyExpert = Annotated[Caller, Depends(get_caller)]
Expert = Annotated[Caller, Depends(needs_expert)]
Lead = Annotated[Caller, Depends(needs_lead)]
Admin = Annotated[Caller, Depends(needs_admin)]
TheRoom = Annotated[Room, Depends(get_room)]
