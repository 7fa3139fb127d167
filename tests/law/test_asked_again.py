"""Experts are asked again what they decided long ago: blind, told apart by nothing, and counted for nothing else."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, text

from solon.eval.material import Material
from solon.eval.suites import drift
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.known import Mix, next_known
from solon.store.reviewing.queue import lease_next, reveal
from solon.store.reviewing.repeats import repeated_answers
from solon.store.reviewing.review_rows import find_review
from solon.store.runs.runs import all_runs
from solon.store.tables import reviews

from .conftest import Court

DAY = 86400.0
MIX = Mix(repeat_share=1.0, repeat_days=30.0)


def age(court: Court, days: float, of: str = "1 = 1") -> None:
    """Everything happened so long ago; the items came to their end."""
    with court.store.transaction() as connection:
        connection.execute(text(f"UPDATE decisions SET decided_at = decided_at - {days * DAY} WHERE {of}"))
        connection.execute(text("UPDATE items SET state = 'accepted' WHERE state = 'waiting'"))


def ask(court: Court, mix: Mix = MIX) -> Any:
    """What the queue hands to Ada: (lease, review), or None."""
    with court.store.transaction() as connection:
        return lease_next(
            connection,
            court.ada,
            offer=lambda: next_known(court.store, connection, court.ada, mix),
        )


def answer(court: Court, lease: Any, review: Any, candidate: str) -> Any:
    with court.store.transaction() as connection:
        given = {"choice": "prefer", "candidate": candidate, "rationale": "It names the unit."}
        return answer_lease(
            court.store,
            connection,
            court.ada,
            lease.token,
            given,
            review_id=review.id,
            channel="api",
            times={},
        )


def state(court: Court) -> Any:
    """What must not change by an answer that is asked again."""
    counted = "SELECT count(*) FROM {}"
    tables = ("precedents", "records", "outbox", "adjudications")
    with court.store.connect() as connection:
        rows = [connection.execute(text(counted.format(name))).scalar() for name in tables]
        known = connection.execute(text("SELECT count(*) FROM decisions WHERE counts")).scalar()
    return rows, known


def test_own_decisions_are_asked_again_only_after_their_time(court: Court) -> None:
    assert ask(court) is None  # decided just now
    age(court, 29)
    assert ask(court) is None
    age(court, 2)
    assert ask(court, Mix(repeat_share=0.0)) is None
    lease, review = ask(court)
    assert (review.kind, review.prefer_actor) == ("repeat", court.ada.actor)
    with court.store.connect() as connection:
        first = connection.execute(
            text("SELECT r.id FROM reviews r WHERE r.content_hash = :h AND r.kind = 'interrupt'"),
            {"h": review.content_hash},
        ).scalar()
        original = find_review(connection, str(first))
    assert review.candidates == original.candidates
    before = state(court)
    answer(court, lease, review, review.candidates[0])
    assert state(court) == before
    following = ask(court)
    assert following is not None
    assert following[1].content_hash != review.content_hash  # not the same one a moment later


def test_answers_say_whether_the_expert_moved(court: Court) -> None:
    age(court, 40)
    with court.store.connect() as connection:
        said = dict(connection.execute(text("SELECT content_hash, candidate_id FROM decisions")).all())
    for turn in range(12):
        lease, review = ask(court)
        own = said[review.content_hash]
        other = next(c for c in review.candidates if c != own)
        answer(court, lease, review, other if turn < 3 else own)
    with court.store.connect() as connection:
        found = repeated_answers(connection)
        runs = all_runs(connection)
    assert (len(found), sum(repeat.same for repeat in found)) == (12, 9)
    assert all(39 < repeat.days < 41 for repeat in found)
    told = drift.evaluate(Material(court.store, tuple(runs)))
    [each] = told.by_expert.values()
    assert (told.experts.overall.n, told.experts.overall.value) == (12, 0.75)
    assert (each.n, each.value) == (12, 0.75)
    assert each.low is not None
    assert each.high is not None
    assert each.low < 0.75 < each.high
    assert told.n == 60  # agreement with the panel knows nothing of them


def test_nobody_is_asked_what_they_have_seen_the_votes_on(court: Court) -> None:
    age(court, 40)
    lease, review = ask(court)
    with court.store.transaction() as connection:
        reveal(connection, lease.id, court.ada.actor)
    answer(court, lease, review, review.candidates[0])
    with court.store.connect() as connection:
        assert repeated_answers(connection) == []  # no blind answer
    age(court, 40)
    with court.store.transaction() as connection:
        connection.execute(text("UPDATE assignments SET opened_at = opened_at - 8640000"))
    seen = set()
    for _ in range(59):
        lease, again = ask(court)
        seen.add(again.content_hash)
        answer(court, lease, again, again.candidates[0])
    assert review.content_hash not in seen
    assert ask(court) is None


def test_a_golden_question_keeps_its_distance(court: Court) -> None:
    age(court, 40)
    with court.store.transaction() as connection:
        some = connection.execute(select(reviews).limit(1)).mappings().one()
        golden = {**some, "id": "ab" * 16, "kind": "golden", "state": "decided"}
        connection.execute(insert(reviews).values(golden))
        connection.execute(
            text(
                "INSERT INTO assignments (id, review_id, actor, state, token, opened_at, expires_at) "
                "VALUES ('cd', :review, :actor, 'decided', '', :at, 0)"
            ),
            {"review": "ab" * 16, "actor": court.ada.actor, "at": some["created_at"] - 45 * DAY},
        )
    seen = set()
    for _ in range(59):
        lease, review = ask(court)
        seen.add(review.content_hash)
        answer(court, lease, review, review.candidates[0])
    assert some["content_hash"] not in seen
    assert len(seen) == 59
    assert ask(court) is None
