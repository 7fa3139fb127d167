"""Every kind of answer keeps when it was opened, when the first input came, and how long it was worked on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from solon.project import Project
from solon.store.records.evaluation import answers
from solon.store.reviewing import queue
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.experts import ExpertRow
from solon.store.reviewing.review_lists import work_by_actor
from solon.store.tables import table_of
from solon.store.tables.people import Assignment, Review

assignments, reviews = table_of(Assignment), table_of(Review)
SPENT = {"opened_at": 1000.0, "first_input_at": 1003.5}


def give(
    project: Project, expert: ExpertRow, lease: Any, review: Any, choice: str, seconds: float, **more: Any
) -> None:
    given: dict[str, Any] = {"choice": choice, "rationale": "clear", **more}
    if choice == "prefer":
        given["candidate"] = review.candidates[0]
    with project.store.transaction() as connection:
        answer_lease(
            project.store, connection, expert, lease.token, given,
            review_id=review.id, channel="page", times={**SPENT, "active_seconds": seconds},
        )  # fmt: skip


def take(project: Project, expert: ExpertRow) -> tuple[Any, Any]:
    with project.store.transaction() as connection:
        found = queue.lease_next(connection, expert)
    assert found is not None
    return found


def kept(project: Project) -> dict[str, dict[str, Any]]:
    """state -> the times that an assignment of it keeps."""
    with project.store.connect() as connection:
        query = select(assignments.c.state, assignments.c.answer).where(assignments.c.answer.is_not(None))
        return {state: answer.get("times") for state, answer in connection.execute(query)}


@pytest.mark.parametrize(
    ("choice", "state"), [("skip", "skipped"), ("decline", "declined"), ("escalate", "escalated")]
)
def test_whatever_is_set_aside_keeps_its_times(
    project: Project, person: Any, choice: str, state: str
) -> None:
    ada = person("Ada")[0]
    more = {"reason": "not_my_field"} if choice == "decline" else {}
    give(project, ada, *take(project, ada), choice, 4.0, **more)
    assert kept(project)[state] == {**SPENT, "active_seconds": 4.0}
    with project.store.connect() as connection:
        work = work_by_actor(connection)[ada.actor]
    assert getattr(work, state) == 1
    assert work.median_seconds is None, "setting aside is no answer"


def test_votes_and_second_opinions_are_timed_like_decisions(project: Project, person: Any) -> None:
    wim, ada, bo = person("Wim", role="worker")[0], person("Ada")[0], person("Bo")[0]
    voted = take(project, wim)
    give(project, wim, *voted, "prefer", 12.0)
    mine = take(project, ada)
    with project.store.transaction() as connection:
        late = update_expired(connection, mine[0].id)
        theirs = queue.lease_review(connection, bo, mine[1].id)
    assert late == 1
    give(project, bo, *theirs, "prefer", 30.0)
    give(project, ada, *mine, "prefer", 50.0)
    told = kept(project)
    assert told["vote"] == {**SPENT, "active_seconds": 12.0}
    assert told["second"] == {**SPENT, "active_seconds": 50.0}
    with project.store.connect() as connection:
        work = work_by_actor(connection)
        found = {one.actor: one.active_seconds for one in answers(connection, [mine[1].run_id])}
    assert (work[wim.actor].vote, work[wim.actor].median_seconds) == (1, 12.0)
    assert (work[ada.actor].second, work[ada.actor].median_seconds) == (1, 50.0)
    assert (work[bo.actor].decided, work[bo.actor].median_seconds) == (1, 30.0)
    assert found == {ada.actor: 50.0, bo.actor: 30.0}


def update_expired(connection: Any, lease_id: str) -> int:
    """The lease ran out, and the review is free again."""
    from sqlalchemy import update

    done = connection.execute(update(assignments).where(assignments.c.id == lease_id).values(expires_at=1.0))
    queue.expire(connection)
    return int(done.rowcount)


def test_a_lead_reads_the_times_of_a_voter(project: Project, person: Any, serving: Any, client: Any) -> None:
    wim, token = person("Wim", role="worker")
    lead = person("Lea", role="lead")[1]

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http, client(app, lead) as desk:
            item = (await http.post("/api/v1/next", json={})).json()["item"]
            answer = {"choice": "prefer", "candidate": item["candidates"][0]["id"], "rationale": "r"}
            body = {"token": item["token"], "answer": answer, "times": {"active_seconds": 21.0}}
            done = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=body)
            assert done.json()["kind"] == "vote"
            team = (await desk.get("/api/v1/statistics")).json()["team"]
            (own,) = [one for one in team if one["id"] == wim.id]
            assert (own["decided"], own["vote"], own["median_seconds"]) == (0, 1, 21.0)
            page = await desk.get("/lead/reviewers")
            assert "Votes</th>" in page.text

    asyncio.run(go())
