"""Calls of the API by the names of its operations, as several people."""

from __future__ import annotations

from typing import Any

import httpx
from running import Server

from solon.review.auth import COOKIE

NOWHERE = "0" * 24
TIE = {"choice": "tie", "rationale": "Equal."}
NEITHER = {"choice": "both_bad", "rationale": "Neither."}


class Caller:
    """Calls operations by their names, and keeps the statuses that they gave."""

    def __init__(self, server: Server, tokens: dict[str, str]) -> None:
        described = server.app.openapi()["paths"]
        self.operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, methods in described.items()
            for method, operation in methods.items()
        }
        self.given: dict[str, set[int]] = {name: set() for name in self.operations}
        self.address, self.tokens, self.http = (
            server.address,
            tokens,
            httpx.Client(base_url=server.address, timeout=300),
        )
        self.http.post("/login", data={"token": tokens["admin"]})
        self.cookie = {"Cookie": f"{COOKIE}={self.http.cookies[COOKIE]}"}
        self.http.cookies.clear()

    def send(
        self, name: str, role: str = "", ids: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """Call an operation as a role; path parameters that `ids` lacks are those of nothing."""
        method, path, _ = self.operations[name]
        values = {part.partition("}")[0]: NOWHERE for part in path.split("{")[1:]}
        values |= {key: "99" for key in values if key == "place"} | (ids or {})
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        answer = self.http.request(
            method, path.format(**values), headers=headers | more.pop("headers", {}), **more
        )
        self.given[name].add(answer.status_code)
        return answer

    def call(self, name: str, role: str, ids: dict[str, str] | None = None, **body: Any) -> Any:
        """Call an operation that must succeed, and return what it answers."""
        answer = self.send(name, role, ids, json=body)
        assert answer.status_code < 300, (name, answer.text)
        return answer.json()

    def answer(self, role: str, item: dict[str, Any], given: dict[str, Any]) -> Any:
        """Answer an item that was leased, and return what became of the answer."""
        return self.call("decision", role, {"review_id": item["review"]}, token=item["token"], answer=given)

    def asked_again(self, review: str) -> str:
        """The review that puts the question of an answered one to a second person."""
        found = self.send("list_reviews", "lead", params={"kind": "overlap"}).json()["reviews"]
        same = self.send("review_lineage", "lead", {"review_id": review}).json()["item"]["id"]
        return next(str(one["id"]) for one in found if one["item_id"] == same)
