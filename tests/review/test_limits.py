"""What one connection may take of the server: nothing large is read of strangers, and nobody is waited for for ever."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from running import Server

from solon.review import limits

NEXT = "POST /api/v1/next HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def say(server: Server, *pieces: str) -> bytes:
    """What comes back until the server has answered, or ended the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=300) as line:
        for piece in pieces:
            line.sendall(piece.encode())
        return read(line)


def read(line: socket.socket) -> bytes:
    """An answer, to the end of its JSON or of the connection."""
    found = b""
    while not found.endswith(b"}") and (more := line.recv(65_536)):
        found += more
    return found


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "credential", ["", "Authorization: Bearer nobody\r\n", "Cookie: solon_session=forged\r\n"]
)
def test_the_body_of_a_stranger_is_not_waited_for(server: Server, credential: str) -> None:
    answer = say(server, f"{NEXT}{credential}Content-Length: 1000000\r\n\r\n")
    assert status(answer) == 401
    assert b"not_logged_in" in answer


def test_no_address_holds_a_nul(server: Server) -> None:
    for address in ("/api/v1/reviews?text=a%00b", "/api/v1/items/%00x", "/?x=%00"):
        answer = say(server, f"GET {address} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status(answer) == 422, address
        assert b"NUL" in answer


def test_a_stranger_who_does_not_tell_the_length_is_read_so_far(server: Server) -> None:
    chunk = f"{limits.MAX_OF_STRANGERS + 1:x}\r\n{' ' * (limits.MAX_OF_STRANGERS + 1)}\r\n"
    assert status(say(server, f"{NEXT}Transfer-Encoding: chunked\r\n\r\n{chunk}")) == 401


def test_who_is_logged_in_may_send_long_texts(server: Server, person: Any) -> None:
    _, token = person("Ada")
    body = "{}".ljust(limits.MAX_BODY)
    head = f"{NEXT}Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    assert status(say(server, head, body)) == 200
    assert status(say(server, head.replace(str(len(body)), str(len(body) + 1)))) == 413


def test_a_body_that_does_not_come_is_answered(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.05)
    answer = say(server, f"{NEXT}Content-Length: 10\r\n\r\n{{")
    assert status(answer) == 408
    assert b"send it again" in answer


@pytest.mark.parametrize("begun", ["", "GET /healthz HTT", "GET /healthz HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_does_not_end_ends_the_connection(
    server: Server, monkeypatch: pytest.MonkeyPatch, begun: str
) -> None:
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.05)
    assert say(server, begun) == b""
    monkeypatch.setattr(limits, "HEAD_SECONDS", 20.0)
    with socket.create_connection(("127.0.0.1", server.port), timeout=300) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status(read(line)) == 200
        monkeypatch.setattr(limits, "HEAD_SECONDS", 0.05)
        line.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert read(line) == b"", "nor may a later one take its time"
