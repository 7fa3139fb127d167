"""The server's worker learns from decisions under the rule of `solon resume`, and moves what that concerns."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from running import until
from sqlalchemy import select, text, update

from solon.project import Project
from solon.review import worker
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.verdicts import votes_on
from solon.store.tables import consensus_versions as versions
from solon.store.tables import decisions


@pytest.fixture
def piloted(tmp_path: Path) -> Any:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "generator": {"revise": False},
        "routing": {"policy": "pilot", "pilot": 60, "pilot_share": 0.5, "audit_share": 0.0, "threshold": 0.6},
    }
    with Project(f"sqlite:///{tmp_path}/solon.db", config=config) as project:
        project.store.key = "5a" * 32
        project.run("preference", [f"Explain topic {i * 7919 % 1000} in two sentences." for i in range(120)])
        yield project


def answer_pilot(project: Project) -> int:
    with project.store.connect() as connection:
        waiting = [
            r for r in list_reviews(connection, limit=1000) if r.rule == "pilot" and r.kind == "interrupt"
        ]
        votes = votes_on(connection, [(r.item_id, r.attempt, tuple(r.candidates)) for r in waiting])
    for review in waiting:
        shares = [v.p for v in votes[review.item_id] if v.p is not None]
        better = 0 if sum(shares) > len(shares) / 2 else 1
        answer = {"choice": "prefer", "candidate": review.candidates[better]}
        decide(project.store, review.id, answer, actor="expert:test", channel="api", counts=True)
    return len(waiting)


def numbers(project: Project, sql: str) -> int:
    with project.store.connect() as connection:
        return int(connection.execute(text(sql)).scalar_one())


def most_fitted(project: Project) -> int:
    """Decisions that the version with the most of them was fitted on."""
    with project.store.connect() as connection:
        query = select(versions.c.fitted_on).where(versions.c.number > 0)
        return max(len(fitted["decisions"]) for fitted in connection.execute(query).scalars())


VERSIONS = "SELECT count(*) FROM consensus_versions WHERE number > 0"
UNDER_WAY = "SELECT count(*) FROM items WHERE state IN ('queued', 'running')"


def test_a_server_learns_holds_the_newest_back_and_carries_on_what_moved(
    piloted: Project, serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LOOK_FOR_BEGUN", 0.1)
    answered = answer_pilot(piloted)
    calls = piloted.summarize().model_calls

    async def come_true(condition: Any) -> bool:
        return bool(await until(lambda: asyncio.to_thread(condition)))

    async def serve() -> tuple[int, int]:
        async with serving(piloted, work=True):
            assert await come_true(lambda: numbers(piloted, VERSIONS) >= 1)
            assert await come_true(lambda: numbers(piloted, UNDER_WAY) == 0)
            early = most_fitted(piloted)
            with piloted.store.transaction() as connection:  # the session ends
                connection.execute(update(decisions).values(decided_at=decisions.c.decided_at - 4000))
            assert await come_true(lambda: most_fitted(piloted) > early)
            assert await come_true(lambda: numbers(piloted, UNDER_WAY) == 0)
            return early, most_fitted(piloted)

    early, late = asyncio.run(serve())
    assert early < late <= answered
    summary = piloted.resume()  # the server may have ended while the last version carried its items on
    assert summary.model_calls == calls
    assert summary.accepted + summary.rejected + summary.pending_review + summary.failed == summary.items
    assert numbers(piloted, "SELECT count(*) FROM certificates") >= 1
