"""What is taken back with an answer, and who is told that they can take the question up again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from test_adjudication import give

from solon.errors import InvalidDecision
from solon.project import Project
from solon.store.reviewing import queue
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.checks import note_check
from solon.store.reviewing.citations import read_answer
from solon.store.reviewing.disagreements import text_ids
from solon.store.reviewing.drafts import read_draft
from solon.store.reviewing.manners import manners_of, order_seen, order_shown
from solon.store.reviewing.proposals import list_proposals, set_proposal
from solon.store.reviewing.review_rows import LeaseLost, find_review
from solon.store.reviewing.undoing import undo
from solon.store.reviewing.unvoting import replayed, take_back
from solon.store.tables import decisions, events

RULE = "Name the dose, with its unit."


async def post(http: Any, path: str, **body: Any) -> Any:
    return (await http.post(f"/api/v1/{path}", json=body)).json()


def answered(item: dict[str, Any], choice: str, **more: Any) -> dict[str, Any]:
    return {"token": item["token"], "answer": {"choice": choice, **more}}


@pytest.mark.parametrize(
    ("choice", "more", "role"),
    [
        ("skip", {}, "expert"),
        ("decline", {"reason": "not_my_field"}, "expert"),
        ("escalate", {"rationale": "The dose is for a lead."}, "expert"),
        ("skip", {}, "worker"),
    ],
)
def test_what_was_set_aside_is_taken_up_again(
    project: Project, person: Any, serving: Any, client: Any, choice: str, more: dict[str, Any], role: str
) -> None:
    """It is the same person's at once, with what they wrote, and no longer a lead's."""
    _, token = person("Ada", role=role)

    async def go() -> Any:
        async with serving(project) as app, client(app, token) as http:
            item = (await post(http, "next"))["item"]
            taken = await post(http, f"reviews/{item['review']}/decision", **answered(item, choice, **more))
            assert taken["decision"] is None
            (listed,) = (await http.get("/api/v1/me/answers")).json()
            assert (listed["decision"], listed["choice"]) == (taken["assignment"], choice)
            back = await post(http, f"decisions/{taken['assignment']}/undo")
            twice = await http.post(f"/api/v1/decisions/{taken['assignment']}/undo")
            return item, back, twice

    item, back, twice = asyncio.run(go())
    assert back["item"]["review"] == item["review"]
    assert "yours again" in back["message"]
    assert "others may answer it" in back["message"]
    assert back["item"]["draft"] == (None if choice == "skip" else {"choice": choice, **more})
    assert (twice.status_code, "taken back already" in twice.text) == (409, True)
    with project.store.connect() as connection:
        review = find_review(connection, item["review"])
    assert (review.escalated, review.leased) == (False, True)


def test_a_vote_that_went_along_to_a_lead_comes_back_beside_the_handing_over(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Ada")

    async def go() -> Any:
        async with serving(project) as app, client(app, token) as http:
            item = (await post(http, "next"))["item"]
            vote = {"choice": "prefer", "candidate": item["candidates"][1]["id"], "strength": 2}
            given = answered(item, "escalate", rationale="A lead should say what is current.", vote=vote)
            taken = await post(http, f"reviews/{item['review']}/decision", **given)
            back = await post(http, f"decisions/{taken['assignment']}/undo")
            return vote, back["item"]["draft"]

    vote, draft = asyncio.run(go())
    assert draft == {"choice": "escalate", "rationale": "A lead should say what is current.", "vote": vote}


def test_both_answers_keep_their_places(project: Project, person: Any) -> None:
    """Asked again in a new attempt, once and again, the person sees the same sides; the places of answers that were
    taken back before sides were kept stay as they were drawn."""
    ada, store = person("Ada")[0], project.store
    seen = []
    for review in list(project.reviews())[:3]:
        orders, asked = [], review.id
        for _ in range(3):
            done, row = give(project, ada, asked, 0)
            project.resume()
            with store.transaction() as connection:
                orders.append(text_order(connection, store.key, row, ada.actor))
                (manner,) = [one for one in manners_of(connection, store.key, [ada.actor])
                             if one.question == f"{row.item_id}:{row.attempt}"]  # fmt: skip
                assert manner.place == order_seen(connection, store.key, row, ada.actor).index(
                    row.candidates[0]
                )
                undo(store, connection, ada, str(done.decision_id))
            project.resume()
            with store.connect() as connection:
                asked = str(replayed(connection, str(done.decision_id), ada.actor))
        seen.append(orders)
    assert all(first == second == third for first, second, third in seen)
    with store.transaction() as connection:
        connection.execute(update(events).values(detail={}))
        drawn = [order_seen(connection, store.key, find_review(connection, asked), ada.actor)]
        row = find_review(connection, asked)
    assert drawn == [order_shown(store.key, asked, ada.id, row.candidates)]


def test_what_was_checked_before_an_answer_was_taken_back_is_named_as_it_is_asked_again(
    project: Project, person: Any
) -> None:
    """Candidates have other ids in a new attempt; the same answer, sent again, is no changed one."""
    ada, store = person("Ada")[0], project.store
    review_id = next(iter(project.reviews())).id

    def answer_checked(asked: str, *, check: bool) -> tuple[str, dict[str, Any]]:
        with store.transaction() as connection:
            lease, review = queue.lease_review(connection, ada, asked)
            chosen = review.candidates[0]
            evidence = [{"candidate": chosen, "start": 0, "end": 3, "flag": "unsafe"}]
            answer = {
                "choice": "prefer",
                "candidate": chosen,
                "flags": {chosen: ["unsafe"]},
                "evidence": evidence,
            }
            answer["rationale"] = "It says so."
            if check:
                note_check(
                    store, connection, lease, review, read_answer(connection, review, answer), [], blind=True
                )
            done = answer_lease(
                store, connection, ada, lease.token, answer, review_id=asked, channel="api", times={}
            )  # fmt: skip
            found = connection.execute(select(decisions.c.checked).where(decisions.c.id == done.decision_id))
            return str(done.decision_id), {"shown": review.candidates, **found.scalar_one()}

    decision_id, first = answer_checked(review_id, check=True)
    project.resume()
    with store.transaction() as connection:
        undo(store, connection, ada, decision_id)
    project.resume()
    with store.connect() as connection:
        asked = str(replayed(connection, decision_id, ada.actor))
    _, again = answer_checked(asked, check=False)
    assert not set(again["shown"]) & set(first["shown"])
    assert {one["candidate"] for one in again["first"]["evidence"]} == {again["shown"][0]}
    assert (again["changed"], again["at"]) == ([], first["at"])


@pytest.mark.parametrize("left", [False, True])
def test_what_was_taken_back_stands_there_again_before_what_was_begun(
    project: Project, person: Any, left: bool
) -> None:
    """Whoever loads the page anew finds what they had taken back, and then what they had begun; so does whoever logs in
    again, whose leases were given back."""
    ada, store = person("Ada")[0], project.store
    first, one, two = (review.id for review in list(project.reviews())[:3])
    given = [str(give(project, ada, review_id, 0)[0].decision_id) for review_id in (one, two)]
    with store.transaction() as connection:
        begun = queue.lease_next(connection, ada)
        assert begun is not None
        assert begun[1].id == first
        for decision_id in given:
            take_back(store, connection, ada, decision_id)
        if left:
            queue.release_all(connection, ada.actor)
        seen: dict[str, str] = {}
        for _ in range(3):
            found = queue.lease_next(connection, ada, exclude=seen)
            assert found is not None
            seen[found[0].id] = found[1].id
    newest_first = [one, two] if left else [two, one]
    assert list(seen.values()) == [*newest_first, first]


def text_order(connection: Any, key: str, review: Any, actor: str) -> list[str]:
    order = order_seen(connection, key, review, actor)
    named = text_ids(connection, order)
    return [named[name] for name in order]


def test_what_somebody_else_has_taken_up_stays_theirs(project: Project, person: Any) -> None:
    ada, bo = person("Ada")[0], person("Bo")[0]
    with project.store.transaction() as connection:
        taken = queue.lease_next(connection, ada)
        assert taken is not None
        lease, review = taken
    project.decide(review.id, "skip", expert=token_of(project, "Ada"))
    with project.store.transaction() as connection:
        queue.lease_review(connection, bo, review.id)
    with project.store.transaction() as connection, pytest.raises(LeaseLost):
        take_back(project.store, connection, ada, lease.id)
    with project.store.connect() as connection:
        assert find_review(connection, review.id).leased


def token_of(project: Project, name: str) -> str:
    from solon.store.reviewing.experts import rotate_token

    return rotate_token(project.store, name, by="local:test")[1]


@pytest.mark.parametrize("role", ["expert", "worker"])
def test_a_proposal_goes_and_comes_with_its_answer(project: Project, person: Any, role: str) -> None:
    """Taken back, no lead can take it up; it stands in the draft, and given again it is open again."""
    ada, lea = person("Ada", role=role)[0], person("Lea", role="lead")[0]
    with project.store.connect() as connection:
        review_id = next(iter(project.reviews())).id
    done, _ = give(project, ada, review_id, 0, proposal=RULE)
    with project.store.connect() as connection:
        (proposal,) = list_proposals(connection)
    with project.store.transaction() as connection:
        lease, _ = take_back(project.store, connection, ada, done.decision_id or done.assignment_id)
        assert lease is not None
        draft = read_draft(connection, lease)
        assert list_proposals(connection) == []
        assert [one.state for one in list_proposals(connection, None, actor=ada.actor)] == ["withdrawn"]
        with pytest.raises(InvalidDecision, match="taken it back"):
            set_proposal(project.store, connection, proposal.id, "taken", lea.actor)
    assert draft is not None
    assert draft["proposal"] == RULE
    give(project, ada, review_id, 1, proposal=RULE)
    with project.store.connect() as connection:
        assert [(one.id, one.state) for one in list_proposals(connection)] == [(proposal.id, "open")]


def test_a_proposal_that_a_lead_has_closed_stays_closed(project: Project, person: Any) -> None:
    ada, lea = person("Ada")[0], person("Lea", role="lead")[0]
    done, _ = give(project, ada, next(iter(project.reviews())).id, 0, proposal=RULE)
    with project.store.transaction() as connection:
        (proposal,) = list_proposals(connection)
        set_proposal(
            project.store, connection, proposal.id, "declined", lea.actor, reason="It is one already."
        )
    with project.store.transaction() as connection:
        take_back(project.store, connection, ada, str(done.decision_id))
        assert [one.state for one in list_proposals(connection, None)] == ["declined"]


@pytest.mark.parametrize("applied", [False, True])
def test_a_lead_is_told_whose_it_is_again(
    project: Project, person: Any, serving: Any, client: Any, applied: bool
) -> None:
    """Also where the item has to be replayed first."""
    ada, token = person("Ada")[0], person("Lea", role="lead")[1]
    done, _ = give(project, ada, next(iter(project.reviews())).id, 0)
    if applied:
        project.resume()

    async def go() -> Any:
        async with serving(project) as app, client(app, token) as http:
            return await post(http, f"decisions/{done.decision_id}/undo")

    told = asyncio.run(go())
    assert (told["item"], told["message"]) == (
        None,
        "Taken back. Its author is asked first; after a day, others may answer it.",
    )


def test_own_answers_say_which_was_preferred(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    """By the number under which it was seen, with the request drawn."""
    from solon.review.auth import COOKIE

    _, token = person("Ada")

    async def go() -> Any:
        async with serving(project) as app, client(app, token) as http, client(app) as page:
            item = (await post(http, "next"))["item"]
            second = item["candidates"][1]["id"]
            given = answered(item, "prefer", candidate=second, rationale="so")
            await post(http, f"reviews/{item['review']}/decision", **given)
            entered = await page.post("/login", data={"token": token})
            page.cookies.set(COOKIE, entered.cookies[COOKIE])
            listed = (await http.get("/api/v1/me/answers")).json()
            return second, listed, (await page.get("/page/answers")).text

    second, (one,), page = asyncio.run(go())
    assert (one["choice"], one["candidate"], one["place"]) == ("prefer", second, 2)
    assert "<b>prefer answer 2</b>" in page
    assert f'data-answer="{one["decision"]}"' in page


def test_known_questions_are_not_told_by_the_message(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    """Whoever votes is told the same of every answer."""
    _, token = person("Ann", role="worker")

    async def go() -> Any:
        async with serving(project) as app, client(app, token) as http:
            item = (await post(http, "next"))["item"]
            given = answered(item, "tie", rationale="so")
            return await post(http, f"reviews/{item['review']}/decision", **given)

    assert asyncio.run(go())["message"] == "Saved as a vote: together with others' it decides."
