"""The real server on a port of its own, in a thread; it can be stopped and started again."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import uvicorn

from solon.review.app import create_app
from solon.review.serve import make_config
from solon.review.state import Options

HANGS = 300.0
"""Seconds after which something that is waited for hangs: no busy machine takes so long."""


def wait_for(condition: Callable[[], Any]) -> None:
    """Fail where something does not come true in time."""
    end = time.monotonic() + HANGS
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


async def until(condition: Callable[[], Any]) -> Any:
    """What a function, or a coroutine function, gives once that is true; fails where it does not come true in time."""
    end = time.monotonic() + HANGS
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.05)


class _Tidy(uvicorn.Server):
    """A server that leaves no socket open: not of who comes just as it ends, nor of who has not read all yet."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for _ in range(10):  # who was let in is known some rounds of the loop later
            await asyncio.sleep(0)
        for connection in list(self.server_state.connections):
            connection.transport.abort()  # type: ignore[union-attr]
        await asyncio.sleep(0)


class Server:
    """A server over an open project."""

    def __init__(self, project: Any, **options: Any) -> None:
        self.project, self.port = project, 0
        self.options = Options(**{"poll_seconds": 0.1, **options})
        self.app: Any = None
        self._server: Any = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        listening = socket.socket(proto=socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self.app = create_app(self.project, self.options)
        config = make_config(self.app, log_level="error", timeout_graceful_shutdown=1)
        self._server = _Tidy(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]})
        self._thread.start()
        wait_for(lambda: self._server.started)

    def stop(self) -> None:
        if self._thread is not None:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join()
            self._thread = None


_ports = itertools.count(10_000 + os.getpid() % 2_000 * 10)


def free_port() -> int:
    """A port that nothing listens on, and that the system gives to nobody who asks it for any."""
    for port in _ports:
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("there is no free port")
