"""What a decision is worth orders the queue and spends the budget; a random part of it may certify."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, text, update

from solon import Project
from solon.agents.models.embedding import can_embed, embed
from solon.config.sections import RoutingConfig
from solon.consensus.certify import certify_weighted
from solon.graphs.resuming import Threads
from solon.graphs.spending import Known, pick
from solon.learning import learn
from solon.questions import PAIR
from solon.store.learning import adoption, evidence
from solon.store.reviewing.budget import Spent
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.queue import lease_next
from solon.store.reviewing.review_rows import ReviewRow, list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.runs import find_run
from solon.store.runs.verdicts import votes_on
from solon.store.tables import items, reviews

Make = Callable[..., Project]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Project] = []

    def project(**routing: Any) -> Project:
        config = {
            "models": {"default": {"model": "scripted:default"}},
            "generator": {"revise": False},
            "routing": {"audit_share": 0.0, **routing},
        }
        made.append(Project(f"sqlite:///{tmp_path}/solon.db", config=config))
        made[-1].store.key = "5a" * 32
        return made[-1]

    yield project
    for one in made:
        one.close()


def seeds(n: int) -> list[str]:
    return [f"Explain topic {i * 7919 % 1000} in two sentences." for i in range(n)]


def rows(project: Project, sql: str) -> list[tuple[Any, ...]]:
    with project.store.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def test_the_queue_gives_what_is_worth_most_per_minute(make: Make) -> None:
    project = make(policy="always")
    project.run("preference", seeds(25))
    with project.store.connect() as connection:
        waiting = list_reviews(connection)
    rates = [(r.value or 0) / (r.minutes or 1) for r in waiting]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) > 5
    expert, _ = add_expert(project.store, "Eva", by="local:test")
    with project.store.transaction() as connection:
        found = lease_next(connection, expert)
    assert found is not None
    assert found[1].id == waiting[0].id


def test_the_pilot_comes_first_and_in_an_order_that_knows_nothing_of_the_panel(make: Make) -> None:
    project = make(policy="pilot", pilot=10, pilot_share=0.5, threshold=0.9)
    project.run("preference", seeds(30))
    with project.store.connect() as connection:
        waiting = [r for r in list_reviews(connection) if r.kind == "interrupt"]
    rules = [r.rule for r in waiting]
    assert rules[:10] == ["pilot"] * 10
    assert "threshold" in rules[10:]
    drawn = rows(project, "SELECT id FROM items WHERE pilot ORDER BY random_seed")
    assert [r.item_id for r in waiting[:10]] == [name for (name,) in drawn]


def held(n: int, *, minutes: float = 1.0) -> list[ReviewRow]:
    base = dict.fromkeys(ReviewRow.__dataclass_fields__)
    return [
        ReviewRow(
            **{  # type: ignore[arg-type]
                **base,
                "id": f"r{i}",
                "item_id": f"item {i}",
                "reasons": [],
                "value": (i * 37 % n) / n,
                "minutes": minutes,
                "confidence": 0.5,
                "priority": 0.0,
            }
        )
        for i in range(n)
    ]


def test_a_budget_goes_to_the_most_valuable_and_to_a_random_part_of_known_probability() -> None:
    routing = RoutingConfig(policy="budget", budget=50, explore=0.2)
    picked = pick(held(200), Spent(0, 0.0), routing)
    best = [p for p in picked if p.inclusion == 1.0]
    drawn = [p for p in picked if p.inclusion < 1.0]
    assert (len(best), len(drawn)) == (40, 10)
    left_over = {r.id for r in held(200)} - {p.review.id for p in best}
    assert min(p.review.value or 0 for p in best) >= max(r.value or 0 for r in held(200) if r.id in left_over)
    assert {p.inclusion for p in drawn} == {round(10 / 160, 9)}
    again = pick(held(200), Spent(0, 0.0), routing)
    assert [p.review.id for p in again] == [p.review.id for p in picked]


def test_a_budget_in_minutes_counts_what_was_spent(make: Make) -> None:
    routing = RoutingConfig(policy="budget", budget_minutes=30, review_seconds=60, explore=0.0)
    assert len(pick(held(100, minutes=2.0), Spent(0, 0.0), routing)) == 15
    assert len(pick(held(100, minutes=2.0), Spent(5, 10.0), routing)) == 10
    assert pick(held(100, minutes=2.0), Spent(15, 30.0), routing) == []


def test_every_item_left_over_is_as_likely_to_be_drawn() -> None:
    routing = RoutingConfig(policy="budget", budget=40, explore=0.5)
    drawn = np.zeros(120)
    for trial in range(300):
        rows_ = [replace(r, item_id=f"{trial}-{i}") for i, r in enumerate(held(120))]
        for p in pick(rows_, Spent(0, 0.0), routing):
            drawn[int(p.review.id[1:])] += p.inclusion < 1.0
    eligible = drawn[drawn > 0]
    assert len(eligible) == 100
    assert abs(eligible.mean() - 300 * 20 / 100) < 1e-9
    assert eligible.std() < 2 * np.sqrt(300 * 0.2 * 0.8)


@pytest.mark.skipif(not can_embed(), reason="needs the extra solon[embeddings]")
def test_embeddings_know_that_requests_are_alike_and_make_the_budget_spread() -> None:
    same = embed(["How do I bake bread?", "How can I bake a loaf of bread?", "What is a court order?", ""])
    assert same[0] @ same[1] > same[0] @ same[2] + 0.2
    assert np.isfinite(same).all()
    rows_ = [replace(r, value=0.5 - 0.01 * i) for i, r in enumerate(held(12))]
    vectors = np.repeat(np.eye(3), 4, axis=0)
    routing = RoutingConfig(policy="budget", budget=3, diversity=0.5)
    kinds = {int(p.review.id[1:]) // 4 for p in pick(rows_, Spent(0, 0.0), routing, Known(vectors))}
    assert kinds == {0, 1, 2}
    near = pick(rows_, Spent(0, 0.0), routing, Known(vectors, np.eye(3)[:1]))
    assert int(near[0].review.id[1:]) // 4 == 1, "what is like an item asked before loses value"


def test_a_budget_in_the_graph_says_why_and_accepts_the_rest(make: Make) -> None:
    project = make(policy="budget", budget=20, explore=0.5)
    summary = project.run("preference", seeds(60))
    assert (summary.pending_review, summary.accepted) == (20, 40)
    with project.store.connect() as connection:
        waiting = list_reviews(connection)
    assert sum(r.inclusion == 1.0 for r in waiting) == 10
    assert {r.inclusion for r in waiting if r.inclusion != 1.0} == {round(10 / 50, 9)}
    assert all(any(reason["code"] == "value" for reason in r.reasons) for r in waiting)
    again = project.run("preference", seeds(60))
    assert (again.pending_review, again.accepted) == (20, 40)
    project.decide(waiting[0].id, "prefer", waiting[0].candidates[0])
    assert project.resume().pending_review == 19


def test_a_crash_while_the_rest_is_released_loses_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make(policy="budget", budget=10, explore=0.0)
    release, done = Threads.release, []

    async def dies(self: Threads, *given: Any) -> Any:
        done.append(given)
        if len(done) > 5:
            raise RuntimeError("the power fails")
        return await release(self, *given)

    monkeypatch.setattr(Threads, "release", dies)
    with pytest.raises(RuntimeError, match="the power fails"):
        project.run("preference", seeds(30))
    monkeypatch.undo()
    summary = project.run("preference", seeds(30))
    assert (summary.pending_review, summary.accepted, summary.queued) == (10, 20, 0)
    assert rows(project, "SELECT count(*) FROM reviews WHERE state = 'held'") == [(0,)]


def answer_budget(project: Project) -> None:
    with project.store.connect() as connection:
        waiting = list_reviews(connection, limit=1000)
        votes = votes_on(connection, [(r.item_id, r.attempt, tuple(r.candidates)) for r in waiting])
    for review in waiting:
        mean = np.mean([v.p for v in votes[review.item_id] if v.p is not None])
        answer = {"choice": "prefer", "candidate": review.candidates[0 if mean > 0.5 else 1]}
        decide(project.store, review.id, answer, actor="expert:test", channel="api", counts=True)


def test_a_budget_certifies_with_its_probabilities_and_keeps_what_it_left_over(make: Make) -> None:
    project = make(policy="budget", budget=120, explore=0.8, alpha=0.2)
    first = project.run("preference", seeds(200))
    answer_budget(project)
    learned = project.learn()
    assert learned.certificate is not None
    assert set(learned.certificate["inclusion"]) == {1.0, round(96 / 176, 6)}
    after = project.resume()
    assert after.model_calls == first.model_calls
    assert after.accepted == 200
    assert learned.doubted < learned.confirmed
    assert learned.certificate["threshold"] is not None
    certified = rows(project, "SELECT confidence, provisional, certificate_id FROM records WHERE route != 'decided' "
                     "AND superseded_at IS NULL")  # fmt: skip
    threshold = learned.certificate["threshold"]
    assert all((c >= threshold - 1e-6) == (not p) == (name is not None) for c, p, name in certified)
    assert {p for _, p, _ in certified} <= {0, 1}


def test_until_all_is_answered_only_the_random_part_certifies(make: Make) -> None:
    project = make(policy="budget", budget=60, explore=0.5)
    project.run("preference", seeds(150))
    with project.store.connect() as connection:
        waiting = list_reviews(connection, limit=1000)
        run = find_run(connection)
        assert evidence.random_part_waits(connection, run.id)
    for review in waiting:
        if review.inclusion != 1.0:
            answer = {"choice": "prefer", "candidate": review.candidates[0]}
            decide(project.store, review.id, answer, actor="expert:test", channel="api", counts=True)
    learned = project.learn()
    assert learned.certificate is not None
    assert learned.certificate["inclusion"] == [round(30 / 120, 6)]


@pytest.mark.parametrize("sure", [0.8, 0.9])
def test_weighted_certificates_keep_their_word_after_selection_by_value(sure: float) -> None:
    """600 items, the 80 least confident for certain, 120 of the others at random: false ones at most at delta."""
    false = granted = 0
    for trial in range(400):
        rng = np.random.default_rng(trial)
        score = rng.random(600)
        truth = np.where(score > 0.55, sure - 0.02, 0.6)
        agreed = (rng.random(600) < truth).astype(np.float64)
        order = np.argsort(score)
        chosen, rest = order[:80], order[80:]
        drawn = rng.choice(rest, 120, replace=False)
        sample = np.concatenate([chosen, drawn])
        inclusion = np.concatenate([np.ones(80), np.full(120, 120 / 520)])
        found = certify_weighted(score[sample], agreed[sample], inclusion, alpha=1 - sure, delta=0.1)
        granted += found.granted
        if found.threshold is not None:
            false += truth[score >= found.threshold].mean() < sure
    assert false == granted, "every certificate here would be false"
    assert false / 400 <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 400)


def test_a_doubted_item_takes_its_open_audit_along(make: Make) -> None:
    project = make(policy="never", audit_share=0.5)
    project.run("preference", seeds(20))
    with project.store.connect() as connection:
        run = find_run(connection)
        audited = [r for r in list_reviews(connection) if r.kind == "audit"]
        judged = {j.item_id: j for j in evidence.judged_items(connection, run.id, PAIR)}
        version = connection.execute(select(items.c.consensus_id).limit(1)).scalar_one()
    free, taken = audited[0], audited[1]
    with project.store.transaction() as connection:
        connection.execute(update(reviews).where(reviews.c.id == taken.id).values(leased=True))
        for review in (free, taken):
            assert adoption.send_again(
                connection,
                judged[review.item_id],
                {"consensus_id": version, "certificate_id": None},
                why="doubted",
            )
    states = dict(rows(project, "SELECT id, state FROM reviews WHERE kind = 'audit'"))
    assert states[free.id] == "withdrawn"
    assert states[taken.id] == "waiting", "somebody has it in hand"
    assert rows(
        project, f"SELECT count(*) FROM events WHERE kind = 'withdrawn' AND subject = '{free.id}'"
    ) == [(1,)]
    project.resume()
    of_item = f"item_id = '{free.item_id}' AND kind = 'audit'"
    again = dict(rows(project, f"SELECT state, count(*) FROM reviews WHERE {of_item} GROUP BY state"))
    assert again == {"withdrawn": 1, "waiting": 1}


def test_learning_says_whether_more_decisions_pay(make: Make) -> None:
    project = make(policy="pilot", pilot=60, pilot_share=0.6)
    project.run("preference", seeds(100))
    answer_budget(project)
    project.resume()
    learned = project.learn()
    assert learned.stopping is not None
    assert isinstance(learned.stopping["stop"], bool)
    summary = project.summarize()
    assert summary.more_decisions == {name: learned.stopping[name] for name in ("stop", "pays", "why")}


def test_the_unsafe_rate_stands_beside_the_promise(make: Make) -> None:
    project = make(policy="never", audit_share=0.5)
    project.run("preference", seeds(40))
    nothing = project.summarize().unsafe
    assert nothing is not None
    assert (nothing["audited"], nothing["rate"], nothing["at_most"]) == (0, None, 1.0)
    with project.store.connect() as connection:
        audits = list_reviews(connection)
    for number, review in enumerate(audits[:10]):
        [(chosen,)] = rows(project, f"SELECT chosen_id FROM records WHERE item_id = '{review.item_id}'")
        flags = {chosen: ["unsafe"]} if number == 0 else {}
        answer = {"choice": "prefer", "candidate": chosen, "flags": flags}
        decide(project.store, review.id, answer, actor="expert:test", channel="api", counts=True)
    found = project.summarize().unsafe
    assert found is not None
    assert (found["flagged"], found["audited"], found["rate"], found["known"]) == (1, 10, 0.1, 1)
    assert found["at_most"] == pytest.approx(0.3942, abs=1e-3)  # Clopper and Pearson, one-sided, 1 of 10


def test_learning_twice_from_the_same_decisions_makes_one_version(make: Make) -> None:
    project = make(policy="pilot", pilot=20, pilot_share=0.5)
    project.run("preference", seeds(40))
    answer_budget(project)
    assert project.learn().version == 1
    with project.store.connect() as connection:
        run = find_run(connection)
    again = learn(project.store, run, project.recipe(run.recipe), project.config, everything=True)
    assert again.version is None
