"""A lead's first page: how far, how good, who waits for what and what to do next; and that it stays fast."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from cases import build, seeds
from sqlalchemy import delete, update
from test_adjudication import first_review, give, other_review
from test_plans import listening, plan

from benchmarks.review_fill import fill
from solon.eval.report.promise import RunPromise
from solon.project import Project
from solon.review.app import create_app
from solon.review.auth import Caller
from solon.review.first_page import FirstPage, PersonLoad, RunProgress, read_first_page
from solon.review.language import IN_ENGLISH
from solon.review.reviewer import progress_of
from solon.review.state import Options
from solon.review.statistics import statistics
from solon.store.database import clock
from solon.store.database.writer import insert_rows
from solon.store.records.evaluation import answers
from solon.store.records.lead_work import LeadWork, count_lead_work
from solon.store.reviewing import queue
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.overlaps import overlap_row
from solon.store.reviewing.proposals import keep_proposal
from solon.store.reviewing.review_rows import ReviewRow, list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.tables import items, reviews
from solon.store.tables.people import Review

NOTHING = LeadWork(cases=0, own_cases=0, escalated=0, proposals=0, drafts=0)
QUEUE = {"free": 0, "leased": 0, "escalated": 0, "opening": 0, "held": 0, "to_apply": 0, "worker": ""}


def page_of(**more: Any) -> FirstPage:
    values: dict[str, Any] = {
        "runs": [], "more_runs": 0, "promise": None, "picture": None, "untested": {}, "read_at": 0.0, "counting": False,
        "people": [], "few": [], "waits": NOTHING, "first_case": None, "queue": QUEUE, "works": True,
    }  # fmt: skip
    return FirstPage(**{**values, **more})


def test_steps_are_ranked_from_what_is_broken_to_what_is_done() -> None:
    assert page_of().steps(IN_ENGLISH) == []
    busy = page_of(
        runs=[RunProgress("r", "preference", done=3, waiting=2, failed=1, left=0)],
        people=[PersonLoad("Ada", "expert", "proven", 4, 2, clock.now() - 2 * 24 * 3600)],
        few=[{"reviews": 5, "people": 0}, {"reviews": 7, "people": 1}],
        waits=LeadWork(cases=2, own_cases=0, escalated=1, proposals=3, drafts=1),
        first_case="c1",
        queue={**QUEUE, "free": 7, "leased": 2, "to_apply": 4, "worker": "the disk is full"},
    )
    assert [(step.words, step.link) for step in busy.steps(IN_ENGLISH)] == [
        ("4 decisions have not reached their items.", "/lead/runs"),
        ("Settle 2 questions that reviewers answered differently.", "/lead/adjudications/c1"),
        ("Answer 1 review handed to leads.", "/"),
        ("Vote on 1 draft of new rules.", "/lead/amendments"),
        ("Look at 3 principles that reviewers proposed.", "/lead/proposals"),
        ("Find someone for 5 reviews that nobody here can answer.", "/lead/queue"),
        ("Ask Ada about 2 reviews in hand for more than a day.", "/lead/queue"),
        ("Have reviewers answer 9 reviews.", "#who"),
        ("1 item has no result.", "/lead/runs"),
    ]
    assert "the disk is full" in busy.steps(IN_ENGLISH)[0].why
    falls = RunPromise.model_construct(state="in force", falls_short=True, audits_say="fewer agreed")
    [step] = page_of(promise=falls).steps(IN_ENGLISH)
    assert (step.words, step.why) == ("Audits show less than is promised.", "fewer agreed")
    assert page_of(promise=falls.model_copy(update={"falls_short": False})).steps(IN_ENGLISH) == []
    done = page_of(runs=[RunProgress("r", "preference", done=3, waiting=0, failed=0, left=0)])
    assert [step.link for step in done.steps(IN_ENGLISH)] == ["/lead/exports"]


def test_a_run_that_needs_only_a_look_is_named(tmp_path: Path) -> None:
    """Also where a newer run has no random questions, and so no promise of its own."""
    models = {"default": {"model": "scripted:default"}}
    routing = {"policy": "pilot", "pilot": 3, "pilot_share": 1.0, "audit_share": 0.0}
    url = build(tmp_path, seeds(3), routing=routing, models=models)
    newer = {"models": models, "routing": {"policy": "never", "audit_share": 0.0}}
    with Project(url, config={"models": models, "routing": routing}) as project:
        lea, _ = add_expert(project.store, "Lea", role="lead", by="local:test")
        run = project.runs()[0].run_id
    with Project(url, config=newer) as project:
        project.run("preference", seeds(4, domain="other"))
        with project.store.connect() as connection:
            asked = [review for review in list_reviews(connection) if review.kind == "interrupt"]
        for open_, review in zip((3, 2, 1), asked, strict=True):
            room = create_app(project, Options(work=False)).state.room
            found = read_first_page(room, lea)
            assert (found.promise and found.promise.state, dict(found.untested)) == ("none", {run: open_})
            assert "promise" not in str(found.steps(IN_ENGLISH)), "what is asked has to be answered first"
            answer = {"choice": "prefer", "candidate": review.candidates[0]}
            decide(project.store, review.id, answer, actor=lea.actor, channel="api", counts=True)
        found = read_first_page(create_app(project, Options(work=False)).state.room, lea)
        step = next(one for one in found.steps(IN_ENGLISH) if "promise" in one.words)
        assert (step.link, step.why) == (f"/lead/runs?run={run}", f"`solon learn {run[:8]}`")


def test_who_waits_for_what(project: Project, person: Any, serving: Any, client: Any) -> None:
    """A disagreement, a proposal, a review handed over: each is counted for whoever can do something about it."""
    ada, bo, lea = person("Ada")[0], person("Bo")[0], person("Lea", role="lead")
    also = person("Dr Ek", role="lead")[0]
    _, review = give(project, ada, first_review(project), 0)
    give(project, bo, other_review(project, review), 1)
    _, second = give(project, also, first_review(project), 0)
    give(project, bo, other_review(project, second), 1)
    with project.store.transaction() as connection:
        keep_proposal(project.store, connection, review, None, ada.actor, "Names the dose.")
        connection.execute(
            update(reviews).where(reviews.c.id == first_review(project)).values(escalated=True)
        )
        assert count_lead_work(connection, lea[0].actor) == LeadWork(2, 0, 1, 1, 0)
        assert count_lead_work(connection, also.actor) == LeadWork(1, 1, 1, 1, 0)
        connection.execute(update(reviews).where(reviews.c.escalated).values(leased=True))
        assert count_lead_work(connection, lea[0].actor).escalated == 1, "it has no answer yet"

    async def go() -> None:
        async with serving(project) as app, client(app, lea[1]) as http:
            told = (await http.get("/lead")).text
            for words in (
                "<b>2</b> disagreements", "<b>1</b> proposed principle<", "of 12 items are done",
                "nothing has to be: people are asked about every item", "Settle 2 questions", "Have reviewers answer",
            ):  # fmt: skip
                assert words in told, words
            nav = told[told.index("<nav") : told.index("</nav>")]
            assert nav.count("waiting for you") == 3  # disagreements, proposals, and reviews for a lead
        async with client(app, person("Cy")[1]) as http:
            assert (await http.get("/lead")).status_code == 403

    asyncio.run(go())


def test_what_is_said_of_a_promise_needs_few_answers(project: Project, person: Any) -> None:
    """Answers to questions that were drawn or put to several people are read; the others say nothing of it."""
    ada, bo = person("Ada")[0], person("Bo")[0]
    _, twice = give(project, ada, first_review(project), 0)
    give(project, bo, other_review(project, twice), 1)
    _, drawn = give(project, ada, first_review(project), 0)
    _, alone = give(project, ada, first_review(project), 0)
    with project.store.transaction() as connection:
        once = (drawn.content_hash, alone.content_hash)
        overlaps = (reviews.c.kind == "overlap") & reviews.c.content_hash.in_(once)
        connection.execute(delete(reviews).where(overlaps))
        connection.execute(update(items).where(items.c.id == drawn.item_id).values(pilot=True))
        told = [answers(connection, [drawn.run_id], telling=telling) for telling in (False, True)]
    everything, telling = ([answer.item_id for answer in found] for found in told)
    assert everything == [twice.item_id, twice.item_id, drawn.item_id, alone.item_id]
    assert telling == everything[:3]


def test_how_far_experts_agree_is_one_figure(project: Project, person: Any) -> None:
    """The overview and the page of reviewers tell the same of the same answers."""
    ada, bo, lea = person("Ada")[0], person("Bo")[0], person("Lea", role="lead")[0]
    for place in (0, 1, 1, 1, 1):
        _, review = give(project, ada, first_review(project), 1)
        give(project, bo, other_review(project, review), place)
    room = create_app(project, Options(work=False)).state.room
    with project.store.connect() as connection:
        found = statistics(room, connection, lea)
    promise = read_first_page(room, lea).promise
    assert promise is not None
    assert found.agreed is not None
    assert found.compared_in == promise.run
    figure = promise.experts
    assert (figure.n, figure.value) == (found.compared, found.agreed / 5)
    assert [round(figure.low, 3), round(figure.high, 3)] == found.agreement
    assert promise.asks_all
    assert (promise.state, promise.returns) == ("none", "")
    assert "asked about every item" in promise.sentence
    suite = project.evaluate("agreement")
    assert (suite.random.n, suite.random.known) == (5, True)  # items, each answered by two people
    assert any("5 of the 5 items" in note and "asked about every item" in note for note in suite.notes)
    assert {(one.name, one.compared, one.agreed) for one in found.team or ()} == {
        ("Ada", 5, found.agreed), ("Bo", 5, found.agreed), ("Lea", 0, 0)
    }  # fmt: skip


@pytest.mark.sqlite("its query plans")
def test_the_first_page_reads_no_table_through(project: Project, person: Any) -> None:
    """What takes longer is kept; of what is asked each time, only indexes are read where it grows with the items."""
    fill(project, 300, decided=300)
    lea = person("Lea", role="lead")[0]
    room = create_app(project, Options(work=False)).state.room
    with listening(project) as heard:
        page = read_first_page(room, lea)
    with listening(project) as again:
        assert read_first_page(room, lea).promise is page.promise
    assert page.runs[0].total == 612
    assert page.promise is not None
    for statement, one in again.items():
        told = plan(project, statement, one.given)
        scans = [step for step in told if step.startswith("SCAN") and "COVERING INDEX" not in step]
        large = ("items", "reviews", "records", "decisions", "assignments", "texts")
        assert not [step for step in scans if step.split()[1] in large], (told, statement)
    assert len(again) < len(heard) - 10


def test_a_question_for_two_people_is_left_once(project: Project, person: Any, serving: Any) -> None:
    """Handing it out changes nothing, an answer takes one, and the table of the leads says the same."""
    ada, lead = person("Ada")[0], person("Lea", role="lead")[0]
    store = project.store
    with store.transaction() as connection:
        for review in list(list_reviews(connection))[:3]:
            copy = overlap_row({name: getattr(review, name) for name in ReviewRow.__dataclass_fields__})
            insert_rows(connection, [(Review, copy)])

    async def left() -> set[int]:
        async with serving(project) as app:
            room = app.state.room
            told = next(one for one in read_first_page(room, lead).people if one.name == "Ada")
            return {told.left, progress_of(room, Caller(ada)).left}

    assert asyncio.run(left()) == {12}
    with store.transaction() as connection:
        assert queue.lease_next(connection, ada) is not None
    assert asyncio.run(left()) == {12}
    give(project, ada, next(iter(project.reviews())).id, 0)
    assert asyncio.run(left()) == {11}
