"""A run under another policy: routed again in its place at no model cost; what people decided or hold stays."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from solon.errors import UsageError
from solon.project import Project
from solon.store.database import clock
from solon.store.tables import items, records, reviews
from tests.engineer.conftest import SEEDS, Open

TASKS = [{"id": f"t{i}", "prompt": f"Explain what thing number {i} does, please"} for i in range(24)]
POLICIES = ("always", "never", "disagreement", "threshold", "pilot", "certified", "budget")


def routing(policy: str, **more: Any) -> dict[str, Any]:
    return {"policy": policy, "audit_share": 0.0, "pilot": 2, "budget": 2, "explore": 0.5, **more}


def states(project: Project) -> dict[str, str]:
    """Seed by seed, where its item stands and by which rule it waits."""
    found = {}
    with project.store.connect() as connection:
        open_ = select(reviews.c.item_id, reviews.c.rule, reviews.c.state)
        open_ = open_.where(reviews.c.state.in_(("waiting", "held")))
        rules = {row.item_id: f":{row.rule}:{row.state}" for row in connection.execute(open_)}
        for row in connection.execute(select(items)).mappings():
            found[row["seed_id"]] = row["state"] + rules.get(row["id"], "")
    return found


@pytest.mark.parametrize(
    ("before", "after"), list(zip(POLICIES, (*POLICIES[3:], *POLICIES[:3]), strict=True))
)
def test_a_run_stands_where_the_new_policy_alone_would_have_brought_it(
    open_project: Open, before: str, after: str
) -> None:
    first = open_project(routing=routing(before)).run("preference", SEEDS)
    project = open_project(routing=routing(after))
    second = project.run("preference", SEEDS)
    assert second.run_id == first.run_id
    assert second.accepted + second.rejected + second.pending_review == len(SEEDS)
    assert any(f"routing.policy was {before!r}, now {after!r}" in note for note in second.notes)
    moved = states(project)
    calls = second.model_calls
    fresh = project.run("preference", SEEDS, new_run=True, reuse=first.run_id)
    with project.store.connect() as connection:
        own = select(items.c.seed_id, items.c.state, items.c.pilot, items.c.run_id)
        rows = [tuple(row) for row in connection.execute(own)]
    assert fresh.model_calls == 0, "the journal of the run that was routed again holds every call"
    assert (second.accepted, second.rejected, second.pending_review) == (
        fresh.accepted,
        fresh.rejected,
        fresh.pending_review,
    )
    pilots = {
        run: {seed for seed, _, pilot, of in rows if pilot and of == run}
        for run in (first.run_id, fresh.run_id)
    }
    if after in ("pilot", "certified"):
        assert pilots[first.run_id]
        assert all(moved[seed].endswith(":pilot:waiting") for seed in pilots[first.run_id])
    resolves = {"disagreement", "threshold", "pilot", "budget"} & {after}
    assert calls == first.model_calls or resolves, "only the resolver may be asked anew"


@pytest.mark.parametrize("after", ["always", "pilot"])
def test_what_the_panel_rejected_is_routed_again_too(open_project: Open, after: str) -> None:
    before = open_project(routing=routing("never")).run("instruction", TASKS)
    assert before.rejected
    assert before.accepted + before.rejected == len(TASKS)
    project = open_project(routing=routing(after, pilot=len(TASKS), pilot_share=1.0))
    summary = project.run("instruction", TASKS)
    assert (summary.accepted, summary.rejected, summary.pending_review) == (0, 0, len(TASKS))
    assert summary.model_calls == before.model_calls


def test_what_people_decided_or_have_in_hand_stays(open_project: Open) -> None:
    project = open_project(routing=routing("always"))
    project.run("preference", SEEDS)
    decided, held, *_ = project.reviews()
    project.decide(decided.id, "tie")
    project.resume()
    with project.store.transaction() as connection:
        connection.execute(reviews.update().where(reviews.c.id == held.id).values(leased=True))
    project = open_project(routing=routing("never"))
    summary = project.run("preference", SEEDS)
    assert summary.pending_review == 1
    assert [review.id for review in project.reviews()] == [held.id]
    assert summary.notes[-1].endswith(f"{len(SEEDS) - 2} items were routed again")
    with project.store.connect() as connection:
        kept = connection.execute(select(records).where(records.c.decision_id.is_not(None))).mappings().all()
    assert [row["superseded_at"] for row in kept] == [None]


def test_the_pilot_holds_what_people_have_decided_already(open_project: Open) -> None:
    project = open_project(routing=routing("always"))
    project.run("preference", SEEDS)
    for review in project.reviews():
        project.decide(review.id, "tie")
    project.resume()
    project = open_project(routing=routing("pilot", pilot=3, pilot_share=1.0))
    project.run("preference", SEEDS)
    with project.store.connect() as connection:
        pilot = connection.execute(select(items.c.state).where(items.c.pilot)).scalars().all()
    assert pilot == ["accepted"] * 3


@pytest.mark.parametrize(("key", "value"), [("alpha", 0.2), ("delta", 0.2), ("target", "adjudicated")])
def test_what_is_promised_is_not_chosen_after_a_look(open_project: Open, key: str, value: object) -> None:
    open_project(routing=routing("pilot")).run("preference", SEEDS)
    with pytest.raises(UsageError, match=rf"made differently: .*routing\.{key} was"):
        open_project(routing=routing("always", **{key: value})).run("preference", SEEDS)


def test_another_model_is_another_run(open_project: Open) -> None:
    open_project(routing=routing("pilot")).run("preference", SEEDS)
    with pytest.raises(UsageError, match=r"made differently"):
        open_project(models={"default": {"model": "scripted:split"}}).run("preference", SEEDS)


def test_a_run_that_is_at_work_is_not_routed_otherwise(open_project: Open) -> None:
    first = open_project(routing=routing("pilot"))
    run = first.run("preference", SEEDS)
    with first.store.transaction() as connection:
        one = connection.execute(select(items.c.id).limit(1)).scalar_one()
        busy = {"state": "running", "claimed_by": "other", "claimed_until": clock.now() + 60}
        connection.execute(items.update().where(items.c.id == one).values(**busy))
    before = states(first)
    with pytest.raises(UsageError, match=rf"run {run.run_id} cannot be routed otherwise: .* 1 of its items"):
        open_project(routing=routing("always")).run("preference", SEEDS)
    assert states(first) == before


def test_the_command_says_what_is_routed_again(command: Any, seed_file: Any) -> None:
    command("run", "preference", "--seeds", str(seed_file), "--policy", "always")
    _, out, err = command("run", "preference", "--seeds", str(seed_file), "--policy", "never")
    assert "0 of 6 items to do" in err
    assert "6 are routed again from the answers that are there" in err
    assert "routing.policy was 'always', now 'never': 6 items were routed again" in out
