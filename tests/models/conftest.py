"""Guards for the tests of the chat models: no network, no long waits. Puts this folder's fake server on the path."""

from __future__ import annotations

import ipaddress
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_fixed

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if (
            self.family in (socket.AF_INET, socket.AF_INET6)
            and not ipaddress.ip_address(address[0]).is_loopback
        ):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without a Retry-After wait no time worth speaking of."""
    monkeypatch.setattr("solon.agents.models.transport._BACKOFF", wait_fixed(0.001))
