"""The stream of the queue's counts over HTTP: it tells changes, and ends with the access of whoever follows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from running import Server

from solon.project import Project
from solon.store.reviewing.experts import rotate_token
from solon.store.reviewing.sessions import begin_session, end_session, revoke_expert


@contextmanager
def following(server: Server, **headers: str) -> Iterator[Iterator[str]]:
    """The lines of the stream."""
    url = f"{server.address}/api/v1/events"
    with httpx.stream("GET", url, headers=headers, timeout=300) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield answer.iter_lines()


def next_counts(lines: Iterator[str]) -> dict[str, Any]:
    for line in lines:
        if line.startswith("data: "):
            return dict(json.loads(line.removeprefix("data: ")))
    raise AssertionError("the stream ended")


def test_the_stream_tells_changes(server: Server, project: Project, person: Any) -> None:
    _, token = person("Ada")
    with following(server, Authorization=f"Bearer {token}") as lines:
        assert next_counts(lines)["free"] == 12
        review = project.reviews()[0]
        project.decide(review.id, "prefer", review.candidates[0].id)
        assert next_counts(lines)["free"] == 11


def test_nobody_follows_without_access(server: Server) -> None:
    assert httpx.get(f"{server.address}/api/v1/events").status_code == 401


@pytest.mark.parametrize("how", ["revoked", "rotated", "logged out"])
def test_the_stream_ends_with_the_access(server: Server, project: Project, person: Any, how: str) -> None:
    ada, token = person("Ada")
    headers = {"Authorization": f"Bearer {token}"}
    if how == "logged out":
        with project.store.transaction() as connection:
            secret = begin_session(project.store, connection, ada)
        room = server.app.state.room
        headers = {"Cookie": f"solon_session={room.signer.dumps(secret)}"}
    with following(server, **headers) as lines:
        assert next_counts(lines)["free"] == 12
        if how == "revoked":
            revoke_expert(project.store, ada.id, by="local:test")
        elif how == "rotated":
            rotate_token(project.store, ada.id, by="local:test")
        else:
            with project.store.transaction() as connection:
                end_session(project.store, connection, secret, ada)
        assert len(list(lines)) < 10, "it ends, though nothing changes in the queue"
