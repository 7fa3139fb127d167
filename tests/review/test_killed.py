"""The server killed with SIGKILL while reviewers answer: every answer counts once, and the totals add up."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from cases import build, seeds
from running import free_port
from sqlalchemy import func, select

from solon.project import Project
from solon.store.database import audit_log
from solon.store.reviewing.experts import add_expert
from solon.store.tables import table_of
from solon.store.tables.people import Decision, Outbox, Review
from solon.store.tables.runs import Item

ITEMS = int(os.environ.get("SOLON_KILL_ITEMS", "24"))
REVIEWERS = 6
TOML = '[models.default]\nmodel = "scripted:split"\n[routing]\npolicy = "always"\n'


def start(folder: Path, url: str, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "solon", "review", "serve", "--store", url, "--port", str(port)]
    with (folder / "server.txt").open("ab") as said:
        process = subprocess.Popen(
            [*command, "--config", str(folder / "solon.toml")], stderr=said, stdout=said
        )
    until = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < until:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2).status_code == 200:
                return process
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    process.kill()
    process.wait()
    raise AssertionError(f"the server did not start: {(folder / 'server.txt').read_text()}")


async def work(address: str, token: str, told: dict[str, str], n: int) -> None:
    """Answer until nothing waits. What cannot be sent is sent again under the same token, as the page does."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=300) as http:

        async def send(path: str, body: Any) -> Any:
            for _ in range(600):
                try:
                    answer = await http.post(f"/api/v1{path}", json=body)
                    if answer.status_code < 500:
                        return answer
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)
            raise AssertionError("the server did not come back")

        while (item := (await send("/next", {})).json()["item"]) is not None:
            chosen = item["candidates"][n % 2]["id"]
            answer = {"choice": "prefer", "candidate": chosen, "rationale": "r"}
            body = {"token": item["token"], "answer": answer}
            done = await send(f"/reviews/{item['review']}/decision", body)
            assert done.status_code == 200, done.text
            assert done.json()["kind"] == "decided"
            assert told.setdefault(item["review"], done.json()["decision"]) == done.json()["decision"]


def test_totals_add_up_after_a_kill(tmp_path: Path) -> None:
    url = build(tmp_path, seeds(ITEMS))
    (tmp_path / "solon.toml").write_text(TOML)
    with Project(url, config=tmp_path / "solon.toml") as project:
        tokens = [add_expert(project.store, f"R{n}", by="local:test")[1] for n in range(REVIEWERS)]
    port = free_port()
    told: dict[str, str] = {}
    server = [start(tmp_path, url, port)]

    async def kill_in_the_middle() -> None:
        for share in (0.25, 0.6):
            while len(told) < ITEMS * share:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            os.kill(server[0].pid, signal.SIGKILL)
            server[0].wait()
            server[0] = await asyncio.to_thread(start, tmp_path, url, port)

    async def go() -> None:
        people = [work(f"http://127.0.0.1:{port}", token, told, n) for n, token in enumerate(tokens)]
        await asyncio.gather(kill_in_the_middle(), *people)

    try:
        asyncio.run(asyncio.wait_for(go(), 400))
        with Project(url, config=tmp_path / "solon.toml") as project:
            until = time.monotonic() + 300
            while project.summarize().decisions_to_apply and time.monotonic() < until:
                time.sleep(0.2)
    finally:
        server[0].terminate()
        server[0].wait()
    with Project(url, config=tmp_path / "solon.toml") as project:
        project.resume()
        summary = project.summarize()
        with project.store.connect() as connection:
            rows = connection.execute(select(table_of(Decision))).mappings().all()
            reviews = connection.execute(select(table_of(Review).c.state)).scalars().all()
            open_ = select(func.count()).where(table_of(Outbox).c.applied_at.is_(None))
            left = connection.execute(open_).scalar_one()
            states = connection.execute(select(table_of(Item).c.state)).scalars().all()
        assert audit_log.verify(project.store).intact
    assert {row["review_id"]: row["id"] for row in rows} == told
    assert len(rows) == len(told) == len(reviews) == ITEMS
    assert set(reviews) == {"decided"}
    assert (left, summary.decisions_to_apply) == (0, 0)
    assert set(states) == {"accepted"}
    assert summary.accepted == ITEMS
