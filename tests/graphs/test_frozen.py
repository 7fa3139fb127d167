"""A worker that sleeps longer than its claim, and wakes: what it then makes of its items is refused, on both databases.

Nothing sleeps here: the worker's event loop stands still in the middle of one model call, while another process, with
other answers, takes its items over and takes them to their end.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from solon.cli.worker import _work as work_as_a_command
from solon.errors import ClaimLost
from solon.operations.cluster import Worker as RayWorker
from solon.review.live import Live
from solon.review.worker import Worker
from solon.store import tables
from solon.store.runs import items as item_store

Make = Callable[..., Any]
ITEMS = tables.items
SEEDS = [f"Explain thing number {n}." for n in range(4)]
NEVER = {"routing": {"policy": "never", "audit_share": 0}}
ALWAYS = {"routing": {"policy": "always"}}
ROLES = ("generator", "critic", "judge")


class Freezing:
    """Two desks on one store. `arm`: the first one freezes at its next call of a role, and the other takes over."""

    def __init__(self, make_desk: Make, url: str, **settings: Any) -> None:
        self.first, self.second = (make_desk(url, self._answering(name), **settings) for name in "AB")
        self.role = ""
        self.then = self.resume
        self.frozen = False
        self.calls_after = 0

    def arm(self, role: str) -> None:
        self.role, self.frozen = role, False

    def _answering(self, name: str) -> Callable[[Any], Any]:
        def answer(question: Any) -> Any:
            if name == "A" and self.frozen:
                self.calls_after += 1
            if name == "A" and question.role == self.role and not self.frozen:
                self.frozen = True
                other = threading.Thread(target=self._take_over)
                other.start()
                other.join()
            if question.role == "generator" and not question.schema_name:
                return f"{name} says: {question.key.hex()[:12]}"
            return None

        return answer

    def _take_over(self) -> None:
        with self.second.project.store.transaction() as connection:
            running = select(ITEMS.c.id).where(ITEMS.c.state == "running").order_by(ITEMS.c.id)
            # In the order in which its writer, a thread that does not freeze here, looks its claims up.
            held = list(connection.execute(running.with_for_update()).scalars())
            connection.execute(update(ITEMS).where(ITEMS.c.id.in_(held)).values(claimed_until=1.0))
        self.then()

    def resume(self) -> None:
        self.second.project.resume()


@pytest.fixture
def freezing(make_desk: Make, store_url: str) -> Callable[..., Freezing]:
    return lambda **settings: Freezing(make_desk, store_url, **settings)


def check_whole(desk: Any) -> None:
    """Every candidate has the text that its call gave, every verdict stands on its own call, in each attempt."""
    calls = {row["id"]: row for row in desk.rows("Call")}
    texts = {row["id"]: row["body"] for row in desk.rows("Text")}
    candidates = {row["id"]: row for row in desk.rows("Candidate")}
    attempts = {row["id"]: row["attempt"] for row in desk.rows("Item")}
    for candidate in candidates.values():
        if candidate["kind"] == "draft":
            assert texts[candidate["text_id"]] == texts[calls[candidate["call_id"]]["answer_id"]]
    for verdict in desk.rows("Verdict"):
        prompt = texts[calls[verdict["call_id"]]["prompt_id"]]
        for side in ("a_id", "b_id"):
            assert texts[candidates[verdict[side]]["text_id"]] in prompt
    in_force = [row for row in desk.rows("Record") if row["superseded_at"] is None]
    assert {row["item_id"]: row["attempt"] for row in in_force} == attempts
    assert len(in_force) == len(attempts)


@pytest.mark.parametrize("role", ROLES)
def test_a_run_that_wakes_writes_nothing(freezing: Callable[..., Freezing], role: str) -> None:
    both = freezing(**NEVER)
    both.arm(role)
    with pytest.raises(ClaimLost, match="was taken over by another process") as caught:
        both.first.project.run("preference", SEEDS)
    assert caught.value.exit_code == 5
    assert both.second.states() == {"accepted": 4}
    check_whole(both.second)
    assert {row["attempt"] for row in both.second.rows("Item")} == {1}


def test_no_call_is_paid_for_once_the_claim_may_be_lost(
    freezing: Callable[..., Freezing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each call a worker looks whether the item is still its own, where it has not looked for half a claim."""
    both = freezing(**NEVER)
    both.arm("generator")
    resume = both.then

    def then() -> None:
        resume()
        monkeypatch.setattr(item_store, "CLAIM_SECONDS", -1.0)

    both.then = then
    with pytest.raises(ClaimLost):
        both.first.project.run("preference", SEEDS)
    assert both.calls_after == 0
    check_whole(both.second)


def test_a_claim_that_ran_out_and_was_not_taken_still_holds(make_desk: Make, store_url: str) -> None:
    """A machine that slept alone goes on where it was."""
    both = Freezing(make_desk, store_url, **NEVER)
    both.then = lambda: None
    both.arm("judge")
    assert both.first.project.run("preference", SEEDS).accepted == 4
    assert {row["attempt"] for row in both.first.rows("Item")} == {0}
    check_whole(both.first)


@pytest.mark.parametrize("role", ROLES)
def test_a_resume_that_wakes_writes_nothing(freezing: Callable[..., Freezing], role: str) -> None:
    """Also where it was delivering a decision: one that sends the item back for another draft."""
    both = freezing(**ALWAYS)
    both.first.project.run("preference", SEEDS[:1])
    (review,) = both.first.project.reviews()
    both.first.project.decide(review, "redraft", guidance="shorter")
    both.arm(role)
    with pytest.raises(ClaimLost):
        both.first.project.resume()
    (waiting,) = both.second.project.reviews()
    both.second.project.decide(waiting, "prefer", waiting.candidates[0])
    assert both.second.project.resume().accepted == 1
    assert {row["problem"] for row in both.second.rows("Outbox")} == {None}
    check_whole(both.second)


def redraft_wanted(both: Freezing) -> None:
    both.first.project.run("preference", SEEDS[:2])
    for review in both.first.project.reviews():
        both.first.project.decide(review, "redraft", guidance="shorter")
    both.arm("judge")


def finish(both: Freezing) -> None:
    for waiting in both.second.project.reviews():
        both.second.project.decide(waiting, "prefer", waiting.candidates[0])
    assert both.second.project.resume().accepted == 2
    check_whole(both.second)


def test_a_worker_that_wakes_ends(freezing: Callable[..., Freezing]) -> None:
    both = freezing(**ALWAYS)
    redraft_wanted(both)
    with pytest.raises(ClaimLost):
        asyncio.run(work_as_a_command(both.first.project, 0.01, once=False))
    finish(both)


def test_a_server_that_wakes_says_so_and_goes_on(freezing: Callable[..., Freezing]) -> None:
    both = freezing(**ALWAYS)
    redraft_wanted(both)
    live = Live(both.first.project.store)

    async def serve() -> None:
        worker, said = Worker(both.first.project, live, 0.01), asyncio.Event()
        say = worker._say

        async def listen(why: str) -> None:
            await say(why)
            if worker.lost is not None:
                said.set()

        worker._say = listen  # type: ignore[method-assign]
        worker.start()
        await said.wait()
        assert "was taken over by another process" in live.worker_says
        await worker.stop()

    asyncio.run(serve())
    finish(both)


def test_a_worker_on_ray_that_was_given_up_and_lives_is_shut_out(freezing: Callable[..., Freezing]) -> None:
    both = freezing(**NEVER)
    run = both.second.project.load("preference", SEEDS)
    worker = RayWorker(both.first.url, both.first.settings, run.id)
    worker._project.models = {"default": both.first.chat}

    def given_up() -> None:
        with both.second.project.store.transaction() as connection:
            assert item_store.fence(connection, run.id, worker.name()) == 4
        both.resume()

    both.then = given_up
    both.arm("critic")
    try:
        assert set(asyncio.run(worker.work())) == {"lost"}
    finally:
        worker._project.close()
    both.second.project.resume()  # it may have taken items again in the moment after they were put back
    assert both.second.states() == {"accepted": 4}
    check_whole(both.second)
