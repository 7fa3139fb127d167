"""Answers a second from a server a fifth of whose requests hang or are refused: `python -m benchmarks.sick_server`.

The server is a fake on loopback. It answers after 0.2 s; with 16 calls in flight and no fault that is 80 a second.
A request that it refuses gets 429 with `Retry-After: 1` at once; one that hangs is never answered, so that it ends with
the model's `timeout`. Which requests these are is drawn from a seed. 64 callers ask in turn, as the items of a run do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from typing import Any

from aiohttp import web

from solon.agents.calls import Ask, Caller, Meter, ModelPool
from solon.agents.memory import MemoryJournal
from solon.config import parse_config
from solon.config.sections import TracingConfig
from solon.errors import ModelError
from solon.prompts.library import Rendered
from solon.tracing import make_tracing

LATENCY = 0.2
CONCURRENCY = 16
CALLERS = 64
CASES: dict[str, dict[str, float]] = {
    "healthy": {},
    "a fifth refused": {"refuse": 0.2},
    "a fifth hangs": {"hang": 0.2},
    "a tenth refused, a tenth hangs": {"refuse": 0.1, "hang": 0.1},
}
ANSWER = {
    "choices": [{"index": 0, "message": {"content": "well"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
}


async def serve(draw: random.Random, refuse: float = 0.0, hang: float = 0.0) -> tuple[web.AppRunner, str]:
    """Start the fake server in this loop; returns it with its address."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        fate = draw.random()
        if fate < refuse:
            return web.Response(status=429, headers={"Retry-After": "1"})
        await asyncio.sleep(3600 if fate < refuse + hang else LATENCY)
        return web.json_response(ANSWER)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/v1"


async def measure(seconds: float, seed: int, more: dict[str, Any], **faults: float) -> dict[str, Any]:
    """Ask for so many seconds; the answers a second, and how many calls failed after all tries."""
    runner, address = await serve(random.Random(seed), **faults)
    model = {"model": "openai:m", "base_url": address, "concurrency": CONCURRENCY, "timeout": 5.0, **more}
    pool = ModelPool(parse_config({"models": {"default": model}}))
    meter = Meter()
    answered = failed = 0

    async def ask(text: str) -> None:
        caller = Caller(pool, MemoryJournal(), meter, make_tracing(TracingConfig()), {})
        await caller.call(Ask("judge", "1", "default", Rendered("", text, ""), 8, 0.0, 1))

    async def ask_on(caller_number: int) -> None:
        nonlocal answered, failed
        number = 0
        while time.monotonic() - begun < seconds:
            number += 1
            try:
                await ask(f"{caller_number}/{number}")
                answered += time.monotonic() - begun < seconds
            except ModelError:
                failed += 1

    await ask("warm up")  # what is imported at the first call takes a second
    begun = time.monotonic()
    callers = [asyncio.ensure_future(ask_on(number)) for number in range(CALLERS)]
    await asyncio.sleep(max(0.0, begun + seconds - time.monotonic()))
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    await pool.aclose()
    await runner.cleanup()
    return {
        "answers_a_second": round(answered / seconds, 1),
        "n": answered,
        "failed": failed,
        "requests": meter.calls,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=json.loads, default={}, help="further keys of the model, as JSON")
    options = parser.parse_args()
    for name, faults in CASES.items():
        found = asyncio.run(measure(options.seconds, options.seed, options.model, **faults))
        print(json.dumps({"case": name, **found}), flush=True)


if __name__ == "__main__":
    main()
