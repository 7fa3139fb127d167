"""A review is decided once: whoever comes second is told so and changes nothing. The outbox delivers once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from solon.errors import AlreadyDecided, InvalidDecision, NotPending, UsageError
from solon.store import tables
from solon.store.database.store import Store
from solon.store.reviewing import reviews
from solon.store.runs import items
from solon.store.tables import table_of

Open = Callable[..., str]


def count(store: Store, table: type) -> int:
    with store.connect() as connection:
        query = select(func.count()).select_from(table_of(table))
        return int(connection.execute(query).scalar_one())


def find(store: Store, review_id: str) -> reviews.ReviewRow:
    with store.connect() as connection:
        return reviews.find_review(connection, review_id)


def test_of_twenty_answers_at_once_one_wins(seed_store: Callable[[int], Any], open_review: Open) -> None:
    seeded = seed_store(1)
    review_id = open_review(seeded)
    candidates = find(seeded.store, review_id).candidates
    start = threading.Barrier(20)
    won: list[str] = []
    lost: list[AlreadyDecided] = []
    broken: list[BaseException] = []

    def answer(number: int) -> None:
        choice = {"choice": "prefer", "candidate": candidates[number % 2], "rationale": f"reason {number}"}
        start.wait()
        try:
            won.append(
                reviews.decide(seeded.store, review_id, choice, actor=f"local:{number}", channel="python")
            )
        except AlreadyDecided as error:
            lost.append(error)
        except BaseException as error:
            broken.append(error)

    threads = [threading.Thread(target=answer, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not broken
    assert (len(won), len(lost)) == (1, 19)
    assert all("nothing was changed" in error.cause and error.next_step for error in lost)
    assert find(seeded.store, review_id).decision_id == won[0]
    for table in (tables.Decision, tables.Outbox, tables.Precedent):
        assert count(seeded.store, table) == 1
    with seeded.store.connect() as connection:
        kept = (
            connection.execute(select(tables.Text.body).where(tables.Text.body.like("reason %")))
            .scalars()
            .all()
        )  # type: ignore[union-attr]
    assert len(kept) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"choice": "accept"},
        {"choice": "prefer"},
        {"choice": "prefer", "candidate": "A"},
        {"choice": "edit", "candidate": 0},
        {"choice": "redraft"},
        {"choice": "tie", "flags": {"someone else's": ["unsafe"]}},
        {"choice": "tie", "flags": {"0": ["boring"]}},
        {"choice": "tie", "strength": 9},
        {"choice": "tie", "side": "A"},
    ],
)
def test_what_is_outside_the_closed_set_changes_nothing(
    seed_store: Callable[[int], Any], open_review: Open, answer: dict[str, Any]
) -> None:
    seeded = seed_store(1)
    review_id = open_review(seeded)
    if answer.get("candidate") == 0:
        answer = {**answer, "candidate": find(seeded.store, review_id).candidates[0]}
    with pytest.raises(InvalidDecision) as caught:
        reviews.decide(seeded.store, review_id, answer, actor="local:x", channel="python")
    assert caught.value.next_step
    assert find(seeded.store, review_id).state == "waiting"
    assert count(seeded.store, tables.Decision) == count(seeded.store, tables.Outbox) == 0


@pytest.mark.parametrize("state", ["opening", "withdrawn"])
def test_only_a_waiting_review_takes_an_answer(
    seed_store: Callable[[int], Any], open_review: Open, state: str
) -> None:
    seeded = seed_store(1)
    review_id = open_review(seeded, state=state)
    with pytest.raises(NotPending, match=state):
        reviews.decide(seeded.store, review_id, {"choice": "tie"}, actor="local:x", channel="python")
    assert count(seeded.store, tables.Decision) == 0


def test_an_unknown_review_is_named(seed_store: Callable[[int], Any], open_review: Open) -> None:
    seeded = seed_store(2)
    first, second = open_review(seeded, 0), open_review(seeded, 1)
    with pytest.raises(NotPending):
        find(seeded.store, "zzz")
    with pytest.raises(UsageError, match="blank"):
        find(seeded.store, "")
    assert find(seeded.store, first[:10]).id == first
    assert find(seeded.store, second).id == second


def test_setting_aside_leaves_the_review_waiting(seed_store: Callable[[int], Any], open_review: Open) -> None:
    seeded = seed_store(1)
    review_id = open_review(seeded)
    for choice in ("skip", "decline", "escalate"):
        answer = {"choice": choice, "rationale": "not my field"}
        reviews.decide(seeded.store, review_id, answer, actor="local:x", channel="python")
        assert find(seeded.store, review_id).state == "waiting"
    assert count(seeded.store, tables.Assignment) == 3
    assert count(seeded.store, tables.Decision) == count(seeded.store, tables.Outbox) == 0
    reviews.decide(seeded.store, review_id, {"choice": "tie"}, actor="local:y", channel="python")
    assert find(seeded.store, review_id).state == "decided"


def test_the_outbox_gives_a_decision_to_one_worker(
    seed_store: Callable[[int], Any], open_review: Open
) -> None:
    seeded = seed_store(3)
    store = seeded.store
    for index in range(3):
        reviews.decide(store, open_review(seeded, index), {"choice": "tie"}, actor="local:x", channel="cli")
    with store.transaction() as connection:
        first = reviews.claim_deliveries(connection, "h:1:1:a", 2, run_id=seeded.run.id)
    with store.transaction() as connection:
        second = reviews.claim_deliveries(connection, "h:1:1:b", 9, run_id=seeded.run.id)
        assert reviews.claim_deliveries(connection, "h:1:1:c", 9, run_id=seeded.run.id) == []
    assert [len(first), len(second)] == [2, 1]
    names = {delivery.item_id for delivery in [*first, *second]}
    assert names == set(seeded.items)
    assert {d.resume["decision"] for d in [*first, *second]} == {d.decision_id for d in [*first, *second]}
    with store.transaction() as connection:
        assert items.count_states(connection, seeded.run.id)["running"] == 3
        assert reviews.pending_deliveries(connection, seeded.run.id) == 3
        reviews.mark_applied(connection, first[0].decision_id)
        assert reviews.pending_deliveries(connection, seeded.run.id) == 2


def test_a_delivery_that_failed_comes_back(seed_store: Callable[[int], Any], open_review: Open) -> None:
    seeded = seed_store(1)
    store = seeded.store
    reviews.decide(store, open_review(seeded), {"choice": "tie"}, actor="local:x", channel="cli")
    with store.transaction() as connection:
        (delivery,) = reviews.claim_deliveries(connection, "h:1:1:a", 9)
        reviews.not_delivered(connection, delivery, "server down", taken_in=False)
        assert items.count_states(connection, seeded.run.id)["waiting"] == 1
        (again,) = reviews.claim_deliveries(connection, "h:1:1:b", 9)
    assert again.decision_id == delivery.decision_id


def test_what_a_decision_carries_is_kept(seed_store: Callable[[int], Any], open_review: Open) -> None:
    seeded = seed_store(1)
    review_id = open_review(seeded)
    chosen, other = find(seeded.store, review_id).candidates
    answer = {
        "choice": "edit",
        "candidate": chosen,
        "text": "mended",
        "rationale": "because",
        "principles": ["true-claims"],
        "flags": {other: ["unsafe", "outdated"]},
        "strength": 3,
    }
    times = {"opened_at": 1.0, "first_input_at": 2.0, "active_seconds": 3.5}
    made = reviews.decide(seeded.store, review_id, answer, actor="local:x", channel="page", times=times)
    with seeded.store.connect() as connection:
        table = reviews.decisions
        row = connection.execute(select(table).where(table.c.id == made)).mappings().one()
    assert (row["actor"], row["channel"], row["response_schema"]) == ("local:x", "page", "pair@1")
    assert (row["flags"], row["principles"], row["strength"]) == (
        {other: ["unsafe", "outdated"]},
        ["true-claims"],
        3,
    )
    assert (row["opened_at"], row["first_input_at"], row["active_seconds"]) == (1.0, 2.0, 3.5)
    assert row["decided_at"] > 0
    assert not row["counts"], "no expert's token, no weight"
    assert items.load_text(seeded.store, row["edit_id"]) == "mended"
    assert items.load_text(seeded.store, row["rationale_id"]) == "because"
