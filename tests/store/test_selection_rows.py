"""Choosing held reviews, ordering waiting ones, votes and people's figures: the same on every database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from solon.config.sections import ReviewersConfig
from solon.errors import NotPending
from solon.store.learning import adoption, evidence
from solon.store.reviewing import budget, experts, voting
from solon.store.reviewing.answering import answer_review
from solon.store.reviewing.review_rows import find_review, list_reviews
from solon.store.tables import items, reviews

Open = Callable[..., str]


@pytest.fixture
def held(seed_store: Callable[[int], Any], open_review: Open) -> tuple[Any, list[str]]:
    seeded = seed_store(4)
    names = [open_review(seeded, index) for index in range(4)]
    with seeded.store.transaction() as connection:
        connection.execute(update(reviews).values(state="held", rule="budget", minutes=2.0, value=0.1))
        connection.execute(update(items).values(state="waiting"))
    return seeded, names


def test_picked_reviews_enter_the_queue_in_their_place(held: tuple[Any, list[str]]) -> None:
    seeded, names = held
    with seeded.store.connect() as connection:
        found = budget.held_reviews(connection, seeded.run.id)
        requests = budget.requests_of(connection, [row.item_id for row in found])
    assert {row.id for row in found} == set(names)
    assert sorted(requests) == [f"Question {i}?" for i in range(4)]
    picked = [
        budget.PickedReview(find, place, inclusion, {"code": "value", "text": "worth it"})
        for find, place, inclusion in zip(found[:2], (-0.1, -0.5), (1.0, 0.25), strict=True)
    ]
    with seeded.store.transaction() as connection:
        budget.open_picked(connection, seeded.run.id, picked)
        for row in found[1:]:  # the second one is no longer held
            budget.withdraw_held(connection, row.id)
        spent = budget.spent_budget(connection, seeded.run.id)
        waiting = list_reviews(connection)
        asked = budget.asked_items(connection, seeded.run.id)
    assert (spent.reviews, spent.minutes) == (2, 4.0)
    assert [row.id for row in waiting] == [found[1].id, found[0].id]
    assert [row.inclusion for row in waiting] == [0.25, 1.0]
    assert waiting[0].reasons[-1] == {"code": "value", "text": "worth it"}
    assert set(asked) == {found[0].item_id, found[1].item_id}
    with seeded.store.connect() as connection:
        assert {find_review(connection, row.id).state for row in found[2:]} == {"withdrawn"}
        assert evidence.random_part_waits(connection, seeded.run.id)


def test_a_new_version_reorders_what_waits_but_no_random_sample(held: tuple[Any, list[str]]) -> None:
    seeded, names = held
    with seeded.store.transaction() as connection:
        connection.execute(update(reviews).values(state="waiting", rule="threshold"))
        connection.execute(
            update(reviews).where(reviews.c.id == names[3]).values(rule="pilot", priority=-10.0)
        )
        connection.execute(update(reviews).where(reviews.c.id == names[2]).values(inclusion=0.5))
        adoption.reorder(connection, dict(zip(names, (0.2, 0.8, 0.9, 0.9), strict=True)))
        found = {row.id: row for row in list_reviews(connection)}
    assert [found[name].priority for name in names] == [-0.1, -0.4, 0.0, -10.0]
    assert [found[name].value for name in names] == [0.2, 0.8, 0.1, 0.1]


def test_votes_without_a_lease_and_the_figures_of_people(
    seed_store: Callable[[int], Any], open_review: Open
) -> None:
    seeded = seed_store(1)
    name = open_review(seeded)
    workers = [experts.add_expert(seeded.store, f"W{i}", role="worker", by="local:test")[0] for i in range(3)]
    with seeded.store.connect() as connection:
        review = find_review(connection, name)
    given = {
        "choice": "prefer",
        "candidate": review.candidates[0],
        "rationale": "it says where it has it from",
    }
    crowd = ReviewersConfig(settles=0.95)
    for worker in workers[:2]:
        options = {"by": worker, "channel": "python", "reviewers": crowd}
        assert answer_review(seeded.store, name, given, **options).kind == "vote"
        with pytest.raises(NotPending):
            answer_review(seeded.store, name, given, **options)
    with seeded.store.connect() as connection:
        counted = voting.tally(connection, review, crowd)
        blind = evidence.blind_answers(connection)
    # No verdict was given here: the panel's .5 and two of .75 make .9.
    assert counted.posterior["A"] == pytest.approx(0.9)
    assert [b.actor for b in blind] == [worker.actor for worker in workers[:2]]
    answer_review(seeded.store, name, given, by=workers[2], channel="python", reviewers=crowd)
    with seeded.store.connect() as connection:
        assert find_review(connection, name).state == "decided"
    figures = {"reliability": 0.8, "n": 7, "low": 0.5, "high": 0.9}
    with seeded.store.transaction() as connection:
        assert experts.save_measured(connection, {workers[0].actor: figures, "expert:nobody": figures}) == 1
        assert experts.save_measured(connection, {workers[0].actor: figures}) == 0
        table = experts.experts
        kept = connection.execute(select(table.c.measured).where(table.c.id == workers[0].id)).scalar_one()
    assert kept == figures
