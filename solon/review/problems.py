"""Errors as HTTP answers: one shape, with cause, next step and the field that is wrong."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from solon.errors import AlreadyDecided, InvalidDecision, NotPending, SolonError, StoreError, UsageError
from solon.review.auth import NotAllowed, NotLoggedIn
from solon.store.reviews import LeaseLost, NotThere

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


def add_handlers(app: FastAPI) -> None:
    """Answer every failure in the one shape of `schemas.Problem`."""
    app.add_exception_handler(SolonError, _solon_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)


def problem(status: int, code: str, cause: str, next_step: str = "", **more: Any) -> JSONResponse:
    """The one shape of an error."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    content = {"error": code, "cause": cause, "next_step": next_step, "field": None, "kept": None, **more}
    return JSONResponse(content, status, headers=headers)


async def _solon_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SolonError)
    status, code = next(
        ((status, code) for kind, status, code in STATUS if isinstance(error, kind)), (500, "internal")
    )
    if status == 401 and not request.url.path.startswith("/api/") and request.method == "GET":
        return RedirectResponse("/login", 303)
    more: dict[str, Any] = {}
    if isinstance(error, LeaseLost):
        more["kept"] = error.kept
    head, colon, _ = error.cause.partition(":")
    if code == "invalid" and colon and " " not in head:
        more["field"] = head
    return problem(status, code, error.cause, error.next_step, **more)


async def _invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return problem(422, "invalid", f"{field}: {first['msg']}", "see /docs for what is expected", field=field)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, "http", str(error.detail))
