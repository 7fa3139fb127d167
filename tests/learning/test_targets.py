"""Certificates that speak of more than one expert: who is asked, what counts, and when such a promise is in force."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pilots import ROUTING, answer_all, make_project, query, seeds
from sqlalchemy import insert

from solon import Project
from solon.config import parse_config
from solon.errors import ConfigError
from solon.eval.material import gather
from solon.eval.suites.audit import evaluate
from solon.learning.audits import watch_audits
from solon.store.reviewing import queue
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.runs import find_run
from solon.store.tables.disputes import Adjudication

GRANTED = "SELECT count(*) FROM certificates WHERE status = 'granted'"


def certificates(project: Project) -> list[dict[str, Any]]:
    rows = query(
        project, "SELECT CAST(figures AS TEXT), CAST(covers AS TEXT) FROM certificates ORDER BY created_at"
    )
    return [{**json.loads(str(figures)), **json.loads(str(covers))} for figures, covers in rows]


def test_a_majority_of_three_is_asked_about_the_whole_pilot(tmp_path: Path) -> None:
    with make_project(tmp_path, target="majority(3)") as project:
        project.run("preference", seeds(160))
        assert answer_all(project, "pilot", right=1.0) == 80
        asked = query(project, "SELECT count(*) FROM reviews WHERE rule = 'certify' GROUP BY item_id")
        assert asked == [(2,)] * 80
        project.resume()
        project.learn()
        assert certificates(project) == []  # one answer is no majority of three

        answer_all(project, "certify", right=1.0, kind="overlap", actor="expert:second")
        answer_all(project, "threshold", right=1.0)  # something new to learn from
        project.resume()
        project.learn()
        [made] = certificates(project)
        assert (made["target"], made["sample"]) == ("majority(3)", 80)
        assert query(project, GRANTED) == [(1,)]
        assert project.summarize().promise["target"] == "majority(3)"


def test_people_who_outvote_the_panel_get_no_certificate(tmp_path: Path) -> None:
    """The first expert always sides with the panel; the two others mostly do not, and they are the majority."""
    with make_project(tmp_path, target="majority(3)") as project:
        project.run("preference", seeds(160))
        answer_all(project, "certify", right=0.1, kind="overlap", actor="expert:second")
        answer_all(project, "pilot", right=1.0)
        project.resume()
        project.learn()
        [made] = certificates(project)
        assert made["threshold"] is None
        assert query(project, GRANTED) == [(0,)]


@pytest.mark.parametrize("ruled", [False, True])
def test_what_is_contested_counts_as_disagreement_until_a_lead_rules(tmp_path: Path, ruled: bool) -> None:
    with make_project(tmp_path, target="adjudicated", alpha=0.3) as project:
        project.run("preference", seeds(160))
        answer_all(project, "pilot", right=1.0)
        answer_all(project, "certify", right=0.0, kind="overlap", actor="expert:second")
        if ruled:  # for the first of the two, who sides with the panel
            rule_on_everything(project)
        project.resume()
        project.learn()
        [made] = certificates(project)
        assert (made["threshold"] is not None) is ruled
        assert made["sample"] > 20


def rule_on_everything(project: Project) -> None:
    with project.store.transaction() as connection:
        asked = [r for r in list_reviews(connection, limit=10_000, state="decided") if r.kind == "interrupt"]
        for review in asked:
            case = {"id": f"case-{review.id}"[:24], "item_id": review.item_id, "review_id": review.id}
            case |= {"content_hash": review.content_hash, "state": "decided", "created_at": 0.0}
            connection.execute(insert(Adjudication).values(case))


def test_an_audit_speaks_once_all_have_answered(tmp_path: Path) -> None:
    with make_project(tmp_path, target="majority(3)") as project:
        project.run("preference", seeds(160))
        with project.store.connect() as connection:
            run = find_run(connection)
            audits = [r for r in list_reviews(connection, limit=10_000) if r.kind == "audit"]
        by_item: dict[str, list[str]] = {}
        for review in audits:
            by_item.setdefault(review.item_id, []).append(review.id)
        assert by_item
        assert {len(ids) for ids in by_item.values()} == {3}
        for ids in by_item.values():  # the first of three
            first = next(review for review in audits if review.id == ids[0])
            answer = {"choice": "prefer", "candidate": first.candidates[0]}
            decide(project.store, first.id, answer, actor="expert:first", channel="api", counts=True)
        assert watch_audits(project.store, run, project.config).n == 0
        assert evaluate(gather(project.store)).runs[0].agreement.n == 0
        answer_all(project, "audit", right=1.0, kind="audit")
        report = watch_audits(project.store, run, project.config)
        assert (report.n, report.agreed) == (len(by_item), len(by_item))  # two of three hold with the record
        told = evaluate(gather(project.store)).runs[0].agreement
        assert (told.n, told.value) == (len(by_item), 1.0)


def test_under_certified_a_pilot_certifies_and_nothing_is_provisional(tmp_path: Path) -> None:
    with make_project(tmp_path, policy="certified") as project:
        project.run("preference", seeds(160))
        assert query(project, "SELECT count(*) FROM records") == [(0,)]
        assert answer_all(project, "pilot", right=1.0) == 80
        project.resume()
        project.learn()
        project.resume()
        assert query(project, GRANTED) == [(1,)]
        routes = query(project, "SELECT DISTINCT provisional FROM records WHERE route != 'decided'")
        assert [bool(row[0]) for row in routes] == [False]


def test_a_certificate_is_in_force_only_for_runs_that_ask_no_more(tmp_path: Path) -> None:
    with make_project(tmp_path, alpha=0.2) as project:
        project.run("preference", seeds(160))
        answer_all(project, "pilot", right=1.0)
        project.resume()
        project.learn()
        assert query(project, GRANTED) == [(1,)]
    for routing, in_force in [
        ({"alpha": 0.2}, True),
        ({"alpha": 0.3}, True),
        ({"alpha": 0.05}, False),
        ({"alpha": 0.2, "delta": 0.01}, False),
        ({"alpha": 0.2, "target": "majority(3)"}, False),
    ]:
        with make_project(tmp_path, **routing) as project:
            project.run("preference", seeds(160), new_run=True)
            assert (project.summarize().promise is not None) is in_force, routing


def test_unproven_people_are_not_asked_for_a_promise(tmp_path: Path) -> None:
    with make_project(tmp_path, target="majority(3)") as project:
        add_expert(project.store, "Eva", by="local:test")
        worker, _ = add_expert(project.store, "Ann", role="worker", by="local:test")
        project.run("preference", seeds(40))
        handed: dict[str, tuple[str, str]] = {}
        for _ in range(3):
            with project.store.transaction() as connection:
                found = queue.lease_next(connection, worker, exclude=list(handed))
            assert found is not None
            handed[found[0].id] = (found[1].kind, found[1].rule)
        assert set(handed.values()) <= {("overlap", "pilot"), ("interrupt", "threshold")}


@pytest.mark.parametrize(
    "routing", [{"target": "majority(4)"}, {"target": "adjudicated", "policy": "budget"}]
)
def test_a_target_that_cannot_be_is_refused(routing: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="target"):
        parse_config({"routing": {**ROUTING, **routing}}, source="test")


def test_an_audit_is_for_the_field_and_language_of_its_seed(tmp_path: Path) -> None:
    with make_project(tmp_path, policy="never", audit_share=0.5) as project:
        about = {"specialty": "Cardiology", "lang": "de"}
        project.run("preference", [{"id": f"s{n}", "prompt": f"Topic {n}.", **about} for n in range(12)])
        fields = query(project, "SELECT DISTINCT specialty, lang FROM reviews WHERE kind = 'audit'")
        assert fields == [("cardiology", "de")]
