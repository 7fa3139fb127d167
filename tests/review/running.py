"""The real server on a port of its own, in a thread; it can be stopped and started again."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from solon.review.app import create_app
from solon.review.serve import make_config
from solon.review.state import Options


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Fail where something does not come true in time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.05)


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
        import uvicorn

        listening = socket.socket(proto=socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self.app = create_app(self.project, self.options)
        config = make_config(self.app, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]})
        self._thread.start()
        wait_for(lambda: self._server.started, 30)

    def stop(self) -> None:
        if self._thread is not None:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join()
            self._thread = None


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
