"""The page that lists the operations of the API, made from its description; it loads nothing from elsewhere."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from solon.review.rendering import environment

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def api_page(request: Request) -> HTMLResponse:
    """The page of the API, open to everybody, as its description is."""
    described = request.app.openapi()
    groups = [(tag, list_operations(described, tag["name"])) for tag in described["tags"]]
    page = environment().get_template("api.html")  # in English, as the description is
    return HTMLResponse(page.render(about=described["info"]["description"], groups=groups))


def list_operations(described: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    """Return the operations under a tag as the page shows them, with bodies and good answers as `_read` gives them."""
    return [
        {
            "id": operation["operationId"],
            "method": method.upper(),
            "path": path,
            "about": operation["description"].split("\n\n"),
            "parameters": operation.get("parameters", []),
            "body": _read(described, operation.get("requestBody", {})),
            "answers": [
                (status, answer["description"], _read(described, answer) if status < "3" else None)
                for status, answer in operation["responses"].items()
            ],
        }
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
        if tag in operation["tags"]
    ]


def _read(described: dict[str, Any], part: dict[str, Any]) -> dict[str, Any] | None:
    """The name, fields and example (indented JSON) of a body or an answer; None where it is no JSON."""
    found = part.get("content", {}).get("application/json", {}).get("schema")
    if found is None:
        return None
    name = found.get("items", found).get("$ref", "").rpartition("/")[2]
    schema = described["components"]["schemas"].get(name, {})
    example = next(iter(schema.get("examples", [])), None)
    shown = [example] if "items" in found else example
    return {
        "name": name,
        "fields": schema.get("properties", {}),
        "required": schema.get("required", []),
        "example": json.dumps(shown, indent=2, ensure_ascii=False) if example is not None else "",
    }
