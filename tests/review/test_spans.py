"""Answers that mark spans: what the server makes of them, of votes that differ, and of a disagreement."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import select

from solon.config.sections import ReviewersConfig
from solon.errors import InvalidDecision, UsageError
from solon.project import Project
from solon.spans import Span, spell_spans, write_spans
from solon.store.reviewing import adjudicating, queue
from solon.store.reviewing.answering import AnswerResult, answer_lease
from solon.store.reviewing.drafts import answer_of
from solon.store.reviewing.experts import ExpertRow, list_experts
from solon.store.reviewing.review_rows import ReviewRow, find_review, list_reviews
from solon.store.tables import decisions, reviews

TEXT = "Ada 😀 met Leila in Oslo"
ADA = {"start": 0, "end": 3, "label": "person"}
LEILA = {"start": 10, "end": 15, "label": "person"}
CONFIG = {
    "models": {"default": {"model": "scripted:default"}},
    "spans": {"kinds": ["person", "place"]},
    "routing": {"policy": "always"},
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """One text whose proposed spans wait."""
    with Project(f"sqlite:///{tmp_path}/solon.db", config=CONFIG) as opened:
        opened.run("label-spans", [{"id": "one", "prompt": TEXT, "spans": [ADA]}])
        yield opened


def first(project: Project) -> ReviewRow:
    with project.store.connect() as connection:
        return list_reviews(connection)[0]


def give(
    project: Project,
    expert: ExpertRow,
    review: ReviewRow,
    answer: dict[str, Any],
    answers: int = 1,
    reviewers: ReviewersConfig | None = None,
) -> AnswerResult:
    with project.store.transaction() as connection:
        lease, _ = queue.lease_review(connection, expert, review.id)
        return answer_lease(
            project.store,
            connection,
            expert,
            lease.token,
            {"rationale": "names", **answer},
            review_id=review.id,
            channel="api",
            times={},
            answers=answers,
            reviewers=reviewers,
        )


def spans_of(project: Project) -> list[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        output = Path(folder) / "spans.jsonl"
        project.export("spans", output)
        [row] = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    return [{name: one[name] for name in ("start", "end", "label")} for one in row["spans"]]


def changed(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"choice": "changed", "spans": list(spans)}


def test_the_server_says_whether_anything_was_changed(project: Project, person: Any) -> None:
    made = give(project, person("Ada")[0], first(project), changed(ADA))
    with project.store.connect() as connection:
        row = connection.execute(select(decisions).where(decisions.c.id == made.decision_id)).one()
    assert (row.choice, row.edit_id) == ("stands", None)
    project.resume()
    assert spans_of(project) == [ADA]


def test_stands_with_other_spans_is_a_change(project: Project, person: Any) -> None:
    made = give(project, person("Ada")[0], first(project), {"choice": "stands", "spans": [LEILA, ADA]})
    with project.store.connect() as connection:
        row = connection.execute(select(decisions).where(decisions.c.id == made.decision_id)).mappings().one()
        again = answer_of(connection, row, find_review(connection, row["review_id"]))
    assert row["choice"] == "changed"
    assert again["spans"] == [ADA, LEILA], "taken back, it is there as it was given"
    project.resume()
    assert spans_of(project) == [ADA, LEILA]


def test_no_span_at_all_is_a_change(project: Project, person: Any) -> None:
    made = give(project, person("Ada")[0], first(project), changed())
    with project.store.connect() as connection:
        row = connection.execute(select(decisions).where(decisions.c.id == made.decision_id)).mappings().one()
        assert answer_of(connection, row, find_review(connection, row["review_id"]))["spans"] == []
    project.resume()
    assert spans_of(project) == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"choice": "changed"}, "all spans of the text"),
        (changed({**ADA, "end": 99}), "out of range"),
        (changed({**ADA, "label": "Person"}), "did you mean 'person'"),
        (changed(ADA, {**ADA, "start": 1}), "overlaps"),
        (changed({**ADA, "quote": "Ada"}), "Extra inputs"),
        (changed({**ADA, "start": 0.0}), "spans.0.start"),
        (changed(*[ADA] * 1001), "at most 1000"),
    ],
)
def test_what_cannot_be_an_answer(project: Project, person: Any, answer: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidDecision, match=told):
        give(project, person("Ada")[0], first(project), answer)
    assert first(project).state == "waiting"


def overlap_of(project: Project, review: ReviewRow) -> ReviewRow:
    with project.store.connect() as connection:
        query = select(reviews.c.id).where(reviews.c.kind == "overlap", reviews.c.item_id == review.item_id)
        return find_review(connection, str(connection.execute(query).scalar_one()))


def open_cases(project: Project) -> list[adjudicating.Case]:
    with project.store.connect() as connection:
        return adjudicating.list_cases(connection)


def test_two_people_agree_where_their_sets_are_equal(project: Project, person: Any) -> None:
    review = first(project)
    give(project, person("Ada")[0], review, changed(LEILA, ADA), answers=2)
    give(project, person("Bo")[0], overlap_of(project, review), changed(ADA, LEILA), answers=2)
    assert open_cases(project) == []
    assert project.evaluate("spans").people.strict.value == 1.0


def test_a_lead_rules_for_the_spans_of_a_reviewer(project: Project, person: Any) -> None:
    review = first(project)
    give(project, person("Ada")[0], review, changed(ADA, LEILA), answers=2)
    give(project, person("Bo")[0], overlap_of(project, review), changed(LEILA), answers=2)
    project.resume()
    [case] = open_cases(project)
    assert case.choices == ["stands", "reviewer 1", "reviewer 2", "contested"]
    assert project.evaluate("spans").people.strict.value == pytest.approx(2 / 3)
    [number] = [n for n, one in case.whole.items() if one.actor.endswith(person_id(project, "Bo"))]
    lead = person("Lea", role="lead")[0]
    with project.store.transaction() as connection:
        adjudicating.adjudicate(
            project.store, connection, lead, case.id, choice=f"reviewer {number}", candidate=None,
            principle=None, reason="Ada is a robot here.",
        )  # fmt: skip
    project.resume()
    assert spans_of(project) == [LEILA]


def person_id(project: Project, name: str) -> str:
    with project.store.connect() as connection:
        return next(one.actor for one in list_experts(connection) if one.name == name)


def test_votes_settle_a_change_where_two_marked_the_same(project: Project, person: Any) -> None:
    review, reviewers = first(project), ReviewersConfig(settles=0.6)
    told = give(project, person("Wim", role="worker")[0], review, changed(ADA, LEILA), reviewers=reviewers)
    assert told.kind == "vote"
    assert first(project).state == "waiting", "one vote does not say what others hold"
    give(project, person("Wanda", role="worker")[0], review, changed(LEILA, ADA), reviewers=reviewers)
    with project.store.connect() as connection:
        assert find_review(connection, review.id).state == "decided"
    project.resume()
    assert spans_of(project) == [ADA, LEILA]


def test_votes_that_change_into_different_spans_go_to_a_lead(project: Project, person: Any) -> None:
    review, reviewers = first(project), ReviewersConfig(settles=0.6)
    for name, answer in (("Wim", changed(LEILA)), ("Wanda", changed(ADA, LEILA))):
        give(project, person(name, role="worker")[0], review, answer, reviewers=reviewers)
    with project.store.connect() as connection:
        found = find_review(connection, review.id)
    assert (found.state, found.escalated) == ("waiting", True)


def test_known_questions_of_spans_are_refused_in_words(project: Project) -> None:
    with pytest.raises(UsageError, match="asks for spans") as refused:
        project.golden.import_([{"prompt": TEXT, "answer": "stands"}], recipe="label-spans")
    assert "answers = 2" in refused.value.next_step


def test_the_lead_reads_spans_as_words() -> None:
    assert spell_spans(write_spans([Span(10, 15, "person")]), TEXT) == "person: Leila [10, 15)"
    assert spell_spans(write_spans([]), TEXT) == "no span"
    assert spell_spans("a text", TEXT) == "a text"
