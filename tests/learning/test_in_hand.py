"""A new consensus version leaves alone what people have begun on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from solon import Project
from solon.questions import PAIR
from solon.store.learning import evidence
from solon.store.reviewing import queue
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.drafts import save_draft
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.runs.runs import find_run


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "generator": {"revise": False},
        "routing": {"policy": "always", "audit_share": 0.0},
    }
    with Project(f"sqlite:///{tmp_path}/solon.db", config=config) as made:
        made.run("preference", [f"Explain topic {i}." for i in range(5)])
        yield made


def test_what_is_leased_drafted_or_voted_on_stays_in_the_queue(project: Project) -> None:
    eva, _ = add_expert(project.store, "Eva", by="local:test")
    ann, _ = add_expert(project.store, "Ann", role="worker", by="local:test")
    with project.store.transaction() as connection:
        leased, drafted, given_back, voted, free = list_reviews(connection)
        queue.lease_review(connection, eva, leased.id)
        lease, _ = queue.lease_review(connection, eva, drafted.id)
        save_draft(connection, lease.id, eva.actor, {"rationale": "the first one says"})
        queue.release(connection, lease.id, eva.actor)
        lease, _ = queue.lease_review(connection, eva, given_back.id)
        queue.release(connection, lease.id, eva.actor)
        lease, _ = queue.lease_review(connection, ann, voted.id)
        answer = {"choice": "tie", "rationale": "the same"}
        answer_lease(
            project.store, connection, ann, lease.token, answer, review_id=voted.id, channel="api", times={}
        )
        movable = {j.review_id for j in evidence.judged_items(connection, find_run(connection).id, PAIR)}
    assert movable == {given_back.id, free.id}
