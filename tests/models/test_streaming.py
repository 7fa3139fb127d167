"""Streaming over a real HTTP server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from fake_openai_server import FakeServer, Handler, failure, serving
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import HumanMessage

from solon.errors import ModelRefused, ModelUnavailable

PROMPT = [HumanMessage("hi")]


def event(delta: dict[str, Any], **changes: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": None, **changes}
    return {"id": "s1", "model": "m-2026", "choices": [choice]}


USAGE = {
    "id": "s1",
    "choices": [],
    "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6},
}


def events(*items: dict[str, Any] | bytes, done: bool = True) -> Handler:
    async def handler(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "x-request-id": "req-s"})
        await response.prepare(request)
        await response.write(b": a comment\n\n")
        for item in items:
            data = item if isinstance(item, bytes) else b"data: " + json.dumps(item).encode()
            await response.write(data + b"\n\n")
        if done:
            await response.write(b"data: [DONE]\n\n")
        elif request.transport is not None:
            request.transport.abort()
        return response

    return handler


def collect(handler: Handler, **kwargs: Any) -> tuple[Any, FakeServer]:
    async def scene() -> tuple[Any, FakeServer]:
        async with serving(handler) as server:
            chat = server.chat()
            whole = None
            try:
                async for chunk in chat.astream(PROMPT, **kwargs):
                    whole = chunk if whole is None else whole + chunk
            finally:
                assert chat._transport.gate.in_flight == 0
                await chat.aclose()
            return whole, server

    return asyncio.run(scene())


def test_chunks_add_up_to_the_answer() -> None:
    handler = events(
        event({"role": "assistant", "content": "hel"}),
        event({"content": "lo"}),
        event({}, finish_reason="stop"),
        USAGE,
    )
    whole, server = collect(handler, max_tokens=5)
    assert whole.content == "hello"
    assert whole.usage_metadata["total_tokens"] == 6
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.response_metadata["request_id"] == "req-s"
    assert server.requests[0]["stream"] is True
    assert server.requests[0]["stream_options"] == {"include_usage": True}


def test_tool_calls_come_in_pieces() -> None:
    pieces = [
        event({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "look", "arguments": '{"a"'}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
    ]
    whole, _ = collect(events(*pieces))
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("look", {"a": 1})]


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    with pytest.raises(ModelUnavailable, match="broke off"):
        collect(events(event({"content": "hel"}), done=False))


def test_a_broken_event_and_an_error_event() -> None:
    with pytest.raises(ModelUnavailable, match="broke off"):
        collect(events(event({"content": "x"}), b"data: {nonsense"))
    with pytest.raises(ModelUnavailable, match="out of memory"):
        collect(events({"error": {"message": "out of memory"}}))


def test_refusals_and_tries_before_the_first_event() -> None:
    async def refusing(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return failure(400, message="no")

    with pytest.raises(ModelRefused):
        collect(refusing)
    fine = events(event({"content": "ok"}))
    asked = 0

    async def once_busy(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return failure(503, message="busy") if asked == 1 else await fine(request, body)

    whole, server = collect(once_busy)
    assert whole.content == "ok"
    assert len(server.requests) == 2


def test_who_listens_for_tokens_gets_each_once() -> None:
    tokens: list[str] = []

    class Listener(AsyncCallbackHandler):
        async def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            tokens.append(token)

    async def scene() -> None:
        async with serving(events(event({"content": "a"}), event({"content": "b"}))) as server:
            chat = server.chat()
            async for _ in chat.astream(PROMPT, {"callbacks": [Listener()]}):
                pass
            await chat.aclose()

    asyncio.run(scene())
    assert [token for token in tokens if token] == ["a", "b"]
