"""Errors as HTTP answers: one shape for programs, with cause, next step and field; a page for people."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from solon.errors import AlreadyDecided, InvalidDecision, NotPending, SolonError, StoreError, UsageError
from solon.review.auth import CSRF_HEADER, NotAllowed, NotLoggedIn, form_fields
from solon.review.rendering import render
from solon.review.state import get_room
from solon.store.reviewing.review_rows import LeaseLost, NotThere

STATUS: tuple[tuple[type[SolonError], int, str], ...] = (
    (NotLoggedIn, 401, "not_logged_in"),
    (NotAllowed, 403, "not_allowed"),
    (NotThere, 404, "not_there"),
    (LeaseLost, 409, "lease_lost"),
    (AlreadyDecided, 409, "already_decided"),
    (NotPending, 409, "not_pending"),
    (InvalidDecision, 422, "invalid"),
    (UsageError, 422, "invalid"),
    (StoreError, 503, "store"),
)
HEADINGS = {401: "You are not logged in", 403: "Not allowed", 404: "Not found"}


def add_handlers(app: FastAPI) -> None:
    """Make the app answer every failure in one shape, that of `schemas.queue.Problem`, or with a page."""
    app.add_exception_handler(SolonError, _solon_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)


def problem(status: int, code: str, cause: str, next_step: str = "", **more: Any) -> JSONResponse:
    """Return an error as JSON in the one shape that all have; `more` sets `field` or `kept`."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    content = {"error": code, "cause": cause, "next_step": next_step, "field": None, "kept": None, **more}
    return JSONResponse(content, status, headers=headers)


def reads_pages(request: Request) -> bool:
    """Tell whether a person waits for a page, rather than a program for an answer."""
    path = request.url.path
    return not path.startswith(("/api/", "/page/")) and "text/html" in request.headers.get("Accept", "")


async def problem_page(request: Request, status: int, cause: str, next_step: str) -> HTMLResponse:
    """Return an error as a page. It repeats what was written in a form that could not be taken: no sentence is lost."""
    written: list[str] = []
    if request.method == "POST" and request.url.path != "/login":
        with suppress(SolonError):
            fields = await form_fields(request)
            written = [text for name, text in fields.items() if name != "csrf" and " " in text.strip()]
    room = get_room(request)
    heading = room.language.gettext(HEADINGS.get(status, "This did not work"))
    said = [room.language.tell(words) for words in (cause, next_step) if words]
    told = [words[:1].upper() + words[1:].rstrip(".") + "." for words in said]
    return HTMLResponse(
        render(room, "problem.html", heading=heading, told=told, written=written, status=status),
        status,
    )


def status_of(error: SolonError) -> tuple[int, str]:
    """Return the HTTP status of an error, and its code for programs."""
    found = ((status, code) for kind, status, code in STATUS if isinstance(error, kind))
    return next(found, (500, "internal"))


async def _solon_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SolonError)
    status, code = status_of(error)
    if status == 401 and not request.url.path.startswith("/api/") and request.method == "GET":
        return RedirectResponse("/login", 303)
    if reads_pages(request):
        return await problem_page(request, status, error.cause, error.next_step)
    more: dict[str, Any] = {}
    if isinstance(error, LeaseLost):
        more["kept"] = error.kept
    head, colon, _ = error.cause.partition(":")
    if code == "invalid" and colon and " " not in head:
        more["field"] = head
    # The page tells a person what is wrong in the language of the pages; the API keeps to its English.
    say = get_room(request).language.tell if CSRF_HEADER in request.headers else str
    return problem(status, code, say(error.cause), say(error.next_step), **more)


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    cause = f"{field}: {first['msg']}"
    if first["type"] == "json_invalid":
        field, cause = "body", f"the body is no JSON: {first['ctx']['error']}, at character {field}"
    if reads_pages(request):
        return await problem_page(request, 422, cause, "")
    return problem(422, "invalid", cause, "see /api/v1/openapi.json for what is expected", field=field)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if reads_pages(request):
        told = "there is no such page" if error.status_code == 404 else str(error.detail)
        return await problem_page(request, error.status_code, told, "")
    advice = "see /api/v1/openapi.json for the paths" if error.status_code in (404, 405) else ""
    return problem(error.status_code, "http", str(error.detail), advice)
