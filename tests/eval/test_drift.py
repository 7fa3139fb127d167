"""Drift: weeks against those before, alarms that may be looked at every week, experts asked again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import text

from solon import Project
from solon.cli.learn import spell_status
from solon.eval.material import gather
from solon.eval.report.report import build_report
from solon.eval.suites import drift
from solon.eval.suites.drift import LEVEL, Drift, Weeks, _course, _detectable, _note, evaluate, fell
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide

WEEK = 7 * 86400.0
START = 1_760_000_000.0
CONFIG = {
    "models": {"default": {"model": "scripted:default"}},
    "generator": {"revise": False},
    "routing": {"policy": "always"},
}


def test_a_fall_is_tested_exactly() -> None:
    # Of the 70 ways to draw 4 of 8 with 4 agreeing, one has none of them in the later four.
    assert fell(4, 4, 0, 4) == pytest.approx(1 / 70)
    assert fell(4, 4, 4, 4) == 1.0
    assert fell(10, 20, 20, 20) == 1.0


def test_what_a_further_week_could_show_is_found_in_few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [k / 30 for k in range(31) if fell(70, 80, k, 30) <= 0.01]
    assert _detectable(70, 80, 30, 0.01) == max(told)
    assert _detectable(0, 0, 30, 0.01) is None
    assert _detectable(4, 5, 5, 1e-9) is None
    looks = []
    monkeypatch.setattr(drift, "fell", lambda *asked: looks.append(asked) or fell(*asked))
    assert 0.8 < (_detectable(9_000, 10_000, 10_000, 0.01) or 0) < 0.9
    assert len(looks) < 20


def weeks_of(draw: random.Random, rates: list[float], n: int) -> Weeks:
    weeks = Weeks()
    for week, rate in enumerate(rates):
        for i in range(n):
            _note(weeks, START + week * WEEK + i, draw.random() < rate)
    return weeks


def test_a_fall_raises_the_alarm_and_names_its_week() -> None:
    course = _course(weeks_of(random.Random(1), [0.9] * 6 + [0.4], 40))
    assert course.state == "alarm"
    assert course.weeks[-1].name in course.why
    assert course.weeks[-1].p is not None
    assert len(course.weeks) == 7


def test_where_nothing_changed_weekly_looks_hardly_ever_alarm() -> None:
    draw = random.Random(7)
    alarms = sum(_course(weeks_of(draw, [0.8] * 12, 12)).state == "alarm" for _ in range(300))
    assert alarms / 300 <= LEVEL + 0.02


def test_too_little_is_said_to_be_too_little() -> None:
    assert _course({}).state == "cannot tell"
    few = _course(weeks_of(random.Random(1), [0.9, 0.9], 3))
    assert few.state == "cannot tell"
    assert "no week" in few.why
    some = _course(weeks_of(random.Random(1), [0.6, 0.6], 5))
    assert some.state == "cannot tell"  # five more answers could not show any fall
    assert some.detects is None
    many = _course(weeks_of(random.Random(1), [0.9] * 4, 30))
    assert many.state == "steady"
    assert many.detects is not None
    assert 0 < many.detects < 0.9


def drift_of(project: Project) -> Drift:
    return evaluate(gather(project.store))


def test_agreement_by_week_and_by_principle_from_a_store(tmp_path: Path) -> None:
    """In the first weeks the expert sides with the panel, in the last against it, and then contradicts themselves."""
    with Project(f"sqlite:///{tmp_path}/solon.db", config=CONFIG) as project:
        project.run("preference", [f"Explain topic {i} in two sentences." for i in range(60)])
        expert, _ = add_expert(project.store, "Ada", by="test")
        with project.store.connect() as connection:
            waiting = [r for r in list_reviews(connection, limit=1000) if r.kind == "interrupt"]
            sql = "SELECT a_id, avg(p) FROM verdicts GROUP BY a_id"
            means = {row[0]: row[1] for row in connection.execute(text(sql))}
        for i, review in enumerate(waiting):
            with_panel = i < 45
            best = 0 if means[review.candidates[0]] > 0.5 else 1
            pick = review.candidates[best if with_panel else 1 - best]
            answer = {"choice": "prefer", "candidate": pick, "principles": ["answers-question"]}
            decision = decide(
                project.store, review.id, answer, actor=expert.actor, channel="api", counts=True
            )
            with project.store.transaction() as connection:
                at = START + (i // 15) * WEEK + i
                connection.execute(text(f"UPDATE decisions SET decided_at = {at} WHERE id = '{decision}'"))
        found = drift_of(project)
        assert found.n == 60
        assert found.alarm
        assert found.drawn.state == "alarm"
        assert [week.agreement.n for week in found.drawn.weeks] == [15] * 4
        assert found.drawn.weeks[-1].agreement.value == 0.0
        assert found.routed.weeks == ()
        principle = found.by_principle["answers-question"]
        assert [week.agreement.value for week in principle.weeks] == [1.0, 1.0, 1.0, 0.0]
        assert principle.state == "alarm"
        assert [told.split(":")[0] for told in found.alarms] == [
            "on drawn items",
            "by principle answers-question",
        ]
        assert "asked the same thing again" in " ".join(found.notes)
        assert spell_status(project.learned()).count("ALARM, agreement fell") == 2
        limits = build_report(gather(project.store)).limits
        assert (
            sum(told.startswith("Agreement fell on drawn items: agreement fell in") for told in limits) == 1
        )
        with project.store.transaction() as connection:
            copy = (
                "INSERT INTO decisions (id, review_id, item_id, ordinal, actor, channel, choice, candidate_id, "
                "response_schema, content_hash, counts, decided_at) SELECT id || 'x', review_id, item_id, -9, "
                "actor, channel, 'tie', NULL, response_schema, content_hash, counts, decided_at + 1000000 "
                "FROM decisions LIMIT 6"
            )
            connection.execute(text(copy))
        again = drift_of(project)
        assert (again.experts.overall.n, again.experts.overall.value) == (6, 0.0)


def test_a_store_without_decisions_cannot_tell(tmp_path: Path) -> None:
    with Project(f"sqlite:///{tmp_path}/solon.db", config=CONFIG) as project:
        project.run("preference", ["One question?"])
        found = drift_of(project)
    assert found.n == 0
    assert not found.alarm
    assert found.drawn.state == "cannot tell"
