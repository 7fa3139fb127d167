"""Every request that is sent counts: tries after failures, questions for an answer that can be read, other forms. A
server that answers badly costs no more than the limit, and the summary tells what it wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fake_openai_server import FakeServer, completion, failure, serving

from solon.project import Project
from solon.workspace.views import RunSummary

Answer = Callable[[int, dict[str, Any]], web.Response | dict[str, Any]]


def run(folder: Path, answer: Answer, **limits: Any) -> tuple[RunSummary, FakeServer, int]:
    """A run of three seeds in two sessions; what the server was sent, and how many tokens it wrote."""
    written = 0

    async def handler(_request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        nonlocal written
        given = answer(len(server.requests), body)
        if isinstance(given, web.Response):
            return given
        written += given["usage"]["total_tokens"]
        return web.json_response(given)

    async def work() -> RunSummary:
        nonlocal server
        async with serving(handler) as server:
            model = {"model": "openai:m", "base_url": server.base_url, "retries": 2, "concurrency": 2}
            model["price"] = {"input": 1e6, "output": 1e6, "currency": "EUR"}
            config = {
                "models": {"default": model},
                "routing": {"policy": "never", "audit_share": 0},
                "limits": limits,
            }
            with Project(f"sqlite:///{folder / 'store.db'}", config=config) as project:
                for _ in range(2):
                    summary = await project.arun("preference", ["One?", "Two?", "Three?"])
        return summary

    server = FakeServer()
    return asyncio.run(work()), server, written


def draft(number: int, body: dict[str, Any]) -> dict[str, Any]:
    return completion(
        f"Answer {number}, which no schema holds." if "response_format" in body else f"Draft {number}"
    )


def test_unreadable_answers_are_told(tmp_path: Path) -> None:
    """Critics and judges are asked three times and never understood."""
    summary, server, written = run(tmp_path, draft)
    assert len(server.requests) == summary.model_calls > 30
    assert summary.tokens == written == 10 * len(server.requests)
    assert summary.cost == pytest.approx(written)


@pytest.mark.parametrize("most", [1, 2, 7, 20])
def test_no_request_is_sent_beyond_the_limit(tmp_path: Path, most: int) -> None:
    """Nor in the second session, where answers are failures, ask for another form, or cannot be read."""

    def badly(number: int, body: dict[str, Any]) -> web.Response | dict[str, Any]:
        if "temperature" in body:
            return failure(400, code="unsupported_value", param="temperature", message="not taken")
        return failure(500, message="broken") if number % 3 == 0 else draft(number, body)

    summary, server, written = run(tmp_path, badly, calls=most)
    assert len(server.requests) == summary.model_calls == most
    assert summary.stopped_because == f"--max-calls {most} reached"
    assert summary.tokens == written


def test_a_server_that_only_fails_stops_at_the_limit(tmp_path: Path) -> None:
    summary, server, _ = run(tmp_path, lambda number, body: failure(503, message="away"), calls=5)
    assert len(server.requests) == summary.model_calls == 5


def test_money_counts_for_what_nobody_could_read(tmp_path: Path) -> None:
    """Ten a request: with two in flight it ends at once where a hundred are spent, or one request later."""
    summary, _, written = run(tmp_path, draft, cost=100.0)
    assert summary.stopped_because == "--max-cost 100.0 reached"
    assert 100 <= written == summary.cost <= 120
