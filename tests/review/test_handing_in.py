"""Experts write instructions on the page: each is checked once, comes into the queue, and is nobody's HTML."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from solon import Project
from solon.errors import UsageError
from solon.review.app import create_app
from solon.review.state import Options
from solon.store.reviewing.experts import add_expert

pytestmark = pytest.mark.anyio

HOSTILE = '<img src=x onerror="alert(1)"> {{ 7777 * 77777 }}'
GIVEN = {"prompt": f"How do I bleed a radiator? {HOSTILE}", "answer": f"Open its valve. {HOSTILE}"}


@pytest.fixture
def curating(tmp_path: Path) -> Any:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "routing": {"policy": "always"},
        "filters": {"request": {"similarity": 0.7, "within": "store"}},
    }
    with Project(f"sqlite:///{tmp_path}/s.db", config=config) as project:
        yield project


def tokens(project: Project) -> tuple[str, str]:
    return tuple(
        add_expert(project.store, role, role=role, by="local:test")[1] for role in ("expert", "worker")
    )


async def checked(app: Any) -> None:
    await asyncio.gather(*app.state.room.hand_ins._checking)


async def test_an_instruction_is_taken_once_checked_and_asked(
    curating: Project, serving: Any, client: Any
) -> None:
    expert, worker = tokens(curating)
    async with (
        serving(curating, hand_in="instruction-curate", work=True) as app,
        client(app, expert) as http,
        client(app, worker) as other,
    ):
        assert (await other.post("/api/v1/instructions", json=GIVEN)).status_code == 403
        assert (await http.post("/api/v1/instructions", json={**GIVEN, "answer": ""})).status_code == 422
        items = [(await http.post("/api/v1/instructions", json=GIVEN)).json()["item"] for _ in range(2)]
        await checked(app)
        assert len({*items}) == 1
        item = (await http.post("/api/v1/next")).json()["item"]
        assert (item["prompt"], item["candidates"][0]["text"]) == (GIVEN["prompt"], GIVEN["answer"])
        again = {"prompt": GIVEN["prompt"] + " Please.", "answer": "Ask somebody."}
        await http.post("/api/v1/instructions", json=again)
        await checked(app)
    assert sorted(one.state for one in curating.items()) == ["rejected", "waiting"], "the second repeats it"


async def test_the_form_of_the_page_hands_in_and_tells_what_became_of_it(
    curating: Project, serving: Any, client: Any
) -> None:
    expert, _ = tokens(curating)
    async with serving(curating, hand_in="instruction-curate", work=True) as app, client(app) as http:
        await http.post("/login", data={"token": expert})
        page = (await http.get("/write")).text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        assert csrf is not None
        assert 'href="/write"' in page
        assert (await http.post("/write", data=GIVEN)).status_code == 403, "a form of another site"
        empty = await http.post("/write", data={"csrf": csrf[1], "prompt": GIVEN["prompt"], "answer": ""})
        sent = await http.post("/write", data={"csrf": csrf[1], **GIVEN})
        await checked(app)
        told = (await http.get(sent.headers["location"])).text
    assert "write a request and an answer" in empty.text
    assert sent.status_code == 303
    assert "Your instruction was taken." in told
    assert "waiting" in told
    for html in (empty.text, told):
        assert "<img" not in html
        assert "How do I bleed a radiator?" in html
        assert str(7777 * 77777) not in html


async def test_a_server_without_a_worker_leaves_the_check_to_the_next_session(
    curating: Project, serving: Any, client: Any
) -> None:
    expert, _ = tokens(curating)
    async with serving(curating, hand_in="instruction-curate") as app, client(app, expert) as http:
        assert (await http.post("/api/v1/instructions", json=GIVEN)).status_code == 200
    (item,) = curating.items()
    assert item.state == "queued"
    assert await asyncio.to_thread(lambda: curating.resume(item.run_id).pending_review) == 1


async def test_nothing_is_handed_in_where_it_is_not_configured(
    curating: Project, serving: Any, client: Any
) -> None:
    expert, _ = tokens(curating)
    async with serving(curating) as app, client(app, expert) as http:
        assert (await http.post("/api/v1/instructions", json=GIVEN)).status_code == 404
    with pytest.raises(UsageError, match="there is no recipe 'curated'"):
        create_app(curating, Options(hand_in="curated"))
