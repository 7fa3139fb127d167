"""What one connection may take of the server: how long the head of a request, how much of a body, from whom."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from solon.review.auth import is_known
from solon.review.problems import problem

MAX_BODY = 1_500_000
"""Bytes of a request."""
MAX_OF_STRANGERS = 16_000
"""Bytes of a request by somebody who is not logged in: a login has no more."""
HEAD_SECONDS = 20.0
"""Until the head of a request must have arrived, from its first byte (of a connection's first one: from the start)."""
BODY_SECONDS = 60.0
"""Until its body must have arrived."""


class NoNul:
    """Refuses addresses with a NUL character: no name, id or word has one, and PostgreSQL takes none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ("\0" in scope["path"] or b"%00" in scope["query_string"]):
            await _NUL(scope, receive, send)
            return
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuses request bodies that are too large, also those that do not tell their length, and those that take too
    long. Of somebody who is not logged in only a small one is read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"")
        length = int(told) if told.isdigit() else MAX_BODY
        limit = MAX_BODY if length <= MAX_OF_STRANGERS or await is_known(Request(scope)) else MAX_OF_STRANGERS
        refused = _too_large(limit)
        if length <= limit or not told:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    chunks = await _read(receive, limit)
            except TimeoutError:
                chunks, refused = None, _too_slow()
            if chunks is not None:
                await self._app(scope, _replay(chunks, receive), send)
                return
        await refused(scope, receive, send)


async def _read(receive: Receive, limit: int) -> list[Message] | None:
    """The messages of a body; None where there is more of it than the limit."""
    chunks: list[Message] = []
    size, more = 0, True
    while more:
        message = await receive()
        chunks.append(message)
        size += len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
        if size > limit:
            return None
    return chunks


def _replay(chunks: list[Message], receive: Receive) -> Receive:
    async def replay() -> Message:
        return chunks.pop(0) if chunks else await receive()

    return replay


def _too_large(limit: int) -> Any:
    if limit < MAX_BODY:
        return problem(401, "not_logged_in", "you are not logged in", "log in with your link or token")
    return problem(413, "too_large", f"the request is larger than {limit} bytes", "send less")


_NUL = problem(422, "nul", "the address holds a NUL character (%00)", "send it without")


def _too_slow() -> Any:
    return problem(
        408, "too_slow", f"the request took longer than {BODY_SECONDS:.0f} seconds", "send it again"
    )


class TimedProtocol(H11Protocol):
    """A connection that is closed where the head of a request does not arrive in `HEAD_SECONDS`: the web server itself
    has a limit for silence between requests only."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        """Take what arrived; where it ends within a head, its time runs."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is waited for."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
