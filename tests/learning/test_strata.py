"""Strata: which have a promise of their own, what is drawn and tested for them, and how seldom it is wrong."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pilots import answer_all, make_project, query, seeds
from sqlalchemy import text

from benchmarks.certificates import StrataPath, measure_strata
from solon import Project
from solon.cli.learn import spell_status
from solon.config import parse_config
from solon.consensus.binomial import clopper_pearson
from solon.consensus.certify import certify, plan_test
from solon.consensus.strata import fewest_of, plan_strata
from solon.errors import ConfigError, UsageError
from solon.eval.material import gather
from solon.eval.report.promise import read_promise
from solon.eval.report.promise_picture import render_promise
from solon.eval.suites.agreement import evaluate
from solon.learning.growing import grow
from solon.store.runs.pilot import count_pilot, draw_up_to, queued_pilot
from solon.store.runs.runs import find_run

ROUTING: dict[str, Any] = {"alpha": 0.4, "pilot": 16, "pilot_share": 0.5, "audit_share": 0.0}
PARTS = {"cardiology": 26, "<b>skin</b>": 12, "rare": 3, "": 3}


def parted() -> list[dict[str, Any]]:
    names = [name for name, n in PARTS.items() for _ in range(n)]
    return [
        {"id": f"seed-{n}", "prompt": prompt, **({"specialty": name} if name else {})}
        for n, (prompt, name) in enumerate(zip(seeds(len(names)), names, strict=True))
    ]


def drawn(project: Project) -> list[tuple[str, int]]:
    """Stratum and place in the random order of every item that is marked as of the pilot."""
    rows = query(
        project,
        "SELECT s.specialty, i.pilot FROM items i JOIN seeds s ON s.id = i.seed_id ORDER BY i.random_seed, i.id",
    )
    return [(str(name or ""), place) for place, (name, pilot) in enumerate(rows) if pilot]


def test_the_whole_way_from_the_draw_to_the_promise_of_each_stratum(tmp_path: Path) -> None:
    with make_project(tmp_path, strata="specialty", **ROUTING) as project:
        project.run("preference", parted())
        marked = drawn(project)
        assert [place for _, place in marked[:16]] == [*range(16)], "the pilot itself is what it always was"
        beyond = Counter(name for name, place in marked if place >= 16)
        inside = Counter(name for name, place in marked if place < 16)
        fewest = fewest_of(2, 0.4, 0.1)
        assert beyond == {"<b>skin</b>": fewest - inside["<b>skin</b>"]}
        with project.store.connect() as connection:
            run = find_run(connection)
            assert count_pilot(connection, run.id) == 16
            assert not queued_pilot(connection, run.id)
        growth = grow(project.store, run, project.config.routing, 1, dry_run=True)
        asked_before = [place for _, place in marked[16:] if place < growth.size]
        assert asked_before
        assert growth.asked == growth.drawn - len(asked_before), (
            "who was asked for a stratum is not asked again"
        )
        assert answer_all(project, "pilot", right=1.0) == 16 + beyond.total()
        learned = project.learn()
        assert learned.granted
        assert learned.certificate is not None
        assert learned.certificate["sample"] == 16
        strata = {one["name"]: one for one in learned.certificate["strata"]}
        assert {name: one["items"] for name, one in strata.items()} == {"cardiology": 26, "<b>skin</b>": 12}
        assert strata["<b>skin</b>"]["sample"] == fewest
        assert all(one["place"] >= learned.certificate["place"] for one in strata.values())
        assert [one["delta"] for one in strata.values()] == [pytest.approx(0.045)] * 2
        promised, few = learned.strata
        assert "at least 60% agreement in each of these strata by itself" in promised
        assert "probability of at most 0.05, any of them with at most 0.1" in promised
        assert few == "too few items for a promise of their own: without a stratum (3 items), rare (3 items)"
        assert project.learned()["strata"] == [promised, few]
        with project.store.connect() as connection:
            picture = read_promise(connection, find_run(connection))
        assert set(picture.strata) == set(strata)
        assert ("Of strata by themselves", promised) in picture.facts()
        assert (picture.drawn, picture.answered) == (16, 16)
        assert evaluate(gather(project.store)).random.n == 16, (
            "what was drawn for strata speaks not of all items"
        )
        written = str(render_promise(picture))
        assert "By itself: &lt;b&gt;skin&lt;/b&gt;" in written
        assert "<b>skin" not in written
        told = spell_status(project.learned())
        assert all(f"  {line}" in told for line in (promised, few))
        withdraw_of(project, "<b>skin</b>", 3)
        assert project.learned()["in_force"] is not None
        kept, lost, _ = project.learned()["strata"]
        assert "cardiology: from" in kept
        assert (
            lost
            == "no promise of their own: <b>skin</b>: not shown (3 decisions that it relies on were withdrawn)"
        )
        with (
            make_project(tmp_path, **ROUTING) as other,
            pytest.raises(UsageError, match=r"routing\.strata was 'specialty', now ''"),
        ):
            other.run("preference", parted())
        before = {place for _, place in drawn(project)}
        with project.store.transaction() as connection:
            draw_up_to(connection, find_run(connection).id, 24, afterwards=True)
            assert count_pilot(connection, find_run(connection).id) == 24
        assert {place for _, place in drawn(project)} == {*before, *range(24)}, "the random order goes on"


def withdraw_of(project: Project, stratum: str, n: int) -> None:
    """Take back so many decisions on the last items of a stratum's sample, which the pilot itself does not hold."""
    rows = query(
        project,
        "SELECT d.id FROM decisions d JOIN items i ON i.id = d.item_id JOIN seeds s ON s.id = i.seed_id "
        f"WHERE s.specialty = '{stratum}' ORDER BY i.random_seed DESC, i.id DESC",
    )
    with project.store.transaction() as connection:
        for (decision,) in rows[:n]:
            connection.execute(text(f"UPDATE decisions SET undone_at = 1 WHERE id = '{decision}'"))


@pytest.mark.parametrize(
    ("routing", "told"),
    [
        (
            {"strata": "specialty", "policy": "never"},
            "strata are promised by a pilot, and policy never has none",
        ),
        ({"strata": "specialty"}, "routing.strata needs voters of one tier"),
    ],
)
def test_a_configuration_that_can_promise_nothing_of_strata_is_refused(
    routing: dict[str, Any], told: str
) -> None:
    judges = [{"model": "default", "tier": tier} for tier in (0, 1)]
    with pytest.raises(ConfigError, match=told):
        parse_config({"routing": routing, "judges": judges})


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("specialyt", "names 'specialyt', and no seed states it"),
        ("case", "names 'case', which has 51 values in the seeds, and 50 is the most"),
    ],
)
def test_strata_that_cannot_be_are_refused_before_there_is_a_run(
    tmp_path: Path, field: str, told: str
) -> None:
    rows = [{"id": f"seed-{n}", "prompt": f"Explain {n}.", "case": f"case {n}"} for n in range(51)]
    with make_project(tmp_path, strata=field, **ROUTING) as project:
        with pytest.raises(ConfigError, match=told) as refused:
            project.run("preference", rows)
        assert refused.value.next_step.startswith("name a column")
        assert not query(project, "SELECT id FROM runs")


def test_a_run_without_strata_keeps_its_hash() -> None:
    plain, asked = parse_config({}), parse_config({"routing": {"strata": "lang"}})
    assert plain.fingerprint() != asked.fingerprint()
    assert parse_config({"routing": {"strata": ""}}).fingerprint() == plain.fingerprint()


def test_as_many_strata_are_promised_something_as_have_enough_items() -> None:
    """One stratum takes 29 decisions at .10 (23 without a slip, four fifths of them as sure as what is accepted)."""
    assert fewest_of(1, 0.1, 0.1) == 29
    assert plan_strata({"a": 300, "b": 28}, 0.1, 0.1).promised == {"a"}
    assert plan_strata({"a": 300, "b": 38, "c": 20}, 0.1, 0.1).promised == {"a", "b"}
    assert plan_strata({"a": 28, "b": 28}, 0.1, 0.1).fewest == 0
    assert not plan_strata({}, 0.1, 0.1).promised


def test_nothing_is_promised_under_the_floor_and_the_sequence_leaves_room_for_it() -> None:
    score, agreed = np.arange(60) / 60, np.ones(60)
    agreed[:20] = 0.0
    for floor, n in ((0.0, 40), (0.35, 38)):
        found = certify(score, agreed, alpha=0.1, delta=0.1, floor=floor)
        assert found.threshold is not None
        assert found.threshold >= floor
        assert found.n >= n
    assert plan_test(60, 0.1, 0.1).start == 52
    assert plan_test(60, 0.1, 0.1, within=0.8).start == 38
    assert plan_test(23, 0.1, 0.1, within=0.8).start == 22, "not one without a slip fits into so few"
    assert certify(score, agreed, alpha=0.1, delta=0.1, floor=0.7).threshold is None


def test_promises_of_strata_are_seldom_false_though_their_floor_is_chosen_by_the_same_answers() -> None:
    """Both agree a hair less than is promised, so that each promise is false; at most .10 of projects may have one."""
    rng, false, projects = np.random.default_rng(3), 0, 150
    for _ in range(projects):
        score, agreed = rng.random(90), (rng.random(90) < 0.799).astype(float)
        first = rng.random(90) < 0.6
        over_all = certify(score, agreed, alpha=0.2, delta=0.09).threshold or 0.0
        false += any(
            certify(score[part], agreed[part], alpha=0.2, delta=0.045, floor=over_all).granted
            for part in (first, ~first)
        )
    assert false > 0
    assert clopper_pearson(false, projects)[0] < 0.09


def test_the_simulation_of_strata_goes_the_way_of_a_run() -> None:
    path = StrataPath("one of two just under", 0.2, 40, (0.7, 0.3), others=1.0)
    granted, false, kept = measure_strata(path, 2)
    assert (granted, kept) == (2, 2)
    assert false <= 1
