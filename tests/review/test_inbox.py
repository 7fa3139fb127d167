"""Agent Inbox: reviews as HumanInterrupts, HumanResponses as answers, coerced through the response schema."""

from __future__ import annotations

import asyncio
from typing import Any, get_type_hints

import pytest

from solon.errors import InvalidDecision
from solon.project import Project
from solon.review import inbox
from solon.review.inbox import HumanResponse, to_answer

PAIR = ["prefer", "tie", "both_bad", "edit", "redraft"]
SINGLE = ["accept", "reject", "edit", "redraft"]


def test_the_shapes_are_langgraphs_own() -> None:
    """Key for key, as far as this version of langgraph still has them."""
    theirs = pytest.importorskip("langgraph.prebuilt.interrupt")
    for name, own in (
        ("HumanInterrupt", inbox.HumanInterrupt),
        ("ActionRequest", inbox.ActionRequest),
        ("HumanInterruptConfig", inbox.InboxConfig),
        ("HumanResponse", inbox.HumanResponse),
    ):
        assert set(get_type_hints(getattr(theirs, name))) == set(own.model_fields)


def edit(**args: str) -> HumanResponse:
    return HumanResponse.model_validate({"type": "edit", "args": {"action": "preference", "args": args}})


@pytest.mark.parametrize(
    ("choices", "response", "answer"),
    [
        (PAIR, HumanResponse(type="ignore"), {"choice": "skip"}),
        (PAIR, HumanResponse(type="response", args="shorter"), {"choice": "redraft", "guidance": "shorter"}),
        (
            PAIR,
            [edit(choice="tie", candidate="", rationale="equal")],
            {"choice": "tie", "rationale": "equal"},
        ),
        (
            PAIR,
            edit(choice="prefer", candidate="c1", strength="2", principles="a, b"),
            {"choice": "prefer", "candidate": "c1", "strength": 2, "principles": ["a", "b"]},
        ),
        (SINGLE, HumanResponse(type="accept"), {"choice": "accept"}),
        (SINGLE, edit(choice="reject", candidate="c1"), {"choice": "reject"}),
    ],
)
def test_responses_as_answers(choices: list[str], response: Any, answer: dict[str, Any]) -> None:
    assert to_answer(choices, response) == answer


@pytest.mark.parametrize(
    ("response", "field"),
    [
        (HumanResponse(type="accept"), "type"),
        (HumanResponse(type="response"), "args"),
        (edit(rationale="why"), "choice"),
        (edit(choice="tie", colour="red"), "colour"),
        (edit(choice="tie", strength="many"), "strength"),
        ([HumanResponse(type="ignore"), HumanResponse(type="ignore")], "response"),
    ],
)
def test_what_cannot_be_meant_is_refused(response: Any, field: str) -> None:
    with pytest.raises(InvalidDecision, match=f"^{field}:"):
        to_answer(PAIR, response)


def test_a_foreign_text_cannot_leave_its_block() -> None:
    assert inbox._block("a\n```\n# head").startswith("````text\n")


def test_over_http(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            item = (await http.post("/api/v1/inbox/next", json={})).json()["item"]
            asked = item["interrupt"]
            assert asked["config"] == {
                "allow_ignore": True, "allow_respond": False, "allow_edit": True, "allow_accept": False
            }  # fmt: skip
            assert asked["action_request"]["action"] == "preference"
            for secret in ("scripted", "verdict", "margin"):
                assert secret not in asked["description"]
            url = f"/api/v1/inbox/{item['review']}/response"
            args = {**asked["action_request"]["args"], "choice": "prefer", "candidate": "nobody"}
            response = {"type": "edit", "args": {"action": "preference", "args": args}}
            wrong = await http.post(url, json={"token": item["token"], "response": response})
            assert wrong.status_code == 422
            args |= {"choice": "both_bad", "candidate": "", "rationale": "wrong dose"}
            body = {"token": item["token"], "response": [response]}
            done = await http.post(url, json=body)
            assert (done.status_code, done.json()["kind"]) == (200, "decided"), done.text
            assert (await http.post(url, json=body)).json()["replayed"]

    asyncio.run(go())
