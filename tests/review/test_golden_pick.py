"""Golden questions of one's own: picked from what people settled surely, and asked of nobody who answered them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cases import build, seeds
from sqlalchemy import func, select, update

from solon.cli.app import run_command
from solon.errors import UsageError
from solon.learning.evidence import rate_reviewers
from solon.project import Project
from solon.store.learning.evidence import counted_decisions, runs_of_scope
from solon.store.reviewing import adjudicating, queue
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.experts import ExpertRow, add_expert
from solon.store.reviewing.known import Mix, known_outcomes, next_known
from solon.store.runs.runs import all_runs
from solon.store.tables import adjudications, assignments, decisions, items, known_items, records, reviews
from solon.store.tables import seeds as seed_rows


def add(project: Project, name: str, role: str = "expert") -> ExpertRow:
    return add_expert(project.store, name, role=role, by="local:test")[0]


def give(
    project: Project, who: ExpertRow, review_id: str, choice: str, place: int | None = None, people: int = 1
) -> str:
    """Answer a review; the place of the better candidate counts from 0, in the order in which the panel saw them.
    Returns the review that asks a second of `people` the same."""
    with project.store.transaction() as connection:
        lease, review = queue.lease_review(connection, who, review_id)
        answer: dict[str, Any] = {"choice": choice, "rationale": "clear"}
        if place is not None:
            answer["candidate"] = review.candidates[place]
        answer_lease(
            project.store, connection, who, lease.token, answer,
            review_id=review_id, channel="api", times={}, answers=people, reviewers=project.config.reviewers,
        )  # fmt: skip
        second = (
            reviews.c.item_id == review.item_id,
            reviews.c.kind == "overlap",
            reviews.c.state == "waiting",
        )
        return connection.execute(select(reviews.c.id).where(*second)).scalar_one_or_none() or ""


def ask(project: Project, who: ExpertRow) -> str | None:
    """The golden review that this person is handed, if any."""
    with project.store.transaction() as connection:
        return next_known(project.store, connection, who, Mix(golden_share=1.0))


@pytest.fixture
def pairs(project: Project) -> tuple[Project, ExpertRow, ExpertRow, ExpertRow]:
    """Twelve pairs: six that a lead answered (four A, two B), two on which two experts agree, one on which they differ,
    one that one expert answered, one tie, one that nobody answered."""
    lead, ada, bo = add(project, "Lea", "lead"), add(project, "Ada"), add(project, "Bo")
    ids = [one.id for one in project.reviews()]
    for n, one in enumerate(ids[:6]):
        give(project, lead, one, "prefer", int(n >= 4))
    for one in ids[6:8]:
        give(project, bo, give(project, ada, one, "prefer", 1, people=2), "prefer", 1)
    give(project, bo, give(project, ada, ids[8], "prefer", 0, people=2), "prefer", 1)
    give(project, ada, ids[9], "prefer", 0)
    give(project, lead, ids[10], "tie")
    return project, lead, ada, bo


def test_only_what_is_sure_is_picked_and_the_rest_is_told(pairs: Any) -> None:
    project, *_ = pairs
    found = project.golden.pick(20, dry_run=True)
    assert Counter(one.settled_by for one in found.questions) == {"lead": 6, "agreement": 2}
    assert found.outcomes == {"A": 4, "B": 4}
    assert found.left_out == {
        "contested, or ruled by a lead who had read the panel": 1,
        "one expert answered it, and nobody confirmed that": 1,
        "no outcome chosen": 1,
    }
    assert project.golden.count()["golden"] == 0, "a dry run stores nothing"
    certain = project.golden.pick(20, source="certain", dry_run=True)
    assert [(one.settled_by, one.people) for one in certain.questions] == [("agreement", 2)] * 2


def test_a_draw_is_balanced_and_follows_its_seed(pairs: Any) -> None:
    project, *_ = pairs
    drawn = [project.golden.pick(4, seed=seed, dry_run=True) for seed in (0, 0, *range(1, 9))]
    assert drawn[0] == drawn[1]
    assert len({one.questions for one in drawn}) > 1
    assert all(one.outcomes == {"A": 2, "B": 2} for one in drawn)
    assert drawn[0].left_out["not drawn"] == 4


def test_nobody_is_asked_what_they_answered_even_long_after(pairs: Any) -> None:
    project, lead, ada, _ = pairs
    assert len(project.golden.pick(20, source="certain").questions) == 2
    assert project.golden.pick(20, source="certain").left_out["is or was a golden question"] == 2
    with project.store.transaction() as connection:
        connection.execute(update(assignments).values(opened_at=0.0, closed_at=1.0))
    assert ask(project, ada) is None, "she gave one of the answers that settled them"
    asked = ask(project, lead)
    assert asked is not None
    give(project, lead, asked, "prefer", 0)
    asked = ask(project, lead)
    assert asked is not None
    give(project, lead, asked, "prefer", 1)
    with project.store.connect() as connection:
        assert known_outcomes(connection) == {lead.actor: [False, True]}
    new = add(project, "New")
    assert ask(project, new) is not None


def test_who_has_seen_the_panels_votes_on_it_is_not_asked(pairs: Any) -> None:
    project, lead, _, _ = pairs
    found = project.golden.pick(20, source="certain")
    with project.store.transaction() as connection:
        shown = connection.execute(
            select(reviews.c.id).where(reviews.c.item_id.in_([one.item_id for one in found.questions]))
        ).scalars()
        for review_id in shown:
            row = {"id": f"seen-{review_id}", "review_id": review_id, "actor": lead.actor, "state": "released",
                   "token": f"t-{review_id}", "opened_at": 0.0, "expires_at": 1.0, "revealed_at": 0.5}  # fmt: skip
            connection.execute(assignments.insert().values(row))
    assert ask(project, lead) is None


def test_a_blind_ruling_is_sure_and_an_informed_one_is_not(pairs: Any) -> None:
    project, lead, *_ = pairs
    with project.store.transaction() as connection:
        (case,) = adjudicating.list_cases(connection, "open")
        adjudicating.adjudicate(
            project.store, connection, lead, case.id, choice="prefer", candidate=case.review.candidates[1],
            principle="true-claims", reason="The second answer invents a fact.",
        )  # fmt: skip
    assert project.golden.pick(20, dry_run=True).left_out["everybody has answered it"] == 1, (
        "the lead ruled on it"
    )
    add(project, "New")
    ruled = [one for one in project.golden.pick(20, dry_run=True).questions if one.settled_by == "ruling"]
    assert [one.outcome for one in ruled] == ["B"]
    assert project.golden.pick(20, source="certain", dry_run=True).left_out["people differ"] == 1
    with project.store.transaction() as connection:
        connection.execute(update(adjudications).values(informed=True))
    found = project.golden.pick(20, dry_run=True)
    assert found.left_out["contested, or ruled by a lead who had read the panel"] == 1


def test_an_audit_is_sure_where_it_confirms_its_record(tmp_path: Path) -> None:
    config = {"models": {"default": {"model": "scripted:split"}}, "label": {"labels": ["clinical", "legal"]}}
    with Project(f"sqlite:///{tmp_path}/labels.db", config=config) as project:
        project.run("label", ["text 1", "text 2"])
        ada = add(project, "Ada")
        add(project, "New")
        for one in project.reviews():
            give(project, ada, one.id, "legal")
        project.resume()
        assert project.golden.pick(5, dry_run=True).sure == 0, "one expert, and nobody else"
        with project.store.transaction() as connection:
            first = connection.execute(select(records.c.id).limit(1)).scalar_one()
            connection.execute(update(reviews).values(kind="audit"))
            connection.execute(update(records).where(records.c.id == first).values(label="clinical"))
        found = project.golden.pick(5, dry_run=True)
        assert [(one.settled_by, one.outcome) for one in found.questions] == [("audit", "legal")]
        assert project.golden.pick(5, source="certain", dry_run=True).sure == 0


def test_what_everybody_answered_is_left_out(pairs: Any) -> None:
    project, *_ = pairs
    project.experts.revoke("Lea")  # those who are left both answered what they agree on
    found = project.golden.pick(20, source="certain", dry_run=True)
    assert not found.questions
    assert found.left_out["everybody has answered it"] == 2


def test_singles_and_labels_are_picked_and_teach_nothing_twice(tmp_path: Path) -> None:
    """Answers to a picked question measure their author; learning does not meet them."""
    config = {"models": {"default": {"model": "scripted:split"}}, "label": {"labels": ["clinical", "legal"]}}
    with Project(f"sqlite:///{tmp_path}/labels.db", config=config) as project:
        project.run("label", [f"text {n}" for n in range(4)])
        lead, new = add(project, "Lea", "lead"), add(project, "New")
        for n, one in enumerate(project.reviews()):
            give(project, lead, one.id, ("clinical", "legal")[n % 2])
        project.resume()
        with project.store.connect() as connection:
            run = all_runs(connection)[0]
            before = counted_decisions(connection, project.store.key, runs_of_scope(connection, run))
            made = connection.execute(select(func.count()).select_from(records)).scalar_one()
        assert project.golden.pick(2, recipe="label").outcomes == {"clinical": 1, "legal": 1}
        for _ in range(2):
            asked = ask(project, new)
            assert asked is not None
            give(project, new, asked, "legal")
        assert ask(project, new) is None
        with project.store.connect() as connection:
            assert connection.execute(select(func.count()).select_from(decisions)).scalar_one() == 6
            assert counted_decisions(connection, project.store.key, runs_of_scope(connection, run)) == before
            assert connection.execute(select(func.count()).select_from(records)).scalar_one() == made
            assert sorted(known_outcomes(connection)[new.actor]) == [False, True]
        assert rate_reviewers(project.store, project.config.reviewers)[new.actor].n == 2


def test_single_texts_balance_what_is_accepted_and_rejected(tmp_path: Path) -> None:
    rows = [{**row, "responses": row["responses"][:1]} for row in seeds(6)]
    with Project(build(tmp_path, rows, recipe="instruction"), create=False) as project:
        lead, new = add(project, "Lea", "lead"), add(project, "New")
        for n, one in enumerate(project.reviews()):
            give(project, lead, one.id, "accept" if n else "reject")
        found = project.golden.pick(2)
        assert found.outcomes == {"accept": 1, "reject": 1}
        for _ in range(2):
            asked = ask(project, new)
            assert asked is not None
            give(project, new, asked, "reject")
        with project.store.connect() as connection:
            assert sorted(known_outcomes(connection)[new.actor]) == [False, True]


def test_a_forgotten_question_is_asked_no_more(
    pairs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a store on a server keeps its tombstones
    project, *_ = pairs
    found = project.golden.pick(20, source="certain")
    with project.store.connect() as connection:
        name = items.c.id == found.questions[0].item_id
        query = select(seed_rows.c.external_id).join(items, items.c.seed_id == seed_rows.c.id).where(name)
        seed = connection.execute(query).scalar_one()
    project.forget(seed, by="test")
    with project.store.connect() as connection:
        left = connection.execute(select(known_items.c.id).where(known_items.c.retired_at.is_(None))).all()
    assert len(left) == 1


def test_the_command_tells_what_it_did(pairs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    project, *_ = pairs
    told = ["golden", "pick", "--n", "4", "--store", project.store.url]
    assert run_command([*told, "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["dry_run"], found["outcomes"], found["sure"]) == (True, {"A": 2, "B": 2}, 8)
    assert run_command(told) == 0
    assert project.golden.count()["golden"] == 4
    assert run_command([*told, "--from", "panel"]) == 2
    assert "decided, certain" in capsys.readouterr().err
    with pytest.raises(UsageError, match="picks nothing"):
        project.golden.pick(0)
    with pytest.raises(UsageError):
        project.golden.pick(recipe="preferense")
