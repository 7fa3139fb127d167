"""The review server as an ASGI app: routes, error answers, security headers, limits, and the worker's life."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from solon import __version__
from solon.eval.report.promise_picture import picture_style
from solon.review.auth import TheRoom
from solon.review.description import TAGS, DescribedApi, gives
from solon.review.limits import BodyLimit, NoNul
from solon.review.problems import add_handlers
from solon.review.routes import (
    adjudication,
    api_page,
    desk,
    desk_pages,
    handing_in,
    inbox,
    law,
    law_pages,
    lead_pages,
    leads,
    pages,
    queue,
    sso,
)
from solon.review.schemas.queue import Health
from solon.review.scripts import script
from solon.review.state import Options, make_room
from solon.store.reviewing.reading import check_readable

if TYPE_CHECKING:
    from solon.project import Project
    from solon.review.metrics import Metrics

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}
ABOUT = """Experts answer what the panel of agents could not settle.

Log in with `Authorization: Bearer TOKEN`. Ask for work with `POST /api/v1/next`, answer under the lease's token with
`POST /api/v1/reviews/{id}/decision`. A repeated answer changes nothing. Before the answer, nothing tells why a
review is here or what the machines thought of it."""


def create_app(project: Project, options: Options | None = None) -> FastAPI:
    """Return the review server over an open project. The caller closes the project after the server has ended."""
    room = make_room(project, options or Options())

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        parts = [part for part in (room.worker, room.herald, room.jobs) if part is not None]
        for part in parts:
            part.start()
        try:
            yield
        finally:
            room.live.closing = True
            # Where the server is stopped at once, their tasks are cancelled already.
            stopping = (part.stop() for part in (*parts, room.checker, room.hand_ins))
            await asyncio.gather(*stopping, return_exceptions=True)

    app = DescribedApi(
        title="Solon reviews",
        version=__version__,
        description=ABOUT,
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        openapi_tags=[{"name": name, "description": about} for name, about in TAGS.items()],
        servers=[{"url": room.options.address or "/", "description": "this server"}],
    )
    app.state.room = room
    add_handlers(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(NoNul)
    app.add_middleware(Compressed)
    headers = HEADERS | OVER_TLS if room.options.secure else HEADERS
    app.add_middleware(HeadersAndTime, metrics=room.metrics, headers=headers)
    # Routes themselves, not their routers: an included router works all of its routes out again in each app.
    routers = [
        part.router
        for part in (queue, inbox, leads, desk, law, pages, lead_pages, desk_pages, law_pages, sso)
    ]
    routers += [queue.core, leads.law, leads.log, leads.mine, leads.people, desk.jobs, desk.log]
    routers += [adjudication.router, adjudication.mine, adjudication.page_router, api_page.router]
    routers += [handing_in.router, handing_in.page_router]
    for router in routers:
        app.router.routes.extend(router.routes)
    _add_script(app)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    _add_health(app)
    return app


class HeadersAndTime:
    """Security headers on every answer, and its time in the metrics. Bodies, streams too, pass through untouched."""

    def __init__(self, app: ASGIApp, metrics: Metrics, headers: dict[str, str]) -> None:
        self._app, self._metrics, self._headers = app, metrics, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
                path = getattr(scope.get("route"), "path", "other")
                self._metrics.seconds.labels(path).observe(time.perf_counter() - begun)
            await send(message)

        await self._app(scope, receive, send_on)


class Compressed:
    """Pages and what they load are compressed. Answers of the API are not: exports and events stream through it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._zipped = app, GZipMiddleware(app, minimum_size=600)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plain = scope["type"] != "http" or scope["path"].startswith(("/api/", "/metrics"))
        await (self._app if plain else self._zipped)(scope, receive, send)


def _add_script(app: FastAPI) -> None:
    @app.get("/static/script-{digest}.js", include_in_schema=False)
    def page_script(digest: str) -> Response:
        """The review page's script; an open page of an older server gets the one there is."""
        kept = {"Cache-Control": "public, max-age=31536000, immutable"} if digest in script()[0] else None
        return Response(script()[1], media_type="text/javascript", headers=kept)

    @app.get("/static/promise.css", include_in_schema=False)
    def promise_style() -> Response:
        """The style of the picture of what is promised, which the report has too."""
        return Response(picture_style(), media_type="text/css")


def _add_health(app: FastAPI) -> None:
    @app.get("/healthz", tags=["server"], operation_id="health")
    def healthz(room: TheRoom) -> Health:
        """Is the store readable, and the file at its place still the one that was opened?"""
        room.store.check_file()
        with room.store.connect() as connection:
            check_readable(connection)
        return Health(status="ok", version=__version__)

    @app.get("/metrics", tags=["server"], response_class=Response, responses=gives("text/plain"))
    def metrics(room: TheRoom) -> Response:
        """Prometheus: numbers only."""
        return Response(room.metrics.render(room.live.counts()), media_type="text/plain; version=0.0.4")
