"""What a reviewer is told where nothing is there for them, what a check gives away, and who else is asked."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from test_adjudication import give

from solon.project import Project
from solon.review import blind
from solon.review.language import ENGLISH
from solon.review.rendering import environment
from solon.review.schemas.queue import BlindItem, ShownCandidate
from solon.store.reviewing import queue
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.reading import seed_content
from solon.store.runs.activity import judging
from solon.store.tables import table_of
from solon.store.tables.people import Review
from solon.store.tables.runs import Item, Run

items, reviews, runs = table_of(Item), table_of(Review), table_of(Run)


def at_work(project: Project, *, claimed: bool) -> None:
    """The run as it is with nine of its twelve items judged in the last minute, and three in hand."""
    now = time.time()
    with project.store.transaction() as connection:
        left = select(items.c.id).order_by(items.c.position).limit(3)
        ids = list(connection.execute(left).scalars())
        until = now + 300 if claimed else now - 1
        held = {"state": "running", "claimed_by": "someone", "claimed_until": until}
        connection.execute(update(items).where(items.c.id.in_(ids)).values(**held))
        connection.execute(delete(reviews).where(reviews.c.item_id.in_(ids)))
        connection.execute(update(reviews).values(state="withdrawn", created_at=now - 30))
        connection.execute(update(runs).values(status="running", created_at=now - 60))


async def ask(serving: Any, client: Any, project: Project, token: str) -> dict[str, Any]:
    async with serving(project) as app, client(app, token) as http:
        return dict((await http.post("/api/v1/next", json={})).json())


def test_being_judged_says_until_when(project: Project, person: Any, serving: Any, client: Any) -> None:
    """Nine in a minute: three more take about twenty seconds."""
    token, begun = person("Ada")[1], time.time()
    at_work(project, claimed=True)
    found = asyncio.run(ask(serving, client, project, token))
    assert (found["item"], found["empty"]) == (None, "being_judged")
    assert begun + 12 < found["until"] < time.time() + 28


def test_a_run_whose_process_died_is_stopped(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    at_work(project, claimed=False)
    found = asyncio.run(ask(serving, client, project, person("Ada")[1]))
    assert (found["empty"], found["until"]) == ("stopped", None)


def test_a_run_that_has_just_begun_has_no_pace(project: Project) -> None:
    at_work(project, claimed=True)
    with project.store.transaction() as connection:
        connection.execute(update(reviews).values(created_at=1.0))
    with project.store.connect() as connection:
        found = judging(connection)
    assert (found.working, found.until) == (True, None)


def test_what_others_have_in_hand_is_not_all_done(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    """The last review with somebody else, then with the leads, then set aside, then put to a second person alone."""
    bo, theirs = person("Bo")
    sue, sue_token = person("Sue")
    mine = person("Ada")[1]
    with project.store.transaction() as connection:
        kept = select(reviews.c.id).limit(1).scalar_subquery()
        connection.execute(update(reviews).where(reviews.c.id != kept).values(state="withdrawn"))
        found = queue.lease_next(connection, bo)
        assert found is not None
        lease, review = found

    def empty(token: str) -> tuple[str, str]:
        said = asyncio.run(ask(serving, client, project, token))
        assert said["item"] is None
        return said["empty"], said["message"]

    def now(**values: Any) -> None:
        with project.store.transaction() as connection:
            connection.execute(update(reviews).where(reviews.c.id == review.id).values(**values))

    kind, told = empty(mine)
    assert (kind, "others have 1 open" in told) == ("in_hand", True)
    with project.store.transaction() as connection:
        queue.close_lease(connection, lease, "skipped")
    now(escalated=True)
    kind, told = empty(theirs)
    assert (kind, "1 wait for a lead" in told) == ("in_hand", True)
    now(escalated=False)
    kind, told = empty(theirs)
    assert (kind, "not for you: set aside by you. What you skipped" in told) == ("nothing_for_you", True)
    now(state="held")
    assert empty(mine)[0] == "held"
    now(state="withdrawn")
    assert empty(mine)[0] == "all_done"
    now(state="waiting")
    give(project, sue, review.id, 0)
    kind, told = empty(sue_token)
    assert (kind, "for you: 1 wait for other people." in told) == ("in_hand", True)


def test_the_reference_is_shown_where_the_recipe_shows_it(
    project: Project, person: Any, serving: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_reference(connection: Any, item_id: str) -> Any:
        item, content = seed_content(connection, item_id)
        return item, {**content, "reference": "Paracetamol."}

    token = person("Ada")[1]
    monkeypatch.setattr(blind, "seed_content", with_reference)
    assert asyncio.run(ask(serving, client, project, token))["item"]["reference"] == "Paracetamol."
    hidden = replace(project.recipe("preference"), shows_reference=False)
    monkeypatch.setattr(project, "recipe", lambda name: hidden)
    assert asyncio.run(ask(serving, client, project, token))["item"]["reference"] == ""


def test_checks_look_alike_after_the_answer_too(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    """A known question has no votes; so those of an overlap are not shown either."""
    _, token = person("Ada")
    told = []

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            for kind in ("overlap", "golden", "calibration"):
                item = (await http.post("/api/v1/next", json={})).json()["item"]
                with project.store.transaction() as connection:
                    changed = update(reviews).where(reviews.c.id == item["review"]).values(kind=kind)
                    connection.execute(changed)
                answer = {"choice": "tie", "rationale": "r"}
                body = {"token": item["token"], "answer": answer}
                done = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=body)
                assert done.status_code == 200
                path = f"/assignments/{item['assignment']}/explanation"
                found = (await http.get(f"/api/v1{path}")).json()
                told.append(
                    {name: found[name] for name in found if name not in ("review", "candidates", "similar")}
                )
                assert (
                    "What the critics found"
                    not in (await http.get(f"/page/explanation/{item['assignment']}")).text
                )

    asyncio.run(go())
    assert told[0] == told[1] == told[2]
    assert told[0]["verdicts"] == []


@pytest.mark.parametrize(("below", "asked"), [(1.0, 1), (0.01, 0)])
def test_another_person_is_asked_only_where_it_pays(
    project: Project, person: Any, below: float, asked: int
) -> None:
    ada = person("Ada")[0]
    with project.store.transaction() as connection:
        found = queue.lease_next(connection, ada)
        assert found is not None
        lease, review = found
        given = {"choice": "prefer", "candidate": review.candidates[0], "rationale": "r"}
        answer_lease(
            project.store, connection, ada, lease.token, given,
            review_id=review.id, channel="api", times={}, answers=2, answers_below=below,
        )  # fmt: skip
    with project.store.connect() as connection:
        count = select(func.count()).where(reviews.c.kind == "overlap")
        assert connection.execute(count).scalar_one() == asked


def test_a_label_gets_a_form_of_its_own() -> None:
    """Whatever closed set a schema has, every choice has a button; the first nine have the number keys."""
    item = BlindItem(
        assignment="a", review="r", token="t", leased_until=0.0, answer_schema="label@1", recipe="label",
        choices=["clinical", "legal", "neither_of_them"], prompt="p", turns=[], input="", reference="",
        candidates=[ShownCandidate(id="c", text="A text.")], constitution="general 1.0.0", principles=[],
        criteria=[], rationale_wanted=False, draft=None,
    )  # fmt: skip
    told = environment(ENGLISH).get_template("_item.html").render(item=item)
    for number, choice in enumerate(item.choices, 1):
        assert f'data-choice="{choice}" data-do="given"><kbd data-number>{number}</kbd>' in told
    assert "neither of them" in told
    for absent in ("prefer", "accept", "both_bad"):
        assert f'data-choice="{absent}"' not in told
