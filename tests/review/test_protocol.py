"""Two people take, answer, give back and undo in any order, against a model of a few lines.

What is held is held by one, a question has one answer in force, and everything that was given arrives once.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from cases import CONFIG, build, seeds
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import sampled_from
from sqlalchemy import select, update

from solon.errors import NotPending
from solon.project import Project
from solon.store.database import audit_log
from solon.store.reviewing import queue
from solon.store.reviewing.answering import AnswerResult, answer_lease
from solon.store.reviewing.drafts import Lease
from solon.store.reviewing.experts import ExpertRow, add_expert
from solon.store.reviewing.review_rows import LeaseLost, ReviewRow
from solon.store.reviewing.undoing import undo
from solon.store.tables import assignments, decisions

pytestmark = pytest.mark.sqlite("a store is copied for each sequence of steps")
ITEMS = 3
PEOPLE = sampled_from(["Ada", "Bo"])


class Protocol(RuleBasedStateMachine):
    """The model: who holds which lease, who answered which review with what, and what was delivered."""

    template: Path

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        for file in self.template.iterdir():
            shutil.copy(file, self.folder / file.name)
        self.project = Project(f"sqlite:///{self.folder}/solon.db", config=CONFIG, create=False)
        self.people: dict[str, ExpertRow] = {
            name: add_expert(self.project.store, name, by="local:test")[0] for name in ("Ada", "Bo")
        }
        self.held: dict[str, tuple[str, Lease, ReviewRow]] = {}
        """Review -> who holds it, and by which lease."""
        self.answers: dict[str, tuple[str, str, Lease, dict[str, Any]]] = {}
        """Review -> who answered, the decision, its lease and what was sent; of answers in force."""
        self.delivered: set[str] = set()
        """Decisions that graphs have taken in."""
        self.replaying: set[str] = set()
        """Reviews whose answer was taken back after it had been delivered, until a worker has replayed their item."""

    def teardown(self) -> None:
        if hasattr(self, "project"):
            self.deliver()
            assert audit_log.verify(self.project.store).intact
            self.project.close()
            shutil.rmtree(self.folder)

    def send(self, who: str, lease: Lease, given: dict[str, Any]) -> AnswerResult:
        with self.project.store.transaction() as connection:
            return answer_lease(
                self.project.store,
                connection,
                self.people[who],
                lease.token,
                given,
                review_id=lease.review_id,
                channel="api",
                times={},
            )

    @rule(who=PEOPLE)
    def take(self, who: str) -> None:
        with self.project.store.transaction() as connection:
            found = queue.lease_next(connection, self.people[who])
        own = {review for review, (holder, _, _) in self.held.items() if holder == who}
        if found is None:
            waiting = ITEMS - len(self.answers) - len(self.replaying)
            assert not own
            assert len(self.held) == waiting, "a free review was not given"
            return
        lease, review = found
        assert review.id not in self.answers
        assert self.held.get(review.id, (who,))[0] == who, "two people hold one review"
        assert not own or review.id in own or review.id not in self.held
        self.held[review.id] = (who, lease, review)

    @precondition(lambda self: self.held)
    @rule(which=sampled_from([0, 1]), candidate=sampled_from([0, 1]))
    def answer(self, which: int, candidate: int) -> None:
        review_id = sorted(self.held)[which % len(self.held)]
        who, lease, review = self.held.pop(review_id)
        given = {"choice": "prefer", "candidate": review.candidates[candidate], "rationale": "clear"}
        told = self.send(who, lease, given)
        assert (told.kind, told.replayed) == ("decided", False)
        self.answers[review_id] = (who, str(told.decision_id), lease, given)

    @precondition(lambda self: self.answers)
    @rule(which=sampled_from([0, 1, 2]))
    def send_again(self, which: int) -> None:
        who, decision, lease, given = self.answers[sorted(self.answers)[which % len(self.answers)]]
        told = self.send(who, lease, given)
        assert (told.decision_id, told.replayed) == (decision, True)

    @precondition(lambda self: self.held)
    @rule()
    def give_back(self) -> None:
        who, lease, _ = self.held.pop(min(self.held))
        with self.project.store.transaction() as connection:
            queue.release(connection, lease.id, self.people[who].actor)

    @precondition(lambda self: self.held)
    @rule()
    def run_out(self) -> None:
        """Its time is over; the next who asks may have the review."""
        _, lease, _ = self.held.pop(max(self.held))
        with self.project.store.transaction() as connection:
            connection.execute(update(assignments).where(assignments.c.id == lease.id).values(expires_at=1.0))
            queue.expire(connection)

    @precondition(lambda self: self.answers)
    @rule(who=PEOPLE, which=sampled_from([0, 1, 2]))
    def take_back(self, who: str, which: int) -> None:
        review_id = sorted(self.answers)[which % len(self.answers)]
        author, decision, lease, given = self.answers[review_id]
        if who != author:
            with pytest.raises(NotPending), self.project.store.transaction() as connection:
                undo(self.project.store, connection, self.people[who], decision)
            return
        with self.project.store.transaction() as connection:
            again, review = undo(self.project.store, connection, self.people[who], decision)
        del self.answers[review_id]
        assert (again is None) == (decision in self.delivered)
        if again is None:
            self.replaying.add(review_id)
        else:
            self.held[review.id] = (who, again, review)
        with pytest.raises(LeaseLost):
            self.send(author, lease, given)

    @rule()
    def deliver(self) -> None:
        """A worker carries every answer to its item, and replays what was taken back."""
        summary = self.project.resume()
        assert (summary.accepted, summary.decisions_to_apply) == (len(self.answers), 0)
        assert summary.pending_review == ITEMS - len(self.answers)
        self.delivered |= {decision for _, decision, _, _ in self.answers.values()}
        self.replaying.clear()

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "project"):
            return
        with self.project.store.connect() as connection:
            in_force = connection.execute(
                select(decisions.c.item_id, decisions.c.id).where(decisions.c.undone_at.is_(None))
            ).all()
            leased = connection.execute(
                select(assignments.c.review_id).where(assignments.c.state == "leased")
            ).scalars()
            assert sorted(leased) == sorted(self.held)
        assert sorted(row.id for row in in_force) == sorted(told[1] for told in self.answers.values())
        assert len({row.item_id for row in in_force}) == len(in_force), "an item has two answers in force"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("protocol")
    build(folder, seeds(ITEMS))
    return folder


def test_any_order_of_steps(three: Path) -> None:
    Protocol.template = three
    few = settings(
        max_examples=3,
        stateful_step_count=10,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Protocol, settings=few)
