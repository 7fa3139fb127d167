"""Leases, drafts, the one decision, second opinions, undo: in the store, without a server."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import select, update

from solon.errors import AlreadyDecided, InvalidDecision, NotPending
from solon.project import Project
from solon.store.database import clock
from solon.store.reviewing import queue
from solon.store.reviewing.answering import AnswerResult, answer_lease, asks_why
from solon.store.reviewing.drafts import Lease, find_lease, read_draft, save_draft
from solon.store.reviewing.experts import ExpertRow
from solon.store.reviewing.review_lists import count_answers, list_own_answers, work_by_actor
from solon.store.reviewing.review_rows import LeaseLost, NotThere, ReviewRow, find_review
from solon.store.reviewing.undoing import undo
from solon.store.tables import assignments, decisions, reviews
from solon.store.tables.people import Review


def take(project: Project, expert: ExpertRow, **options: Any) -> tuple[Lease, ReviewRow]:
    with project.store.transaction() as connection:
        found = queue.lease_next(connection, expert, **options)
    assert found is not None
    return found


def prefer(review: ReviewRow, which: int = 0, **more: Any) -> dict[str, Any]:
    return {"choice": "prefer", "candidate": review.candidates[which], "rationale": "clear", **more}


def answer(project: Project, expert: ExpertRow, lease: Lease, given: dict[str, Any]) -> AnswerResult:
    with project.store.transaction() as connection:
        return answer_lease(
            project.store,
            connection,
            expert,
            lease.token,
            given,
            review_id=lease.review_id,
            channel="api",
            times={"active_seconds": 4.0},
        )


def run_out(project: Project, lease: Lease) -> None:
    with project.store.transaction() as connection:
        connection.execute(update(assignments).where(assignments.c.id == lease.id).values(expires_at=1.0))
        queue.expire(connection)


def test_next_gives_what_is_held_and_never_one_review_to_two(project: Project, person: Any) -> None:
    ada, bo = person("Ada")[0], person("Bo")[0]
    first, _ = take(project, ada)
    assert take(project, ada)[0] == first
    ahead, _ = take(project, ada, exclude=[first.id])
    theirs, _ = take(project, bo)
    assert len({first.review_id, ahead.review_id, theirs.review_id}) == 3
    with pytest.raises(LeaseLost, match="someone else"), project.store.transaction() as connection:
        queue.lease_review(connection, bo, first.review_id)


def test_a_person_holds_only_so_many(project: Project, person: Any) -> None:
    ada = person("Ada")[0]
    held: list[str] = []
    for _ in range(queue.MAX_LEASES):
        held.append(take(project, ada, exclude=held)[0].id)
    with pytest.raises(NotPending, match="hold"):
        take(project, ada, exclude=held)


def test_decide_once_whatever_is_repeated(project: Project, person: Any) -> None:
    ada = person("Ada")[0]
    lease, review = take(project, ada)
    once = answer(project, ada, lease, prefer(review))
    again = answer(project, ada, lease, prefer(review))
    assert (once.kind, once.replayed, again.replayed) == ("decided", False, True)
    assert once.decision_id == again.decision_id
    with pytest.raises(AlreadyDecided):
        answer(project, ada, lease, prefer(review, 1))
    with project.store.connect() as connection:
        rows = connection.execute(select(decisions)).mappings().all()
    assert len(rows) == 1
    assert rows[0]["counts"]
    assert rows[0]["actor"] == ada.actor
    assert rows[0]["active_seconds"] == 4.0


def test_token_of_another_person_or_review_is_no_lease(project: Project, person: Any) -> None:
    ada, bo = person("Ada")[0], person("Bo")[0]
    lease, review = take(project, ada)
    with pytest.raises(NotThere):
        answer(project, bo, lease, prefer(review))
    other, _ = take(project, bo)
    with pytest.raises(NotThere), project.store.transaction() as connection:
        answer_lease(
            project.store,
            connection,
            bo,
            other.token,
            prefer(review),
            review_id=review.id,
            channel="api",
            times={},
        )


def test_late_answer_counts_while_nobody_decided(project: Project, person: Any) -> None:
    ada = person("Ada")[0]
    lease, review = take(project, ada)
    run_out(project, lease)
    assert answer(project, ada, lease, prefer(review)).kind == "decided"


def test_late_answer_on_a_decided_review_is_a_second_opinion(project: Project, person: Any) -> None:
    ada, bo = person("Ada")[0], person("Bo")[0]
    lease, review = take(project, ada)
    run_out(project, lease)
    with project.store.transaction() as connection:
        theirs, _ = queue.lease_review(connection, bo, review.id)
    with pytest.raises(LeaseLost) as lost, project.store.transaction() as connection:
        queue.keep_lease(connection, lease.id, ada.actor)
    assert lost.value.kept == lease.id
    assert answer(project, bo, theirs, prefer(review)).kind == "decided"
    late = answer(project, ada, lease, prefer(review, 1))
    assert (late.kind, late.decision_id) == ("second", None)
    with project.store.connect() as connection:
        assert len(connection.execute(select(decisions)).all()) == 1
        kept = find_lease(connection, lease.id)
    assert kept.answer is not None
    assert kept.answer["candidate"] == review.candidates[1]


@pytest.mark.parametrize("jump", [86400, -86400])
@pytest.mark.parametrize("taken", [False, True], ids=["free", "taken"])
def test_a_lease_when_the_clock_jumps(
    project: Project, person: Any, monkeypatch: pytest.MonkeyPatch, jump: int, taken: bool
) -> None:
    """Nobody waits for it longer than now. Whoever has the review on screen goes on with it while it is free, and their
    draft and answer are kept in any case."""
    ada, bo = person("Ada")[0], person("Bo")[0]
    lease, review = take(project, ada)
    with project.store.transaction() as connection:
        save_draft(connection, lease.id, ada.actor, {"choice": "edit", "text": "for"})
    monkeypatch.setattr(clock, "now", lambda: time.time() + jump)
    with project.store.transaction() as connection:
        queue.expire(connection)
        assert not find_review(connection, review.id).leased
    if taken:
        with project.store.transaction() as connection:
            theirs, _ = queue.lease_review(connection, bo, review.id)
        with (
            pytest.raises(LeaseLost, match="draft is kept") as lost,
            project.store.transaction() as connection,
        ):
            queue.keep_lease(connection, lease.id, ada.actor)
        assert "send your answer all the same" in lost.value.next_step
        assert answer(project, bo, theirs, prefer(review)).kind == "decided"
    else:
        with project.store.transaction() as connection:
            kept = queue.keep_lease(connection, lease.id, ada.actor)
            queue.expire(connection)
            assert read_draft(connection, kept) == {"choice": "edit", "text": "for"}
            assert find_review(connection, review.id).leased
    assert answer(project, ada, lease, prefer(review)).kind == ("second" if taken else "decided")


@pytest.mark.parametrize("back", [300.0, 900.0])
def test_a_redraft_is_offered_to_others_when_the_clock_was_set_back(
    project: Project, person: Any, monkeypatch: pytest.MonkeyPatch, back: float
) -> None:
    ada = person("Ada")[0]
    with project.store.transaction() as connection:
        connection.execute(update(reviews).values(prefer_actor="expert:gone", created_at=time.time()))
    monkeypatch.setattr(clock, "now", lambda: time.time() - back)
    with project.store.transaction() as connection:
        assert (queue.lease_next(connection, ada) is not None) is (back > 600.0)


def test_heartbeat_takes_a_lost_lease_up_again(project: Project, person: Any) -> None:
    ada = person("Ada")[0]
    lease, review = take(project, ada)
    run_out(project, lease)
    begun = time.time()
    with project.store.transaction() as connection:
        kept = queue.keep_lease(connection, lease.id, ada.actor)
        assert find_review(connection, review.id).leased
    assert kept.state == "leased"
    assert kept.expires_at >= begun + queue.LEASE_SECONDS


def test_draft_survives_the_lease(project: Project, person: Any) -> None:
    ada = person("Ada")[0]
    lease, review = take(project, ada)
    for words in ("f", "fo", "for"):
        with project.store.transaction() as connection:
            save_draft(connection, lease.id, ada.actor, {"choice": "edit", "text": words})
    run_out(project, lease)
    with project.store.transaction() as connection:
        again, _ = queue.lease_review(connection, ada, review.id)
        assert again.id != lease.id
        assert read_draft(connection, again) == {"choice": "edit", "text": "for"}


@pytest.mark.parametrize("choice", ["both_bad", "edit"])
def test_rationale_is_asked_for_where_it_matters(project: Project, person: Any, choice: str) -> None:
    ada = person("Ada")[0]
    lease, review = take(project, ada)
    given = {"choice": choice} | (
        {"candidate": review.candidates[0], "text": "new"} if choice == "edit" else {}
    )
    with pytest.raises(InvalidDecision, match=r"^rationale:"):
        answer(project, ada, lease, given)
    assert answer(project, ada, lease, {**given, "rationale": "wrong dose"}).kind == "decided"


def test_random_fifth_is_fixed_beforehand(project: Project, person: Any) -> None:
    ada = person("Ada")[0]
    with project.store.connect() as connection:
        found = [find_review(connection, row.id) for row in connection.execute(select(reviews.c.id))]
    drawn = [asks_why(project.store, review, ada.actor) for review in found]
    assert drawn == [asks_why(project.store, review, ada.actor) for review in found]
    many = [asks_why(project.store, found[0], f"expert:{i}") for i in range(2000)]
    assert 0.15 < sum(many) / 2000 < 0.25  # five standard deviations: the store's key is drawn anew


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"choice": "nonsense"}, "choice"),
        ({"choice": "decline"}, "reason"),
        ({"choice": "decline", "reason": "bored"}, "reason"),
        ({"choice": "escalate"}, "rationale"),
        ({"choice": "skip", "colour": 1}, "colour"),
        ({"choice": "tie", "flags": {"x": ["nice"]}, "rationale": "r"}, "flags"),
    ],
)
def test_wrong_answers_name_their_field(
    project: Project, person: Any, given: dict[str, Any], field: str
) -> None:
    ada = person("Ada")[0]
    lease, _ = take(project, ada)
    with pytest.raises(InvalidDecision, match=f"^{field}"):
        answer(project, ada, lease, given)


def test_skip_goes_to_others_and_escalation_to_leads(project: Project, person: Any) -> None:
    ada, bo, lead = person("Ada")[0], person("Bo")[0], person("Lea", role="lead")[0]
    lease, review = take(project, ada)
    answer(project, ada, lease, {"choice": "skip"})
    assert take(project, ada)[1].id != review.id
    theirs, same = take(project, bo)
    assert same.id == review.id
    vote = {"choice": "prefer", "candidate": review.candidates[0]}
    answer(project, bo, theirs, {"choice": "escalate", "rationale": "needs a lawyer", "vote": vote})
    assert take(project, person("Cy")[0])[1].id != review.id
    given, offered = take(project, lead)
    assert offered.id == review.id
    with pytest.raises(InvalidDecision, match="nobody to escalate"):
        answer(project, lead, given, {"choice": "escalate", "rationale": "x"})
    with project.store.connect() as connection:
        kept = find_lease(connection, theirs.id)
    assert kept.answer is not None
    assert kept.answer["candidate"] == review.candidates[0]


def test_what_was_skipped_comes_back_when_nothing_else_waits(
    project: Project, person: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = person("Ada")[0]
    first, skipped = take(project, ada)
    answer(project, ada, first, {"choice": "skip"})
    for _ in range(5):
        lease, review = take(project, ada)
        assert review.id != skipped.id
        answer(project, ada, lease, {"choice": "decline", "reason": "broken"})
    with project.store.transaction() as connection:
        while (found := queue.lease_next(connection, ada)) is not None:
            queue.close_lease(connection, found[0], "declined")
    monkeypatch.setattr("solon.store.reviewing.queue.RESTS", 0.0)
    again, back = take(project, ada)
    assert back.id == skipped.id
    answer(project, ada, again, {"choice": "prefer", "candidate": back.candidates[0], "rationale": "so"})
    with project.store.transaction() as connection:
        assert queue.lease_next(connection, ada) is None, "what was declined or answered stays so"


def test_own_fields_come_first_or_only(project: Project, person: Any) -> None:
    with project.store.transaction() as connection:
        rows = list(connection.execute(select(reviews.c.id).order_by(reviews.c.created_at)).scalars())
        connection.execute(update(reviews).values(specialty="law", lang="de"))
        connection.execute(
            update(reviews).where(reviews.c.id == rows[-1]).values(specialty="medicine", lang="en")
        )
    doctor = person("Doc", specialties=["medicine"], languages=["en"])[0]
    lease, review = take(project, doctor)
    assert review.id == rows[-1]
    assert take(project, doctor, exclude=[lease.id])[1].specialty == "law"
    other = person("Doc 2", specialties=["surgery"], languages=["en"])[0]
    with project.store.transaction() as connection:
        assert queue.lease_next(connection, other, match="require") is None
        with pytest.raises(LeaseLost, match="another field or language"):
            queue.lease_review(connection, other, rows[0], match="require")


def test_undo_before_delivery_opens_it_again_with_the_answer(project: Project, person: Any) -> None:
    ada, bo = person("Ada")[0], person("Bo")[0]
    lease, review = take(project, ada)
    given = prefer(review, 1, strength=3, principles=["true-claims"])
    done = answer(project, ada, lease, given)
    assert done.decision_id is not None
    with pytest.raises(NotThere), project.store.transaction() as connection:
        undo(project.store, connection, bo, done.decision_id)
    with project.store.transaction() as connection:
        again, same = undo(project.store, connection, ada, done.decision_id)
        assert again is not None
        assert same.id == review.id
        draft = read_draft(connection, again)
    assert draft == given
    with pytest.raises(LeaseLost, match="taken back"):
        answer(project, ada, lease, given)
    assert answer(project, ada, again, prefer(review, 0)).kind == "decided"
    assert project.resume().pending_review == 11


@pytest.mark.parametrize("applied", [False, True])
def test_an_answer_that_a_lead_took_back_stands_in_its_authors_list(
    project: Project, person: Any, applied: bool
) -> None:
    ada, lead = person("Ada")[0], person("Lea", role="lead")[0]
    lease, review = take(project, ada)
    done = answer(project, ada, lease, prefer(review, 1))
    if applied:
        project.resume()
    with project.store.transaction() as connection:
        undo(project.store, connection, lead, str(done.decision_id))
    with project.store.connect() as connection:
        (mine,) = list_own_answers(connection, ada.actor)
    assert (mine["kind"], mine["decision"], mine["undoable"]) == ("taken_back", done.decision_id, False)


def test_an_answer_that_its_author_took_back_is_in_no_list(project: Project, person: Any) -> None:
    ada = person("Ada")[0]
    lease, review = take(project, ada)
    done = answer(project, ada, lease, prefer(review, 1))
    with project.store.transaction() as connection:
        undo(project.store, connection, ada, str(done.decision_id))
    with project.store.connect() as connection:
        assert list_own_answers(connection, ada.actor) == []


def test_undo_after_delivery_begins_a_new_attempt(project: Project, person: Any) -> None:
    ada = person("Ada")[0]
    lease, review = take(project, ada)
    done = answer(project, ada, lease, prefer(review, 1))
    before = project.resume()
    assert before.accepted == 1
    with project.store.transaction() as connection:
        again, _ = undo(project.store, connection, ada, str(done.decision_id))
    assert again is None
    summary = project.resume()
    assert (summary.accepted, summary.pending_review, summary.model_calls) == (0, 12, before.model_calls)
    lease, back = take(project, ada)
    assert (back.item_id, back.attempt) == (review.item_id, 1)
    with project.store.connect() as connection:
        draft = read_draft(connection, lease)
    assert draft is not None
    assert draft["candidate"] == back.candidates[1]
    assert answer(project, ada, lease, prefer(back, 0)).kind == "decided"
    assert project.resume().accepted == 1
    assert project.trace(back.item_id)["record"]["chosen_id"] == back.candidates[0]


def test_only_the_last_ten_can_be_taken_back(project: Project, person: Any) -> None:
    ada = person("Ada")[0]
    made = []
    for _ in range(11):
        lease, review = take(project, ada)
        made.append(str(answer(project, ada, lease, prefer(review)).decision_id))
    with pytest.raises(NotPending, match=r"last 10"), project.store.transaction() as connection:
        undo(project.store, connection, ada, made[0])


def test_answer_after_a_look_at_the_votes_is_no_blind_evidence(project: Project, person: Any) -> None:
    ada = person("Ada")[0]
    lease, review = take(project, ada)
    with project.store.transaction() as connection:
        queue.reveal(connection, lease.id, ada.actor)
    answer(project, ada, lease, prefer(review))
    with project.store.connect() as connection:
        assert connection.execute(select(decisions.c.counts)).scalar_one() is False


def _second_review(project: Project, kind: str) -> str:
    """The same question once more, as the graph writes it for an overlap or an audit."""
    from solon.store.database.writer import insert_rows
    from solon.store.reviewing.overlaps import overlap_row

    with project.store.transaction() as connection:
        first = connection.execute(select(reviews).order_by(reviews.c.created_at)).mappings().first()
        assert first is not None
        row = {**overlap_row(first), "kind": kind}
        insert_rows(connection, [(Review, row)])
    return str(row["id"])


def test_nobody_gets_the_same_question_twice(project: Project, person: Any) -> None:
    ada = person("Ada")[0]
    again = _second_review(project, "overlap")
    seen: list[str] = []
    for _ in range(12):
        lease, review = take(project, ada)
        seen.append(review.id)
        answer(project, ada, lease, prefer(review))
    assert len({find.content_hash for find in _rows(project, seen)}) == 12
    with project.store.transaction() as connection:
        assert queue.lease_next(connection, ada) is None
    bo = person("Bo")[0]
    lease, other = take(project, bo)
    assert other.id not in seen
    assert again in {other.id, *seen}
    answer(project, bo, lease, prefer(other))
    with project.store.connect() as connection:
        work = work_by_actor(connection).values()
    assert (sum(one.decided for one in work), sum(one.second for one in work)) == (12, 1)
    with project.store.transaction() as connection:
        first, repeated = (
            connection.execute(select(decisions.c.id).where(decisions.c.actor == ada.actor))
            .scalars()
            .all()[:2]
        )
        connection.execute(update(decisions).where(decisions.c.id == repeated).values(carried_from=first))
        work = work_by_actor(connection).values()
        assert sum(one.decided for one in work) == 11, "an answer that was carried over was given once"
        assert count_answers(connection, ada.actor)[1:] == (11, 12)


def _rows(project: Project, ids: list[str]) -> list[ReviewRow]:
    with project.store.connect() as connection:
        return [find_review(connection, review_id) for review_id in ids]


def test_undoing_an_audit_leaves_its_item_alone(project: Project, person: Any) -> None:
    """Nothing waits for an audit's answer: taking it back opens it again and touches neither item nor decision."""
    ada = person("Ada")[0]
    audit = _second_review(project, "audit")
    with project.store.transaction() as connection:
        lease, review = queue.lease_review(connection, ada, audit)
    done = answer(project, ada, lease, prefer(review))
    with project.store.transaction() as connection:
        again, _ = undo(project.store, connection, ada, str(done.decision_id))
    assert again is not None
    assert answer(project, ada, again, prefer(review, 1)).kind == "decided"
    assert project.trace(review.item_id)["item"]["attempt"] == 0
