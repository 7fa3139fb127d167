"""A certificate after a change: suspended, with the reason, and brought back by a planned number of random probes."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pilots import answer_all, make_project, query, seeds
from sqlalchemy import select, text

from benchmarks.certificates import Path as Kind
from benchmarks.certificates import just_under, measure_false
from solon import Project
from solon.consensus.finite import at_most
from solon.consensus.probes import plan_probes
from solon.errors import ConfigError, UsageError
from solon.eval.report.promise import read_promise
from solon.learning.carrying import cannot_carry
from solon.store.learning import carries
from solon.store.learning.adoption import adopt_for_queued, send_again
from solon.store.learning.carries import FIRST
from solon.store.learning.evidence import undecided_items
from solon.store.reviewing.review_rows import ReviewRow, list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.runs import find_run
from solon.store.tables import decisions, items, reviews, verdicts

ROUTING: dict[str, Any] = {"alpha": 0.4, "pilot": 16, "pilot_share": 0.5, "audit_share": 0.0}
PERSONAS = ("a careful expert in the subject", "the person who asked")
CHANGED = {"judges": [{"model": "default", "persona": name, "max_tokens": 300} for name in PERSONAS]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a certificate, and one over other seeds by another panel."""
    folder = tmp_path_factory.mktemp("carrying")
    with make_project(folder, **ROUTING) as project:
        project.run("preference", seeds(32))
        answer_all(project, "pilot", right=1.0)
        assert project.learn().granted
        project.resume()
    with make_project(folder, CHANGED, **ROUTING) as project:
        project.run("preference", [f"Compare {text}" for text in seeds(40)])
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    with make_project(tmp_path, CHANGED, **ROUTING) as opened:
        yield opened


def probes(project: Project) -> list[ReviewRow]:
    """Those that wait; where a second person is asked, too, as chance has it, they come last."""
    with project.store.connect() as connection:
        queue = list_reviews(connection, limit=10_000)
    twice = {one.item_id for one in queue if one.kind == "overlap"}
    first = [one for one in queue if one.priority == FIRST and one.kind != "overlap"]
    return sorted(first, key=lambda one: (one.item_id in twice, one.item_id))


def change(project: Project, sql: str, **values: object) -> None:
    with project.store.transaction() as connection:
        assert connection.execute(text(sql), values).rowcount > 0


def answer(project: Project, review: ReviewRow, *, right: bool) -> None:
    """Answer with what the panel found of the item when it was drawn, or against it."""
    [(drawn,)] = query(project, "SELECT CAST(probes AS TEXT) FROM carries")
    best = {item: found for item, _, found in json.loads(str(drawn))}[review.item_id]
    place = "AB".index(best) if right else 1 - "AB".index(best)
    given = {"choice": "prefer", "candidate": review.candidates[place]}
    decide(project.store, review.id, given, actor="expert:test", channel="api", counts=True)


def promised(project: Project) -> dict[str, str]:
    """What the picture of the newest run's promise says."""
    with project.store.connect() as connection:
        return dict(read_promise(connection, find_run(connection)).facts())


def certificates(project: Project) -> list[tuple[str, float, str]]:
    rows = query(project, "SELECT status, spent_delta, reason FROM certificates ORDER BY created_at")
    return [(str(status), float(str(spent)), str(why)) for status, spent, why in rows]


def test_the_whole_way_from_a_change_to_the_certificate(project: Project) -> None:
    suspended = project.summarize().suspended
    assert suspended is not None
    assert "judges" in suspended["why"]
    assert suspended["probes"] == 14
    assert "solon learn" in suspended["back"]
    assert project.learned()["suspended"] == suspended
    assert "--carry" in promised(project)["Comes into force by"]
    planned = project.carry_certificate()
    assert (planned.state, planned.asked, planned.slips, planned.open) == ("asked", 14, 2, 14)
    assert project.carry_certificate() == planned, "asking again draws nothing else, and asks nobody twice"
    asked = probes(project)
    assert len({one.item_id for one in asked}) == 14
    for review in asked[:11]:
        answer(project, review, right=True)
    assert project.learn().why.count("11 of 14 probes agreed, 0 did not, 3 wait") == 1
    assert "11 of 14 probes agreed, 0 did not, 3 wait" in (project.summarize().suspended or {})["back"]
    answer(project, asked[11], right=True)
    learned = project.learn()
    assert "is carried over: 12 of 14 probes agreed" in learned.why
    [_, (status, spent, why)] = certificates(project)
    assert (status, spent) == ("granted", pytest.approx(0.05))
    assert "judges" in why
    done = project.resume()
    assert done.suspended is None
    assert done.promise is not None
    assert done.pending_review + done.accepted == 40
    assert promised(project)["Rests on"].startswith("14 probes, drawn at random after a change")
    assert not query(project, "SELECT 1 FROM reviews WHERE state = 'waiting' AND rule = 'audit'")
    assert project.carry_certificate().state == "granted", "nothing is asked again"


def test_what_was_sent_again_before_comes_under_the_certificate(project: Project) -> None:
    """What another version had settled, or doubted, is still queued when the certificate comes back."""
    project.carry_certificate()
    asked = probes(project)
    drawn = {one.item_id for one in asked}
    with project.store.transaction() as connection:
        left = [
            one for one in undecided_items(connection, find_run(connection).id) if one.item_id not in drawn
        ]
        assert sum(send_again(connection, one, {}, why="settled") for one in left) > 2
    for review in asked[:12]:
        answer(project, review, right=True)
    project.learn()
    project.resume()
    rows = "FROM records JOIN runs ON runs.id = records.run_id WHERE superseded_at IS NULL AND provisional"
    newest = "runs.created_at = (SELECT max(created_at) FROM runs)"
    assert query(project, f"SELECT count(*) {rows} AND {newest}") == [(0,)]
    of_pilot = (
        "FROM items JOIN runs ON runs.id = items.run_id WHERE pilot AND items.state IN ('queued', 'waiting')"
    )
    assert query(project, f"SELECT count(*) {of_pilot} AND {newest}") == [(0,)], "the pilot is asked no more"


def test_what_people_decided_law_sent_again_or_the_panel_judged_keeps_its_version(project: Project) -> None:
    with project.store.transaction() as connection:
        run = find_run(connection)
        left = undecided_items(connection, run.id)[:4]
        assert sum(send_again(connection, one, {}, why="settled") for one in left) == 4
        version = connection.scalar(select(items.c.consensus_id).where(items.c.id == left[0].item_id))
        assert adopt_for_queued(connection, run.id, str(version), None) == 4
        decided, carried, judged = (one.item_id for one in left[1:])
        connection.execute(items.update().where(items.c.id == carried).values(carried=["one"]))
        again = verdicts.update().where(verdicts.c.item_id == judged)
        assert connection.execute(again.values(attempt=verdicts.c.attempt + 1)).rowcount
        assert adopt_for_queued(connection, run.id, str(version), None) == 2
        answered = select(decisions.c.id).join(reviews, reviews.c.id == decisions.c.review_id)
        one = connection.scalar(answered.where(reviews.c.kind == "interrupt").limit(1))
        connection.execute(decisions.update().where(decisions.c.id == one).values(item_id=decided))
        assert adopt_for_queued(connection, run.id, str(version), None) == 1


def test_too_many_slips_refuse_it_once_and_for_all(project: Project) -> None:
    project.carry_certificate()
    asked = probes(project)
    for review in asked[:3]:
        answer(project, review, right=False)
    refused = project.carry_certificate()
    assert (refused.state, refused.disagreed) == ("refused", 3)
    assert [status for status, _, _ in certificates(project)] == ["granted", "refused"]
    assert not probes(project) or all(one.kind == "interrupt" for one in probes(project))
    suspended = project.summarize().suspended
    assert suspended is not None
    assert suspended["probes"] is None
    assert "random probes did not show it" in suspended["back"]
    with project.store.connect() as connection:
        [(name, figure), *_] = read_promise(connection, find_run(connection)).measured()
    assert (name, figure.value) == ("Experts agreed, on the probes", 0.0)
    assert project.carry_certificate().state == "refused"
    assert len(certificates(project)) == 2, "there is one look"


def test_what_the_probes_may_spend_the_pilot_may_not(project: Project) -> None:
    project.carry_certificate()
    answer_all(project, "pilot", right=1.0)
    project.learn()
    rows = query(project, "SELECT spent_delta FROM certificates ORDER BY created_at")
    assert sum(float(str(spent)) for (spent,) in rows[1:]) <= 0.1 + 1e-9


def test_a_probe_that_nobody_can_be_asked_about_any_more_counts_as_disagreement(project: Project) -> None:
    project.carry_certificate()
    for review in [one for one in probes(project) if one.kind == "interrupt"][:2]:
        given = {"choice": "prefer", "candidate": review.candidates[0]}
        decide(project.store, review.id, given, actor="somebody", channel="api", counts=False)
    left = project.carry_certificate()
    assert (left.disagreed, left.unasked, left.open) == (0, 2, 12), (
        "they were decided, and by nobody who counts"
    )


def test_answers_that_are_taken_back_suspend_it_until_they_are_there_again(project: Project) -> None:
    project.carry_certificate()
    asked = sorted(probes(project), key=lambda one: one.kind)[:12]
    for review in asked:
        answer(project, review, right=True)
    assert project.carry_certificate().state == "granted"
    audit = next(one.id for one in asked if one.kind == "audit")
    change(project, "UPDATE decisions SET undone_at = decided_at WHERE review_id = :id", id=audit)
    change(project, "UPDATE reviews SET state = 'waiting' WHERE id = :id", id=audit)
    project.learn()
    suspended = project.summarize().suspended
    assert suspended is not None
    told = "11 of 14 probes agreed, 0 did not, 1 wait, 2 are not asked any more and count as disagreement"
    assert told in suspended["back"], "those that were open when it was granted"
    [(reason,)] = query(project, "SELECT figures FROM certificates WHERE suspended_at IS NOT NULL")
    assert "taken back or changed: 11 of 14 agree by now, and 12 have to" in str(reason)
    change(project, "UPDATE decisions SET undone_at = NULL WHERE review_id = :id", id=audit)
    assert project.carry_certificate().state == "granted"
    assert project.summarize().promise is not None
    assert [spent for _, spent, _ in certificates(project)][1:] == [pytest.approx(0.05), 0.0]


def test_a_promise_that_probes_keep_is_told_from_their_answers_now(project: Project) -> None:
    project.carry_certificate()
    asked = [one for one in probes(project) if one.kind != "overlap"]
    for review in asked:
        answer(project, review, right=True)
    assert project.carry_certificate().state == "granted"
    told = promised(project)
    assert told["Covers"].startswith("of this run's 40: "), (
        "people's answers are in no share of what was drawn from"
    )
    assert told["Rests on"].endswith("asked blind: 14 have an expert's answer")
    for review in asked[:3]:
        change(project, "UPDATE decisions SET undone_at = decided_at WHERE review_id = :id", id=review.id)
        change(project, "UPDATE reviews SET state = 'waiting' WHERE id = :id", id=review.id)
    project.learn()
    suspended, told = project.summarize().suspended, promised(project)
    assert suspended is not None
    assert "taken back" in suspended["why"]
    assert suspended["told"].endswith(f"it is brought back by {suspended['back']}")
    assert (told["Why"], told["Brought back by"]) == (suspended["why"], suspended["back"])
    assert told["Experts agreed, on the answers it rests on"].endswith("n = 11)")
    assert told["Rests on"].endswith("asked blind: 11 have an expert's answer, 3 have none")


def test_what_cannot_be_carried_over_is_said(project: Project) -> None:
    newest = "SELECT max(id) FROM items WHERE run_id = (SELECT id FROM runs ORDER BY created_at DESC LIMIT 1)"
    change(project, f"UPDATE items SET state = 'queued' WHERE id = ({newest})")
    with pytest.raises(UsageError, match=r"1 items of run .* are not judged yet"):
        project.carry_certificate()
    change(project, "UPDATE items SET state = 'waiting' WHERE state = 'queued'")
    change(project, "UPDATE certificates SET threshold = 1.5")
    with pytest.raises(UsageError, match=r"would accept 0 items of run .*: too few to draw probes from"):
        project.carry_certificate()
    with project.store.connect() as connection:
        run = find_run(connection)
        row = carries.newest_elsewhere(connection, run)
        assert row is not None
        routing = project.config.routing.model_copy(update={"policy": "threshold"})
        other = project.config.model_copy(update={"routing": routing})
        assert cannot_carry(connection, run, other, row) == "policy threshold goes by none"
        tiers = replace(row, figures={"tiers": [{"threshold": 0.5}]})
        assert "tier" in cannot_carry(connection, run, project.config, tiers)
    change(project, "UPDATE certificates SET suspended_at = created_at")
    with pytest.raises(UsageError, match="no earlier certificate of its recipe"):
        project.carry_certificate()
    assert project.summarize().suspended is None
    first = query(project, "SELECT id FROM runs ORDER BY created_at")[0][0]
    with pytest.raises(UsageError, match="was suspended, and nothing was changed"):
        project.carry_certificate(str(first))


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2, 0.4])
def test_the_test_of_probes_keeps_its_level_for_every_number_of_items(alpha: float) -> None:
    """The least favourable truth: as few items disagree as break the promise."""
    for asked in (None, 200):
        plan = plan_probes(alpha, 0.1, asked=asked)
        assert plan is not None
        for size in range(plan.asked, plan.asked * 12, 5):
            wrong = math.floor(size * alpha + 1e-9) + 1
            assert at_most(size, wrong, plan.asked, plan.slips) <= plan.level


def test_simulated_probes_after_a_change_of_the_panel_keep_their_level() -> None:
    """`benchmarks.certificates` has 2,000 projects of each kind."""
    path = Kind("carried over", just_under, 0.2, 60, carried=True)
    false, granted = measure_false(path, 60)
    assert 0 < granted == false <= 8, "all of them are false, and .05 of projects may have one"


def test_the_number_of_probes_is_planned() -> None:
    plan = plan_probes(0.1, 0.1)
    assert plan is not None
    assert (plan.asked, plan.slips, plan.level) == (61, 2, 0.05)
    fewer = plan_probes(0.1, 0.1, items=50)
    assert fewer is not None
    assert (fewer.asked, fewer.slips) == (46, 1)
    assert plan_probes(0.1, 0.1, items=28) is None
    more = plan_probes(0.1, 0.1, asked=120)
    assert more is not None
    assert more.slips == 6
    assert more.chance(0.97) > plan.chance(0.97) > 0.7
    with pytest.raises(ConfigError, match=r"routing\.probes = 20") as caught:
        plan_probes(0.1, 0.1, asked=20)
    assert "29 or more" in caught.value.next_step
    with pytest.raises(ConfigError, match="nothing is left of delta"):
        plan_probes(0.1, 0.0)
