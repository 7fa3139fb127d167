"""The description of the API: FastAPI's, with every example as it was written, what each field means, how a caller
says who they are, and which refusals each operation can give."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from inspect import cleandoc
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from solon.review.auth import COOKIE, CSRF_HEADER, get_caller, needs_admin, needs_expert, needs_lead
from solon.review.schemas.queue import Problem, Wire
from solon.review.state import get_room

TAGS = {
    "core": "All that a client needs: lease the next review, keep it, keep a draft, answer it, give it back, undo.",
    "my queue": "The rest of a reviewer's work: progress, guidelines, explanations, earlier answers and outcomes.",
    "inbox": "The same work for clients that speak of interrupts: LangChain's inboxes (HumanInterrupt, HITLRequest), "
    "and AG-UI.",
    "leads": "For leads: what waits and why, the lineage of items, bulk decisions, proposals.",
    "adjudication": "For leads: questions on which reviewers differ.",
    "law": "Constitutions, rubrics, and their amendments.",
    "exports": "For leads: exports as jobs, and their files.",
    "people": "Who may log in. Admins add, revoke, and give new tokens.",
    "log": "For leads: the audit log, and what was told to webhooks.",
    "server": "Health and metrics, open to everybody.",
}
REFUSALS = {
    400: "The body is no JSON in UTF-8",
    401: "Not logged in",
    403: "The role does not reach, or the CSRF token is missing",
    404: "There is nothing with this id, or nothing of yours",
    408: "The request took longer than a minute to arrive",
    409: "It stands otherwise by now: the lease was lost, it was decided, or it does not wait",
    413: "The request is too large",
    422: "A field is wrong; `field` names it",
    503: "The store cannot be reached",
}
SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "the token of `solon expert add`"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "a browser that has logged in; over TLS the name begins with `__Host-`",
    },
    "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER, "description": "the page's own token"},
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how errors that a handler raises are described; those that follow from its signature are added to them."""
    return {status: {"model": Problem, "description": REFUSALS[status]} for status in statuses}


def gives(media_type: str) -> dict[int | str, dict[str, Any]]:
    """Return how an answer that is no JSON is described; of server-sent events, each of them."""
    schema: dict[str, Any] = {"type": "string"}
    if media_type == "application/octet-stream":
        schema["format"] = "binary"
    if media_type == "text/event-stream":
        schema = {"type": "object", "properties": {"data": schema}}
    return {200: {"content": {media_type: {"schema": schema}}}}


class DescribedApi(FastAPI):
    """FastAPI, with a description that says more than it finds by itself."""

    def openapi(self) -> dict[str, Any]:
        """Return the description as FastAPI makes it, with what our models and routes tell put in.

        That is our models' own examples, of which FastAPI leaves out the nulls; the lines that their docstrings have
        on fields, beside those fields; and for each operation its name, its security and its refusals.
        """
        if self.openapi_schema:
            return self.openapi_schema
        described = super().openapi()
        described["components"]["securitySchemes"] = SECURITY_SCHEMES
        schemas = described["components"]["schemas"]
        for route in self.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                for method in route.methods or ():
                    _describe(described["paths"][route.path_format][method.lower()], route)
        schemas |= {"Problem": Problem.model_json_schema()}
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for model in wire_models():
            schema = schemas.get(model.__name__, {})
            extra = model.model_config.get("json_schema_extra")
            if schema and isinstance(extra, dict):
                schema |= extra
            if schema:
                _explain_fields(schema, model)
        return described


def _describe(operation: dict[str, Any], route: APIRoute) -> None:
    """Name an operation, and say who may call it and which refusals they can meet."""
    calls = set(_calls(route.dependant))
    changes = route.methods != {"GET"}
    needed = {"admin": needs_admin, "lead": needs_lead, "expert": needs_expert}
    role = next((name for name, check in needed.items() if check in calls), "")
    operation["operationId"] = route.operation_id or route.name
    if get_caller in calls:
        cookie: dict[str, list[str]] = {"session": [], "csrf": []} if changes else {"session": []}
        operation["security"] = [{"token": []}, cookie]
    if role:
        operation["description"] += f"\n\nNeeds the role {role}."
    possible = {
        400: route.body_field is not None,
        401: get_caller in calls,
        403: role or (changes and get_caller in calls),
        404: bool(route.dependant.path_params),
        408: changes,
        413: changes,
        422: "parameters" in operation or "requestBody" in operation,
        503: get_room in calls,
    }
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in filter(possible.get, possible):
        operation["responses"][str(status)] = {"description": REFUSALS[status], "content": problem}
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    """Yield all that FastAPI calls before a handler, as its signature asks."""
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)


def _explain_fields(schema: dict[str, Any], model: type[Wire]) -> None:
    """Put what the docstring of a model, or of one that it extends, says of a field beside the field."""
    for one in model.__mro__:
        about, _, lines = cleandoc(one.__doc__ or "").partition("\n\nAttributes:\n")
        if lines and issubclass(one, Wire):
            for line in re.split(r"^ {4}(?! )", lines, flags=re.MULTILINE)[1:]:
                name, _, meaning = line.partition(": ")
                meaning = " ".join(meaning.split()).removesuffix(".")
                schema["properties"][name].setdefault("description", meaning)
        if lines and one is model:
            schema["description"] = about


def wire_models(model: type[Wire] = Wire) -> Iterator[type[Wire]]:
    """Yield every model of what goes over the wire, as far as their modules were imported; `model` is their root."""
    for one in model.__subclasses__():
        yield one
        yield from wire_models(one)
