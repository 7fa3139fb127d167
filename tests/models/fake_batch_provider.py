"""A real HTTP server in a thread of its own that plays a provider with a batch API. It is a fake, and says so in each
of its answers; what it answers wrongly is up to the test."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

FAKE = "a fake provider: no model stands behind this answer"
Line = dict[str, Any]
Body = dict[str, Any]


def say(text: str = "hello", **changes: Any) -> Body:
    """A chat completion of this text."""
    return {
        "id": "chatcmpl-1",
        "model": "m-2026",
        "system_fingerprint": FAKE,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "total_tokens": 110,
            "prompt_tokens_details": {"cached_tokens": 60},
        },
        **changes,
    }


def line(request: Line, body: Body | None = None, *, status: int = 200, **changes: Any) -> Line:
    """A line of results for a request."""
    response = {"status_code": status, "request_id": "req-1", "body": body or say()}
    return {"id": "r", "custom_id": request["custom_id"], "response": response, "error": None, **changes}


@dataclass
class Result:
    """How a batch ends: its status, the lines of its two files (bytes as they are), and errors of the whole."""

    status: str = "completed"
    output: list[Line | bytes] = field(default_factory=list)
    errors: list[Line | bytes] = field(default_factory=list)
    whole: list[Line] = field(default_factory=list)


@dataclass
class Provider:
    """What the fake was sent, and how it answers.

    Attributes:
        work: number of the batch, from 0, and its requests -> how it ends; None: it goes on for ever.
        lose: how many answers to a new batch get lost, although it is made.
        away: how many looks at a batch fail.
        keeps_inputs: whether files that went up can be read again.
    """

    work: Callable[[int, list[Line]], Result | None]
    base_url: str = ""
    lose: int = 0
    away: int = 0
    keeps_inputs: bool = True
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, Body] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)

    @property
    def requests(self) -> list[list[Line]]:
        """The requests of each batch."""
        return [self.read(batch["input_file_id"]) for batch in self.batches.values()]

    def read(self, file: str) -> list[Line]:
        return [json.loads(one) for one in self.files[file].splitlines()]

    def keep(self, lines: list[Line | bytes]) -> str | None:
        if not lines:
            return None
        raw = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines]
        name = f"file-out-{len(self.files)}"
        self.files[name] = b"\n".join(raw) + b"\n"
        return name

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["purpose"] == "batch"
        name = f"file-in-{len(self.files)}"
        self.files[name] = form["file"].file.read()  # type: ignore[union-attr]
        return web.json_response({"id": name, "object": "file", "purpose": "batch", "fake": FAKE})

    async def create(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        assert wanted["completion_window"] == "24h"
        requests = self.read(wanted["input_file_id"])
        assert {one["url"] for one in requests} == {wanted["endpoint"]}
        name = f"batch_{len(self.batches)}"
        counts = {"total": len(requests), "completed": 0, "failed": 0}
        self.batches[name] = {
            "id": name, "object": "batch", "status": "in_progress", "created_at": len(self.batches), "fake": FAKE,
            "request_counts": counts, "output_file_id": None, "error_file_id": None, "errors": None, **wanted,
        }  # fmt: skip
        if self.lose:
            self.lose -= 1
            return web.Response(status=503)
        return web.json_response(self.batches[name])

    async def look(self, request: web.Request) -> web.Response:
        if self.away:
            self.away -= 1
            return web.Response(status=503)
        name = request.match_info["name"]
        batch = self.batches[name]
        if batch["status"] == "in_progress":
            result = self.work([*self.batches].index(name), self.read(batch["input_file_id"]))
            if result is not None:
                self.end(batch, result)
        return web.json_response(batch)

    def end(self, batch: Body, result: Result) -> None:
        batch["status"] = result.status
        batch["output_file_id"], batch["error_file_id"] = self.keep(result.output), self.keep(result.errors)
        batch["errors"] = {"object": "list", "data": result.whole} if result.whole else None

    async def cancel(self, request: web.Request) -> web.Response:
        batch = self.batches[request.match_info["name"]]
        self.cancelled.append(batch["id"])
        self.end(batch, Result("cancelled", [line(one) for one in self.read(batch["input_file_id"])[:1]]))
        return web.json_response({**batch, "status": "cancelling"})

    async def list(self, request: web.Request) -> web.Response:
        """Two a page, the newest first."""
        newest = [*self.batches.values()][::-1]
        after = request.query.get("after")
        begin = next((n + 1 for n, batch in enumerate(newest) if batch["id"] == after), 0)
        page = newest[begin : begin + 2]
        return web.json_response({"object": "list", "data": page, "has_more": len(newest) > begin + 2})

    async def content(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name.startswith("file-in-") and not self.keeps_inputs:
            return web.json_response({"error": {"message": "No such file"}}, status=404)
        return web.Response(body=self.files[name])


@contextmanager
def providing(work: Callable[[int, list[Line]], Result | None], **settings: Any) -> Iterator[Provider]:
    """A provider that listens on this machine."""
    provider = Provider(work, **settings)
    app = web.Application(client_max_size=2**28)
    app.router.add_post("/v1/files", provider.upload)
    app.router.add_get("/v1/files/{name}/content", provider.content)
    app.router.add_post("/v1/batches", provider.create)
    app.router.add_get("/v1/batches", provider.list)
    app.router.add_get("/v1/batches/{name}", provider.look)
    app.router.add_post("/v1/batches/{name}/cancel", provider.cancel)
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()

    asyncio.run_coroutine_threadsafe(begin(), loop).result(300)
    provider.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield provider
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(300)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(300)
        loop.close()
