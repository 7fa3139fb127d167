"""A real HTTP server in the test's own event loop that speaks just enough of OpenAI's protocol, as each test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from solon.agents.models.openai_compatible import OpenAICompatibleChat

Handler = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


@dataclass
class FakeServer:
    """What a test's server was sent, and where it listens."""

    base_url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    def chat(self, **settings: Any) -> OpenAICompatibleChat:
        return OpenAICompatibleChat(**{"model": "m", "base_url": self.base_url, "retries": 2, **settings})


@asynccontextmanager
async def serving(handler: Handler, models: list[dict[str, Any]] | None = None) -> AsyncIterator[FakeServer]:
    fake = FakeServer()

    async def completions(request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        fake.requests.append(body)
        fake.headers.append(dict(request.headers))
        fake.in_flight += 1
        fake.most_in_flight = max(fake.most_in_flight, fake.in_flight)
        try:
            return await handler(request, body)
        finally:
            fake.in_flight -= 1

    async def offered(request: web.Request) -> web.StreamResponse:
        if models is None:
            return web.Response(status=404)
        return web.json_response({"object": "list", "data": models})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", completions)
    app.router.add_post("/v1/completions", completions)
    app.router.add_get("/v1/models", offered)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    fake.base_url = f"http://127.0.0.1:{port}/v1"
    try:
        yield fake
    finally:
        await runner.cleanup()


def completion(text: str | None = "hello", **changes: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **changes.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **changes.pop("choice", {})}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m-2026",
        "choices": [choice],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        **changes,
    }


def answering(*answers: web.Response | dict[str, Any] | str | Exception) -> Handler:
    """A handler that gives one answer after the other, the last one for ever."""
    left = list(answers)

    async def handler(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer == "hang up":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if answer == "hang":
            await asyncio.sleep(30)
        if isinstance(answer, web.Response):
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        return web.json_response(answer, headers={"x-request-id": "req-9"})

    return handler


def failure(status: int, headers: dict[str, str] | None = None, **error: Any) -> web.Response:
    return web.Response(
        status=status, text=json.dumps({"error": error}), content_type="application/json", headers=headers
    )
