"""A crowd that errs in one direction: golden questions show it, votes count by it, a lead gets the doubtful first."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from solon import Project
from solon.cli.judges import show_confusions
from solon.cli.learn import spell_learned
from solon.config.sections import ReviewersConfig
from solon.consensus.crowd import believe_crowd, count_confusions, learn_crowd
from solon.eval.suites.confusions import Confusions
from solon.learning.crowd import gather_crowd
from solon.operations.golden import add_questions
from solon.questions import LabelQuestion
from solon.store.reviewing import queue
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.experts import ExpertRow, add_expert
from solon.store.reviewing.known import Mix, next_known
from solon.store.reviewing.review_rows import ReviewRow, find_review, list_reviews
from solon.store.reviewing.voting import tally
from solon.store.tables import candidates, records, texts

LABELS = ("card", "fees", "login")
QUESTION = LabelQuestion(LABELS)


def truth(text: str) -> str:
    return LABELS[int(text.split()[1]) % 3]


def said(worker: str, text: str) -> str:
    """Right, but for half of what is about a card: that is taken for fees. No other label is given wrongly."""
    right = truth(text)
    return "fees" if right == "card" and random.Random(f"{worker} {text}").random() < 0.5 else right


def crowd_of(n: int) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    asked = {f"text {i}": {who: said(who, f"text {i}") for who in ("ann", "ben", "cy")} for i in range(n)}
    return asked, {text: truth(text) for text in asked}


def test_a_label_that_is_given_too_often_counts_for_less() -> None:
    answers, right = crowd_of(300)
    known = {text: right[text] for text in list(right)[:60]}
    model = learn_crowd(answers, known, LABELS)
    fees = believe_crowd(model, [("ann", "fees"), ("ben", "fees")])
    login = believe_crowd(model, [("ann", "login"), ("ben", "login")])
    assert login["login"] > 0.95 > fees["fees"]
    assert fees["card"] > 10 * login["card"]
    both = believe_crowd(model, [("ann", "card"), ("ben", "fees")])
    assert max(both, key=lambda one: both[one]) == "card", "nobody says card of what is not"
    assert sum(both.values()) == pytest.approx(1.0)


def test_what_a_panel_says_takes_the_place_of_how_common_a_label_is() -> None:
    answers, right = crowd_of(300)
    model = learn_crowd(answers, {text: right[text] for text in list(right)[:60]}, LABELS)
    panel = {"card": 0.05, "fees": 0.9, "login": 0.05}
    with_panel = believe_crowd(model, [("ann", "fees")], panel)
    assert with_panel["fees"] > believe_crowd(model, [("ann", "fees")])["fees"]
    assert believe_crowd(model, [], panel) == pytest.approx(panel)
    assert believe_crowd(model, [("ann", "something else")], panel) == pytest.approx(panel)


def test_confusions_are_counted_where_the_answer_is_known() -> None:
    counts = count_confusions({"a": {"ann": "fees"}, "b": {"ann": "card", "ben": "card"}}, {"a": "card"})
    assert counts == {"ann": {("card", "fees"): 1}}


@contextmanager
def labelling(folder: Path, **reviewers: Any) -> Iterator[Project]:
    config = {"label": {"labels": LABELS}, "reviewers": reviewers}
    with Project(f"sqlite:///{folder}/crowd.db", config=config) as project:
        project.run("label", [{"id": f"t{n}", "prompt": f"text {n} arrived"} for n in range(30)])
        yield project


def people(project: Project, role: str, *names: str) -> list[ExpertRow]:
    return [add_expert(project.store, name, role=role, by="local:test")[0] for name in names]


def bodies(project: Project) -> dict[str, str]:
    query = select(candidates.c.id, texts.c.body).join(texts, texts.c.id == candidates.c.text_id)
    with project.store.connect() as connection:
        return {row.id: row.body for row in connection.execute(query)}


def give(project: Project, who: ExpertRow, review_id: str, label: str) -> None:
    with project.store.transaction() as connection:
        lease, review = queue.lease_review(connection, who, review_id, reviewers=project.config.reviewers)
        answer(project, connection, who, lease.token, review, label)


def answer(
    project: Project, connection: Any, who: ExpertRow, token: str, review: ReviewRow, label: str
) -> None:
    answer_lease(
        project.store, connection, who, token, {"choice": label, "rationale": "clear"}, review_id=review.id,
        channel="api", times={}, reviewers=project.config.reviewers,
    )  # fmt: skip


def learn_golden(project: Project, workers: list[ExpertRow], n: int = 40) -> None:
    """Golden questions come to workers by the queue, as any others do, and they answer them."""
    rows = [
        {"id": f"g{i}", "prompt": f"text {i} of gold", "answer": truth(f"text {i} of gold"), "why": "it is"}
        for i in range(1000, 1000 + n)
    ]
    add_questions(project, rows, purpose="golden", recipe="label")
    mix = Mix(golden_share=1.0)
    for worker in workers:
        for _ in range(n):
            with project.store.transaction() as connection:
                found = queue.lease_next(
                    connection,
                    worker,
                    offer=lambda c=connection, w=worker: next_known(project.store, c, w, mix),
                )
                assert found is not None
                lease, review = found
                assert review.kind == "golden"
                query = select(texts.c.body).join(candidates, candidates.c.text_id == texts.c.id)
                text = connection.execute(query.where(candidates.c.id == review.candidates[0])).scalar_one()
                answer(project, connection, worker, lease.token, review, said(worker.name, text))


def waiting(project: Project) -> list[ReviewRow]:
    with project.store.connect() as connection:
        return [one for one in list_reviews(connection, limit=500) if one.kind == "interrupt"]


def test_golden_questions_teach_who_confuses_what_so_that_one_vote_settles_what_two_do_not(
    tmp_path: Path,
) -> None:
    with labelling(tmp_path) as project:
        ann, ben = people(project, "worker", "Ann", "Ben")
        first, second, *_ = waiting(project)
        assert project.learn().version is None
        give(project, ann, first.id, "fees")
        learn_golden(project, [ann, ben])
        learned = project.learn()
        assert "version 1 of what 2 people confuse was learned of 81 answers" in learned.why
        assert (learned.by_votes, project.learn().why) == (
            0,
            "people answer all of it: there is no panel to learn of",
        )
        give(project, ben, first.id, "fees")
        give(project, ann, second.id, "login")
        with project.store.connect() as connection:
            states = {one.id: find_review(connection, one.id).state for one in (first, second)}
            counted = tally(connection, find_review(connection, first.id), project.config.reviewers)
        assert states == {first.id: "waiting", second.id: "decided"}
        assert counted.best == "fees"
        assert 0.4 < counted.sure < 0.9
        measured = {one.name: one.measured or {} for one in project.experts.list()}
        assert measured["Ann"]["n"] == 40, "golden questions measure people where people alone answer"


def test_what_votes_settle_under_new_knowledge_moves_on(tmp_path: Path) -> None:
    with labelling(tmp_path, settles=0.985) as project:
        ann, ben = people(project, "worker", "Ann", "Ben")
        first = waiting(project)[0]
        for who in (ann, ben):
            give(project, who, first.id, "login")
        assert find(project, first).state == "waiting", "two of whom nothing is known are not that sure"
        learn_golden(project, [ann, ben])
        learned = project.learn()
        assert learned.by_votes == learned.moved_items == 1
        assert "votes of people now settle 1 that waited" in spell_learned(learned)
        assert find(project, first).state == "decided"
        assert project.resume().accepted == 1
        with project.store.connect() as connection:
            [kept] = connection.execute(select(records)).all()
        assert (kept.label, kept.route) == ("login", "voted")
        assert kept.shares["login"] >= 0.985


def find(project: Project, review: ReviewRow) -> ReviewRow:
    with project.store.connect() as connection:
        return find_review(connection, review.id)


def test_a_lead_is_shown_the_least_sure_first(tmp_path: Path) -> None:
    with labelling(tmp_path, most_votes=3, settles=0.999) as project:
        workers = people(project, "worker", "Ann", "Ben", "Cy")
        [lead] = people(project, "lead", "Lea")
        alike, split, mixed, *_ = waiting(project)
        for review, labels in (
            (alike, ("login", "login", "login")),
            (mixed, ("login", "login", "card")),
            (split, ("login", "fees", "card")),
        ):
            for who, label in zip(workers, labels, strict=True):
                give(project, who, review.id, label)
        order = []
        for _ in range(3):
            with project.store.transaction() as connection:
                found = queue.lease_next(connection, lead, exclude=())
                assert found is not None
                lease, review = found
                order.append(review.id)
                answer(project, connection, lead, lease.token, review, "login")
        assert order == [split.id, mixed.id, alike.id]
        with project.store.connect() as connection:
            crowd = gather_crowd(connection, QUESTION, ReviewersConfig())
        assert len(crowd.known) == 3, "a lead's answer is known to be right"
        assert {len(given) for given in crowd.said.values()} == {3}


def test_too_little_is_known_to_go_by_confusions(tmp_path: Path) -> None:
    with labelling(tmp_path) as project:
        ann, ben = people(project, "worker", "Ann", "Ben")
        learn_golden(project, [ann, ben], n=12)
        assert "confuse" not in project.learn().why
        first = waiting(project)[0]
        for who in (ann, ben):
            give(project, who, first.id, "login")
        assert find(project, first).state == "decided", "each counts by how reliable they are"


def test_who_confuses_what_is_told_with_n(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with labelling(tmp_path) as project:
        empty = project.evaluate("confusions")
        assert isinstance(empty, Confusions)
        show_confusions(empty)
        assert "solon golden import" in capsys.readouterr().out
        ann, ben = people(project, "worker", "Ann", "Ben")
        learn_golden(project, [ann, ben])
        found = project.evaluate("confusions")
        assert isinstance(found, Confusions)
        assert found.n == 80
        assert {voter.name for voter in found.voters} == {"Ann", "Ben"}
        told = found.people
        assert told is not None
        assert {(one.right, one.given) for one in told.confused} == {("card", "fees")}
        cards = sum(truth(f"text {i}") == "card" for i in range(1000, 1040)) * 2
        assert told.confused[0].share.n == cards == sum(told.counts["card"].values())
        show_confusions(found)
        out = capsys.readouterr().out
        assert "Ann: right on" in out
        assert "n = 40" in out
        page = (tmp_path / "report.html", project.report(tmp_path / "report.html"))
        html = page[0].read_text()
        assert "Who confuses what with what" in html
        assert "fees for card" in html
        assert "Ann" not in html, "people have pseudonyms in a report"
