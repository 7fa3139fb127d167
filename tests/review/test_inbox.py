"""Agent Inbox: reviews as HumanInterrupts, HumanResponses as answers, coerced through the response schema."""

from __future__ import annotations

import asyncio
from typing import Any, get_args, get_type_hints

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from solon.errors import InvalidDecision
from solon.project import Project
from solon.review import hitl, inbox
from solon.review.hitl import HitlResponse, allowed_decisions
from solon.review.inbox import HumanResponse, to_answer
from solon.review.schemas.examples import INBOX_NEXT

PAIR, SINGLE, LABEL, SPANS = "pair@1", "single@1", "label@1:spam|ham", "spans@1:person"


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


def test_the_middlewares_shapes_are_langchains_own() -> None:
    """Key for key; and what is decided here is what their middleware lets be decided."""
    theirs = pytest.importorskip("langchain.agents.middleware.human_in_the_loop")
    for name, own in (
        ("Action", hitl.Action),
        ("ActionRequest", hitl.ActionAsked),
        ("ReviewConfig", hitl.ReviewPolicy),
        ("HITLRequest", hitl.HitlRequest),
        ("HITLResponse", hitl.HitlResponse),
    ):
        assert set(get_type_hints(getattr(theirs, name))) == set(own.model_fields), name
    decisions = [get_type_hints(one) for one in get_args(theirs.Decision)]
    assert {key for one in decisions for key in one} == set(hitl.HitlDecision.model_fields)
    assert set(get_args(theirs.DecisionType)) == set(get_args(hitl.Kind))
    TypeAdapter(theirs.HITLRequest).validate_python(INBOX_NEXT["item"]["request"])
    for given in (decide("approve"), decide("reject", message="no"), decide("respond", message="ham")):
        TypeAdapter(theirs.HITLResponse).validate_python(given.model_dump(exclude_none=True))


def test_what_may_be_decided_follows_from_the_question() -> None:
    assert allowed_decisions(PAIR) == ["edit", "reject", "respond"]
    assert allowed_decisions("pair@1:given") == ["edit", "reject"]
    assert allowed_decisions(SINGLE) == ["approve", "edit", "reject", "respond"]
    assert allowed_decisions(LABEL) == ["edit", "respond"]
    assert allowed_decisions("ranking@1:4") == ["edit", "reject"]


def edit(**args: str) -> HumanResponse:
    return HumanResponse.model_validate({"type": "edit", "args": {"action": "preference", "args": args}})


def decide(kind: str, **more: Any) -> HitlResponse:
    return HitlResponse.model_validate({"decisions": [{"type": kind, **more}]})


@pytest.mark.parametrize(
    ("schema", "response", "answer"),
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
        (SINGLE, decide("approve"), {"choice": "accept"}),
        (SPANS, decide("approve"), {"choice": "stands"}),
        (PAIR, decide("reject", message="wrong dose"), {"choice": "both_bad", "rationale": "wrong dose"}),
        (SINGLE, decide("respond", message="shorter"), {"choice": "redraft", "guidance": "shorter"}),
        (LABEL, decide("respond", message=" ham "), {"choice": "ham"}),
        (
            PAIR,
            decide("edit", edited_action={"name": "preference", "args": {"choice": "tie", "candidate": ""}}),
            {"choice": "tie"},
        ),
    ],
)
def test_responses_as_answers(schema: str, response: Any, answer: dict[str, Any]) -> None:
    assert to_answer(schema, response, "preference") == answer


@pytest.mark.parametrize(
    ("response", "field"),
    [
        (HumanResponse(type="accept"), "type"),
        (HumanResponse(type="response"), "args"),
        (edit(rationale="why"), "choice"),
        (edit(choice="tie", colour="red"), "colour"),
        (edit(choice="tie", strength="many"), "strength"),
        ([HumanResponse(type="ignore"), HumanResponse(type="ignore")], "response"),
        (decide("approve"), "type"),
        (decide("edit"), "edited_action"),
        (decide("respond"), "message"),
        (decide("edit", edited_action={"name": "preference", "args": {"colour": "red"}}), "colour"),
        (HitlResponse(decisions=[]), "decisions"),
        (
            decide("edit", edited_action={"name": "delete_all", "args": {"choice": "tie"}}),
            "edited_action.name",
        ),
        (
            HumanResponse.model_validate(
                {"type": "edit", "args": {"action": "delete_all", "args": {"choice": "tie"}}}
            ),
            "args.action",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(response: Any, field: str) -> None:
    with pytest.raises(InvalidDecision, match=f"^{field}:"):
        to_answer(PAIR, response, "preference")


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
            [action], [policy] = item["request"]["action_requests"], item["request"]["review_configs"]
            assert (action["args"], action["name"]) == (asked["action_request"]["args"], "preference")
            form = Draft202012Validator(policy["args_schema"])
            assert [list(error.path) for error in form.iter_errors(action["args"])] == [["choice"]]
            assert policy["allowed_decisions"] == ["edit", "reject"]
            for secret in ("scripted", "verdict", "margin"):
                assert secret not in asked["description"]
            url = f"/api/v1/inbox/{item['review']}/response"
            args = {**asked["action_request"]["args"], "choice": "prefer", "candidate": "nobody"}
            response = {"type": "edit", "args": {"action": "preference", "args": args}}
            wrong = await http.post(url, json={"token": item["token"], "response": response})
            assert wrong.status_code == 422
            edited = {"name": "delete_all", "args": {"choice": "tie", "rationale": "equal"}}
            response_of_another = {"decisions": [{"type": "edit", "edited_action": edited}]}
            wrong = await http.post(url, json={"token": item["token"], "response": response_of_another})
            assert (wrong.status_code, wrong.json()["error"]) == (422, "invalid")
            assert "edited_action.name: 'delete_all'" in wrong.text
            args |= {"choice": "both_bad", "candidate": "", "rationale": "wrong dose"}
            body = {"token": item["token"], "response": [response]}
            done = await http.post(url, json=body)
            assert (done.status_code, done.json()["kind"]) == (200, "decided"), done.text
            assert (await http.post(url, json=body)).json()["replayed"]

            item = (await http.post("/api/v1/inbox/next", json={})).json()["item"]
            url, decision = (
                f"/api/v1/inbox/{item['review']}/response",
                {"type": "reject", "message": "both wrong"},
            )
            body = {"token": item["token"], "response": {"decisions": [decision]}}
            done, again = [(await http.post(url, json=body)).json() for _ in range(2)]
            assert (done["kind"], done["replayed"], again["replayed"]) == ("decided", False, True)
            decision["message"] = "another reason"
            conflict = await http.post(url, json=body)
            assert (conflict.status_code, conflict.json()["error"]) == (409, "already_decided")

    asyncio.run(go())
