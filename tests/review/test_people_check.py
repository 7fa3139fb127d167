"""Everybody against the wanted level, and who may not read: in Python, by command, and on the leads' page only."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from cases import CONFIG
from sqlalchemy import select, update

from solon.cli.app import run_command
from solon.errors import ConfigError
from solon.learning.people import PersonCheck
from solon.project import Project
from solon.store.reviewing import queue
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.experts import ExpertRow, add_expert
from solon.store.reviewing.known import Mix, next_known
from solon.store.reviewing.manners import order_shown
from solon.store.tables import decisions, reviews


def give(
    project: Project,
    who: ExpertRow,
    review_id: str,
    seconds: float | None = 60.0,
    people: int = 1,
    **how: Any,
) -> str:
    """Answer with `choice`, or for the candidate at `place` of the page; the review that asks a second person."""
    with project.store.transaction() as connection:
        lease, review = queue.lease_review(connection, who, review_id)
        answer = {"choice": how.get("choice", "prefer"), "rationale": "clear"}
        if "place" in how:
            shown = order_shown(project.store.key, review_id, who.id, review.candidates)
            answer["candidate"] = shown[how["place"]]
        answer_lease(
            project.store, connection, who, lease.token, answer, review_id=review_id, channel="api",
            times={"active_seconds": seconds}, answers=people, reviewers=project.config.reviewers,
        )  # fmt: skip
        second = (
            reviews.c.item_id == review.item_id,
            reviews.c.kind == "overlap",
            reviews.c.state == "waiting",
        )
        return connection.execute(select(reviews.c.id).where(*second)).scalar_one_or_none() or ""


def check(project: Project, name: str) -> PersonCheck:
    return next(one for one in project.experts.test().people if one.name == name)


@pytest.fixture
def labels(tmp_path: Path) -> Any:
    """Thirty texts to label, an expert who reads and one who does not."""
    config = {**CONFIG, "label": {"labels": ["fine", "risky"]}}
    with Project(f"sqlite:///{tmp_path}/labels.db", config=config) as project:
        project.run(
            "label", [f"A text of some length that takes its time, number {n}." * 4 for n in range(30)]
        )
        people = [
            add_expert(project.store, name, role="expert", by="local:test")[0] for name in ("Ada", "Zed")
        ]
        yield project, *people


def test_golden_answers_give_a_verdict_and_say_how_many_more(project: Project) -> None:
    ada, new = (add_expert(project.store, name, role="expert", by="local:test")[0] for name in ("Ada", "New"))
    rows = [
        {"prompt": f"question {n}", "responses": [f"right {n}", f"wrong {n}"], "answer": "1"}
        for n in range(8)
    ]
    project.golden.import_(rows)
    for n in range(8):
        with project.store.transaction() as connection:
            asked = next_known(project.store, connection, ada, Mix(golden_share=1.0))
            assert asked is not None
            shown = connection.execute(select(reviews.c.candidates).where(reviews.c.id == asked)).scalar_one()
        order = order_shown(project.store.key, asked, ada.id, shown)
        give(project, ada, asked, place=order.index(shown[int(n < 7)]))  # one right, seven wrong
    found = project.experts.test()
    assert (found.wanted, found.tested) == (0.8, 1)
    assert (found.better, found.worse) == pytest.approx((0.9, 0.7))
    level = check(project, "Ada").level
    assert (level.right, level.n) == (1, 8)
    assert check(project, "Ada").verdict == "does not meet it"
    untested = check(project, new.name)
    assert untested.level.n == 0
    assert untested.verdict == f"cannot tell yet: {untested.level.more} more"
    for wrong in (0.0, 1.0):
        with pytest.raises(ConfigError, match="no level"):
            project.experts.test(wrong)


def test_who_hurries_and_gives_one_answer_is_named_and_not_blocked(labels: Any) -> None:
    project, ada, zed = labels
    for n, one in enumerate(project.reviews()):
        second = give(project, ada, one.id, people=2, choice=("fine", "risky")[n % 2])
        give(project, zed, second, seconds=0.5, choice="fine")
    reader, clicker = check(project, "Ada"), check(project, "Zed")
    assert clicker.alarms == ("hurried", "key")
    assert (clicker.signs["hurried"].count, clicker.signs["hurried"].n) == (30, 30)
    assert (clicker.signs["key"].count, clicker.signs["key"].n) == (15, 15)
    assert reader.alarms == ()
    assert reader.signs["hurried"].n == 30
    assert next(one for one in project.experts.list() if one.name == "Zed").believed().final, (
        "nobody is blocked"
    )


def test_the_same_place_of_the_page_is_noticed_whatever_stands_there(project: Project) -> None:
    zed = add_expert(project.store, "Zed", role="expert", by="local:test")[0]
    for one in project.reviews():
        give(project, zed, one.id, place=0)
    found = check(project, "Zed")
    assert found.alarms == ("place",)
    assert (found.signs["place"].count, found.signs["place"].n) == (12, 12)
    with project.store.connect() as connection:
        chosen = connection.execute(
            select(decisions.c.candidate_id, reviews.c.candidates).join(
                reviews, reviews.c.id == decisions.c.review_id
            )
        ).all()
    assert {row.candidates.index(row.candidate_id) for row in chosen} == {0, 1}, "not the panel's order"


def test_following_suggestions_is_measured_against_those_who_saw_none(labels: Any) -> None:
    project, ada, zed = labels
    for n, one in enumerate(project.reviews()):
        seen = n >= 15
        give(project, zed if seen else ada, one.id, choice="fine" if seen else ("fine", "risky")[n % 2])
        with project.store.transaction() as connection:
            note = {"outcome": "fine", "how": "randomised", "seen": seen}
            connection.execute(
                update(decisions).where(decisions.c.review_id == one.id).values(suggestion=note)
            )
    sign = check(project, "Zed").signs["follows"]
    assert sign.alarm
    assert (sign.count, sign.n) == (15, 15)
    assert check(project, "Ada").signs["follows"].n == 0


def test_leads_alone_see_it_on_the_page_and_over_the_api(labels: Any, serving: Any, client: Any) -> None:
    project, ada, zed = labels
    for n, one in enumerate(project.reviews()):
        second = give(project, ada, one.id, people=2, choice=("fine", "risky")[n % 2])
        give(project, zed, second, seconds=0.5, choice="fine")
    _, token = add_expert(project.store, "<b>Lea", role="lead", by="local:test")
    own = project.experts.rotate("Zed")

    async def go() -> None:
        async with serving(project) as app:
            async with client(app, own) as http:
                assert (await http.get("/api/v1/statistics")).json()["test"] is None
                assert (await http.get("/lead/reviewers")).status_code == 403
            async with client(app, token) as http:
                test = (await http.get("/api/v1/statistics")).json()["test"]
                by_name = {one["name"]: one for one in test["people"]}
                assert [one["kind"] for one in by_name["Zed"]["signs"] if one["alarm"]] == ["hurried", "key"]
                page = (await http.get("/lead/reviewers")).text
                assert "Against the wanted level" in page
                assert "cannot tell yet" in page
                assert page.count("under a third of the time") == 1
                assert "<b>Lea" not in page

    asyncio.run(go())


def test_the_command_tells_verdicts_power_and_reasons(
    labels: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    project, _, zed = labels
    for one in project.reviews():
        give(project, zed, one.id, seconds=0.5, choice="fine")
    told = ["expert", "test", "--store", project.store.url]
    assert run_command([*told, "--wanted", "0.9"]) == 0
    out = capsys.readouterr()
    assert "look: answers in under a third" in out.out
    assert "at 0.95" in out.out
    assert "0 tested" in out.err
    assert run_command([*told, "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["wanted"] == 0.8
    assert [one["alarms"] for one in found["people"]] == [[], ["hurried"]]
    assert run_command([*told, "--wanted", "1.5"]) == 2
    assert "no level" in capsys.readouterr().err
