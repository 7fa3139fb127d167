"""Many reviewers at once, over HTTP: nothing is decided twice, nothing is lost.

The size is set by SOLON_REVIEW_ITEMS (default 200). Reviews are written straight to the store, as the graph leaves
them: this measures the queue, not the panel.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from sqlalchemy import func, select

from benchmarks.review_fill import fill
from solon.project import Project
from solon.store.database import audit_log
from solon.store.tables import table_of
from solon.store.tables.people import Assignment, Decision, Outbox, Review

REVIEWERS = 64
ITEMS = int(os.environ.get("SOLON_REVIEW_ITEMS", "200"))


def test_nothing_decided_twice_and_nothing_lost(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    fill(project, ITEMS, fields=False)
    total = ITEMS + 12
    tokens = [person(f"R{n}")[1] for n in range(REVIEWERS)]
    took: dict[str, list[float]] = {"next": [], "decide": []}

    async def work(app: Any, token: str, n: int) -> None:
        async with client(app, token) as http:
            while True:
                begun = time.perf_counter()
                found = (await http.post("/api/v1/next", json={})).json()
                took["next"].append(time.perf_counter() - begun)
                item = found["item"]
                if item is None:
                    return
                body = {
                    "token": item["token"],
                    "answer": {
                        "choice": "prefer",
                        "candidate": item["candidates"][n % 2]["id"],
                        "rationale": "r",
                    },
                }
                url = f"/api/v1/reviews/{item['review']}/decision"
                begun = time.perf_counter()
                sent = await asyncio.gather(*(http.post(url, json=body) for _ in range(1 + (n % 8 == 0))))
                took["decide"].append(time.perf_counter() - begun)
                assert {answer.status_code for answer in sent} == {200}
                assert len({answer.json()["decision"] for answer in sent}) == 1

    async def go() -> None:
        async with serving(project) as app:
            await asyncio.gather(*(work(app, token, n) for n, token in enumerate(tokens)))

    begun = time.perf_counter()
    asyncio.run(go())
    seconds = time.perf_counter() - begun
    with project.store.connect() as connection:
        decided = connection.execute(select(table_of(Decision).c.review_id)).scalars().all()
        outbox = connection.execute(select(func.count()).select_from(table_of(Outbox))).scalar_one()
        left = connection.execute(
            select(func.count()).where(table_of(Review).c.state != "decided")
        ).scalar_one()
        open_ = connection.execute(
            select(func.count()).where(table_of(Assignment).c.state == "leased")
        ).scalar_one()
    assert len(decided) == len(set(decided)) == outbox == total
    assert (left, open_) == (0, 0)
    assert audit_log.verify(project.store).intact
    for name, values in took.items():
        values.sort()
        middle, high = (1000 * values[int(len(values) * q)] for q in (0.5, 0.95))
        print(f"{name}: median {middle:.1f} ms, p95 {high:.1f} ms over {len(values)}")
    print(f"{total} reviews by {REVIEWERS} reviewers in {seconds:.1f} s: {total / seconds:.0f}/s")
