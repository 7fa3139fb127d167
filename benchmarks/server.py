"""A fake OpenAI-compatible chat server for measurements: answers are prebuilt, so that it is not the bottleneck.

It is a fake. Drafts carry a number; the judge prefers the higher one whatever the order, so every panel agrees with
itself. It prints the port that it listens on, and lives until its standard input ends. Never imports Solon or an HTTP
library: its own cost must not be confused with theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from functools import partial
from itertools import cycle

DRAFTS = 997
_NUMBER = re.compile(rb"draft (\d{4})")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_LOGPROBS = re.compile(rb'"logprobs": ?true')
_WORDS = "Water boils when its vapour pressure equals the pressure of the air around it. " * 4


def _reply(content: str, logprobs: list[tuple[str, float]] | None = None) -> bytes:
    choice: dict[str, object] = {
        "index": 0,
        "message": {"role": "assistant", "content": content},
        "finish_reason": "length" if logprobs else "stop",
    }
    if logprobs:
        top = [{"token": token, "logprob": value, "bytes": None} for token, value in logprobs]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    body = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 0,
        "model": "fake",
        "choices": [choice],
        "usage": {"prompt_tokens": 200, "completion_tokens": 60, "total_tokens": 260},
    }
    data = json.dumps(body, separators=(",", ":")).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


# The principle is one of the starter constitution: any other breaks the schema, and Solon would ask again.
_FINDINGS = (
    '{"findings":[{"principle":"right-length","quote":"","severity":"minor","suggestion":"Say it shorter."}]}'
)
CRITIQUE = _reply(_FINDINGS)
PREFERS = {
    first: _reply(first, [(first, -0.05), (second, -3.0), (f" {first}", -6.0)])
    for first, second in ("AB", "BA")
}
_MODELS = b'{"object":"list","data":[{"id":"fake","object":"model"}]}'
MODELS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_MODELS)
    + _MODELS
)


class Chat(asyncio.Protocol):
    """One connection: keep-alive, requests in a row."""

    def __init__(self, drafts: Iterator[bytes], latency: float) -> None:
        self._drafts, self._latency = drafts, latency
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._buffer, 0, end)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            self._send(answer_to(body, self._drafts) if body else MODELS)

    def _send(self, answer: bytes) -> None:
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


def draft(number: int) -> bytes:
    """A draft of that number."""
    return _reply(f"draft {number:04d}. {_WORDS}")


def answer_to(body: bytes, drafts: Iterator[bytes]) -> bytes:
    """The answer to a request, head and body."""
    if _LOGPROBS.search(body):
        numbers = _NUMBER.findall(body)
        return PREFERS["A" if numbers[-2:] == sorted(numbers[-2:], reverse=True) else "B"]
    if b'"response_format"' in body:
        return CRITIQUE
    return next(drafts)


async def serve(latency: float) -> None:
    """Serve until standard input ends; the first line of standard output names the port."""
    loop = asyncio.get_running_loop()
    drafts = cycle([draft(number) for number in range(DRAFTS)])
    server = await loop.create_server(partial(Chat, drafts, latency), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--core", type=int, default=None)
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    asyncio.run(serve(given.latency))


if __name__ == "__main__":
    main()
