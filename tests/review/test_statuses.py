"""Each operation gives the statuses that its description says, all of them, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from calling import NEITHER, NOWHERE, TIE, Caller
from running import Server

from solon.errors import StoreError
from solon.project import Project
from solon.review import limits
from solon.review.limits import MAX_BODY
from solon.store.database.store import Store

JSON = {"Content-Type": "application/json"}
BODIES: dict[str, dict[str, Any]] = {
    "hand_in": {"prompt": "How is a sprain treated?", "answer": "With rest, ice and compression."},
    "ag_ui": {"threadId": "reviews", "runId": "1"},
    "check_answer": {"answer": TIE},
    "decide_adjudication": {"choice": "tie", "reason": "Equal."},
    "decide_many": {**TIE, "expected": 999},
    "decision": {"token": NOWHERE, "answer": TIE},
    "draft": {"draft": {}},
    "inbox_response": {"token": NOWHERE, "response": [{"type": "ignore", "args": None}]},
    "mark_proposal": {"state": "taken"},
    "measure_impact": {},
    "propose_rule": {"review": NOWHERE, "text": "Is clear.", "reason": "It matters."},
    "reply_to_outcome": {"stance": "accepts"},
    "split_principle": {
        "review": NOWHERE, "principle": "safe", "parts": [{"text": "Is safe."}, {"text": "Is sure."}], "reason": "Two."
    },
    "take_up_proposal": {"reason": "It matters."},
    "vote": {"in_favour": True},
}  # fmt: skip
"""Bodies that are right in themselves, of operations that need one."""


@pytest.fixture
def caller(project: Project, person: Any) -> Iterator[Caller]:
    """Of a server that asks two people each, applies nothing, and may have answers checked."""
    server = Server(project, answers=2, work=False, check="default")
    server.start()
    roles = {"expert": "expert", "another": "expert", "lead": "lead", "admin": "admin"}
    tokens = {name: person(f"a {name}", role=role)[1] for name, role in roles.items()}
    calls = Caller(server, tokens)
    yield calls
    calls.http.close()
    server.stop()


def test_each_status_that_is_described_is_given_and_no_other(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in caller.operations:
        refuse_in_general(caller, name)
    refuse_what_stands_otherwise(caller)
    with monkeypatch.context() as patched:
        patched.setattr(limits, "_read", late)
        for name, (method, _, _) in caller.operations.items():
            if method != "GET":
                caller.send(name, "admin", content=b"late")

    def broken(_store: Store) -> Any:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(Store, "connect", broken)
    monkeypatch.setattr("solon.review.live.FRESH_SECONDS", 0.0)
    for name in caller.operations:
        caller.send(name, headers=caller.cookie)
    described = {
        name: {int(status) for status in operation["responses"]}
        for name, (_, _, operation) in caller.operations.items()
    }
    assert all(found <= described[name] for name, found in caller.given.items())
    assert {name: refused(found) for name, found in caller.given.items()} == {
        name: refused(found) for name, found in described.items()
    }


async def late(*_arguments: Any) -> Any:
    raise TimeoutError


def refused(statuses: set[int]) -> set[int]:
    return {status for status in statuses if status >= 400}


def refuse_in_general(caller: Caller, name: str) -> None:
    """No token, a lower role, a cookie alone, no JSON, too much of it, ids and fields that are none."""
    method, path, operation = caller.operations[name]
    if path.startswith("/api/"):
        caller.send(name)
    if "Needs the role" in operation["description"]:
        caller.send(name, "lead" if "role admin" in operation["description"] else "expert")
    if method != "GET":
        caller.send(name, headers=caller.cookie, json=BODIES.get(name))
        caller.send(name, "admin", content=b" " * (MAX_BODY + 1))
    if "requestBody" in operation:
        caller.send(name, "admin", content=b'{"\xff', headers=JSON)
        caller.send(name, "admin", json={"unknown": 1})
    if "{" in path:
        caller.send(
            name, "admin", dict.fromkeys([part.partition("}")[0] for part in path.split("{")[1:]], "-")
        )
    if "{" in path or name in BODIES:
        caller.send(name, "admin", json=BODIES.get(name))
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query":
            caller.send(name, "admin", params={parameter["name"]: " "})
            caller.send(name, "admin", params={parameter["name"]: "nothing"})


def refuse_what_stands_otherwise(caller: Caller) -> None:
    """Everything a second time, or where it is too late."""
    held = caller.call("next", "expert")["item"]
    once, lease = {"review_id": held["review"]}, {"assignment_id": held["assignment"]}
    caller.send("lease_review", "another", once)
    caller.answer("expert", held, TIE | {"proposal": "Is clear."})
    for name in ("heartbeat", "draft", "check_answer"):
        caller.send(name, "expert", lease, json=BODIES.get(name))
    caller.send(
        "decision", "expert", once, json={"token": held["token"], "answer": TIE | {"rationale": "No."}}
    )
    caller.send("inbox_response", "expert", once, json=BODIES["inbox_response"] | {"token": held["token"]})

    again = caller.asked_again(held["review"])
    caller.answer("another", caller.call("lease_review", "another", {"review_id": again}), NEITHER)
    case = {"case_id": caller.send("list_adjudications", "lead").json()[0]["id"]}
    proposal = {"proposal_id": caller.send("list_proposals", "lead").json()[0]["id"]}
    caller.call("mark_proposal", "lead", proposal, state="declined", reason="It is one already.")
    caller.send("take_up_proposal", "lead", proposal, json=BODIES["take_up_proposal"])
    for name, role in (("decide_adjudication", "lead"), ("reply_to_outcome", "another")):
        caller.call(name, role, case, **BODIES[name])
        caller.send(name, role, case, json=BODIES[name])

    made = caller.call("propose_rule", "lead", **BODIES["propose_rule"] | {"review": held["review"]})
    caller.send("measure_impact", "lead", {"amendment_id": made["id"]}, json={})
    caller.send("rejudge", "lead", json={})
    done = caller.answer("expert", caller.call("next", "expert")["item"], TIE)
    for _ in range(2):
        caller.send("undo", "expert", {"decision_id": done["decision"]})
