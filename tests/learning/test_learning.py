"""Decisions make the next consensus version, certificates follow, and items move at no model cost.

The panel is scripted, so these tests show that the plumbing holds; they claim no rate of agreement.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pilots import answer_all, make_project, query, seeds
from sqlalchemy import text

from solon import Project
from solon.cli.run import print_summary
from solon.eval.report.promise import read_promise
from solon.learning import usable_decisions
from solon.learning.audits import watch_audits
from solon.learning.certificates import Crossfit, fold_of
from solon.questions import PAIR
from solon.store.learning.evidence import DecidedItem
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.certificates import (
    add_certificate,
    certificate_of,
    consensus_payload,
    newest_consensus,
    newest_granted,
    suspend,
)
from solon.store.runs.runs import find_run


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with make_project(tmp_path) as made:
        yield made


def test_the_pilot_is_random_fixed_and_bounded(project: Project) -> None:
    project.run("preference", seeds(40))
    pilot = query(project, "SELECT count(*) FROM items WHERE pilot")
    assert pilot == [(20,)]
    smallest = query(
        project,
        "SELECT min(random_seed) > (SELECT max(random_seed) FROM items WHERE pilot) FROM items WHERE NOT pilot",
    )
    assert smallest == [(1,)]
    before = query(project, "SELECT id FROM items WHERE pilot ORDER BY id")
    project.run("preference", seeds(40))
    assert query(project, "SELECT id FROM items WHERE pilot ORDER BY id") == before


def test_decisions_without_a_token_teach_nothing(project: Project) -> None:
    project.run("preference", seeds(30))
    assert answer_all(project, "pilot", right=1.0, counts=False) == 15
    project.resume()
    learned = project.learn()
    assert learned.version is None
    assert query(project, "SELECT count(*) FROM certificates") == [(0,)]


def test_what_is_missing_is_said_where_nothing_is_learned(project: Project) -> None:
    project.run("preference", seeds(30))
    assert project.learn().why == "nothing new: no decision counts yet"
    with project.store.connect() as connection:
        waiting = [r for r in list_reviews(connection) if r.kind == "interrupt" and r.rule == "pilot"]
    for review in waiting[:8]:
        said = {"choice": "prefer", "candidate": review.candidates[0]}
        decide(project.store, review.id, said, actor="expert:ada", channel="api", counts=True)
    assert project.learn(everything=False).why == (
        "nothing new: none is old enough: the newest 10 may still be taken back; counted decisions: 8, of which 8 are "
        "too fresh"
    )
    learned = project.learn()
    assert learned.version == 1
    assert learned.awaits.startswith("the pilot is looked at when all ")
    assert project.learn().why == (
        "nothing new: the newest version learned from all 8 already; counted decisions: 8, of which 0 are too fresh"
    )


def test_from_pilot_to_certificate_at_no_model_cost(project: Project) -> None:
    first = project.run("preference", seeds(160))
    assert first.provisional == first.accepted > 0
    assert answer_all(project, "pilot", right=1.0) == 80
    second = project.resume()
    project.learn()
    third = project.resume()
    assert third.model_calls == second.model_calls == first.model_calls
    states = third.accepted + third.rejected + third.pending_review + third.failed + third.queued
    assert states == third.items == 160
    assert query(project, "SELECT count(*) FROM consensus_versions WHERE number > 0")[0][0] in (1, 2)
    granted = query(project, "SELECT id, threshold, spent_delta FROM certificates WHERE status = 'granted'")
    assert len(granted) == 1
    named = query(
        project,
        "SELECT DISTINCT certificate_id, provisional FROM records WHERE superseded_at IS NULL AND route != 'decided'",
    )
    assert named == [(granted[0][0], 0)]
    under = query(
        project,
        "SELECT count(*) FROM records JOIN certificates ON certificates.id = records.certificate_id "
        "WHERE records.superseded_at IS NULL AND records.confidence < certificates.threshold - 0.000001",
    )
    assert under == [(0,)]


def test_every_decision_teaches_and_certifies_by_fits_without_its_fold(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No fit that scores an item for the look was given a decision on its group; the version knows them all."""
    from solon import learning

    fitted: list[set[str]] = []
    scored: list[tuple[str, set[str]]] = []
    fit = learning._Studied.fit

    def noting_fit(self: Any, config: Any, question: Any, keeps: Any = lambda group: True) -> Any:
        fitted.append({d.group for d in self.evidence.usable if keeps(d.group)})
        return fit(self, config, question, keeps)

    def noting_fold(key: str, group: str) -> int:
        fold = fold_of(key, group)
        if len(fitted) == 6:
            scored.append((group, fitted[1 + fold]))
        return fold

    monkeypatch.setattr(learning._Studied, "fit", noting_fit)
    monkeypatch.setattr(import_module("solon.learning.certificates"), "fold_of", noting_fold)
    project.run("preference", seeds(120))
    answer_all(project, "pilot", right=1.0)
    learned = project.learn()
    assert learned.certified_on == learned.fitted_on == 60
    assert len(fitted) == 6
    assert fitted[0] == {group for group, _ in scored}
    assert len({group for group, _ in scored}) == 60
    assert all(group not in groups for group, groups in scored)
    assert all(20 < len(groups) < 60 for groups in fitted[1:])


def test_a_look_that_another_process_took_meanwhile_is_not_taken_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the certificate that it granted put out of force by the version that was learned beside it."""
    project.run("preference", seeds(120))
    answer_all(project, "pilot", right=1.0)
    of, meanwhile = Crossfit.of, []

    def with_another_process(*arguments: Any) -> Crossfit:
        monkeypatch.setattr(Crossfit, "of", of)
        meanwhile.append(project.learn())
        return of(*arguments)

    monkeypatch.setattr(Crossfit, "of", with_another_process)
    late = project.learn()
    assert meanwhile[0].granted
    assert late.certificate is None
    assert "speaks for its own version" in late.why
    assert query(project, "SELECT spent_delta FROM certificates") == [(pytest.approx(0.09),)]
    in_force = project.learned()["in_force"]
    assert in_force is not None
    held = query(project, f"SELECT count(*) FROM items WHERE certificate_id = '{in_force['id']}'")
    assert int(str(held[0][0])) > 0


def test_a_run_says_what_its_own_learning_took_out_of_the_set(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Experts say the opposite of the panel, so that what it accepted no longer stands."""
    first = project.run("preference", seeds(120))
    assert first.taken_out is None
    answer_all(project, "pilot", right=0.0)
    after = project.resume()  # learns by itself
    out = after.taken_out
    assert out is not None
    assert out.turned > 0
    noted = "SELECT count(DISTINCT subject) FROM events WHERE kind IN ('doubted', 'turned')"
    assert query(project, noted) == [(out.records,)]
    assert json.loads(after.to_json())["taken_out"] == asdict(out)
    print_summary(after, title="run")
    told = " ".join(capsys.readouterr().out.split())
    assert (
        f"learning took out of the set {out}; {out.without_record} of these items have no record now" in told
    )
    assert str(out) in after._repr_html_()
    assert project.summarize().taken_out == out


def test_disagreeing_experts_get_no_certificate(project: Project) -> None:
    project.run("preference", seeds(120))
    answer_all(project, "pilot", right=0.5)
    project.resume()
    project.learn()
    project.resume()
    assert query(project, "SELECT count(*) FROM certificates WHERE status = 'granted'") == [(0,)]
    assert query(project, "SELECT count(*) FROM records WHERE NOT provisional AND route != 'decided'") == [
        (0,)
    ]


def test_each_look_spends_its_own_delta(project: Project) -> None:
    project.run("preference", seeds(60))
    answer_all(project, "pilot", right=0.5)
    project.resume()
    project.learn()
    spent = [
        float(str(row[0]))
        for row in query(project, "SELECT spent_delta FROM certificates ORDER BY created_at")
    ]
    assert spent
    assert sum(spent) <= 0.1
    assert spent == sorted(spent, reverse=True)


def test_withdrawn_reviews_are_logged_and_no_precedents(project: Project) -> None:
    project.run("preference", seeds(160))
    answer_all(project, "pilot", right=1.0)
    project.resume()
    project.learn()
    project.resume()
    withdrawn = {row[0] for row in query(project, "SELECT id FROM reviews WHERE state = 'withdrawn'")}
    logged = {row[0] for row in query(project, "SELECT subject FROM events WHERE kind = 'withdrawn'")}
    assert withdrawn
    assert withdrawn == logged
    assert query(
        project,
        "SELECT count(*) FROM decisions JOIN reviews ON reviews.id = decisions.review_id "
        "WHERE reviews.state = 'withdrawn'",
    ) == [(0,)]


def test_audits_wait_beside_accepted_items_and_an_alarm_suspends_the_certificate(project: Project) -> None:
    project.run("preference", seeds(160))
    answer_all(project, "pilot", right=1.0)
    project.resume()
    project.learn()
    project.resume()
    with project.store.connect() as connection:
        audits = [r for r in list_reviews(connection, limit=10_000) if r.kind == "audit"]
        run = find_run(connection)
    assert audits
    assert query(
        project,
        "SELECT DISTINCT state FROM items WHERE id IN (SELECT item_id FROM reviews WHERE kind = 'audit')",
    ) == [("accepted",)]
    for review in audits:
        [(chosen,)] = query(
            project,
            f"SELECT chosen_id FROM records WHERE item_id = '{review.item_id}' AND superseded_at IS NULL",
        )
        other = next(c for c in review.candidates if c != chosen)
        answer = {"choice": "prefer", "candidate": other}
        decide(project.store, review.id, answer, actor="expert:test", channel="api", counts=True)
    assert query(project, "SELECT count(*) FROM outbox WHERE applied_at IS NULL") == [(0,)]
    report = watch_audits(project.store, run, project.config)
    assert (report.n, report.agreed) == (len(audits), 0)
    assert report.state == "alarm"
    in_force = "SELECT count(*) FROM certificates WHERE status = 'granted' AND suspended_at IS NULL"
    assert query(project, in_force) == [(0,)]
    covered = "SELECT provisional FROM records WHERE certificate_id IS NOT NULL AND superseded_at IS NULL"
    assert set(query(project, covered)) == {(1,)}

    # A certificate from fresh decisions is not taken down by what was said of the one before.
    with project.store.transaction() as connection:
        old = newest_granted(connection, run)
        assert old is not None
        renewed = add_certificate(
            connection,
            scope=run.scope,
            source=run.seeds_fingerprint,
            granted=True,
            spent_delta=0.01,
            consensus_id=old.consensus_id,
            outcome={**old.figures, "why": "renewed"},
            covers={},
        )
    assert watch_audits(project.store, run, project.config).n == 0
    with project.store.connect() as connection:
        kept = certificate_of(connection, run)
        promise = read_promise(connection, run)
    assert (promise.since, promise.audits.n) == (True, 0), "the picture counts the same audits"
    assert kept is not None
    assert kept.id == renewed
    # Nor does the one before come back where the newest is suspended.
    with project.store.transaction() as connection:
        suspend(connection, renewed, why="tested")
        connection.execute(text(f"UPDATE certificates SET suspended_at = NULL WHERE id = '{old.id}'"))
        assert certificate_of(connection, run) is None


def test_the_server_hears_of_an_alarm_though_nothing_is_there_to_learn(project: Project) -> None:
    project.run("preference", seeds(160))
    answer_all(project, "pilot", right=1.0)
    project.resume()
    project.learn()
    project.resume()
    with project.store.connect() as connection:
        run = find_run(connection)
        audits = [r for r in list_reviews(connection, limit=10_000) if r.kind == "audit"]
    before = usable_decisions(project.store, run.id)
    review = audits[0]
    answer = {"choice": "prefer", "candidate": review.candidates[0]}
    decide(project.store, review.id, answer, actor="expert:test", channel="api", counts=True)
    assert usable_decisions(project.store, run.id) == (before[0], before[1] + 1)


@pytest.mark.parametrize(
    ("choice", "candidate", "expected"),
    [
        ("prefer", "a", "A"),
        ("prefer", "b", "B"),
        ("tie", None, "tie"),
        ("both_bad", None, "neither"),
        ("edit", "a", "neither"),
        ("accept", "a", None),
        ("prefer", "c", None),
    ],
)
def test_decisions_in_the_panels_words(choice: str, candidate: str | None, expected: str | None) -> None:
    decided = DecidedItem(
        PAIR, "d", "i", 0, ("a", "b"), choice, candidate, "expert:x", 0.0, False, True, "interrupt", "r"
    )
    assert decided.outcome == expected


def test_a_quarter_of_the_pilot_is_asked_twice_and_gives_the_ceiling(project: Project) -> None:
    project.run("preference", seeds(160))
    answered = answer_all(project, "pilot", right=1.0)
    twice = answer_all(project, "pilot", right=1.0, kind="overlap", actor="expert:second")
    assert 0.1 * answered < twice < 0.45 * answered
    project.resume()
    project.learn()
    [(figures,)] = query(
        project, "SELECT CAST(figures AS TEXT) FROM certificates ORDER BY created_at LIMIT 1"
    )
    ceiling = json.loads(str(figures))["ceiling"]
    assert ceiling["items"] == twice
    assert ceiling["experts_agree"] == 1.0
    [(payload,)] = query(
        project,
        "SELECT CAST(payload AS TEXT) FROM consensus_versions WHERE number > 0 ORDER BY number DESC LIMIT 1",
    )
    reviewers = json.loads(str(payload))["reviewers"]
    assert set(reviewers) == {"expert:test", "expert:second"}
    assert all(0.5 < reliability < 1.0 for reliability in reviewers.values())


@pytest.mark.parametrize(("policy", "calibrates"), [("always", True), ("threshold", False)])
def test_what_was_sent_because_of_its_verdicts_never_calibrates(
    tmp_path: Path, policy: str, calibrates: bool
) -> None:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "generator": {"revise": False},
        "resolver": {"enabled": False},
        "routing": {"policy": policy, "threshold": 0.9},
    }
    with Project(f"sqlite:///{tmp_path}/solon.db", config=config) as made:
        made.store.key = "5a" * 32
        made.run("preference", seeds(60))
        answer_all(made, policy, right=0.8)
        learned = made.learn()
        assert learned.fitted_on > 20
        with made.store.connect() as connection:
            version = newest_consensus(connection, find_run(connection).scope)
            payload = consensus_payload(connection, str(version))
    assert payload["kind"] == "supervised"
    assert (payload["calibration"]["n"] > 0) is calibrates
