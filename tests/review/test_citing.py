"""What an answer cites must be in force for its item: a principle, a criterion, a candidate; and `true` is no number.

One place says so, so that every way to answer refuses it in the same words: page and API, inbox, command line, Python.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import func, select

from solon.cli import main
from solon.errors import InvalidDecision
from solon.project import Project
from solon.responses import parse_response
from solon.store.reviewing.bulk import bulk_decide
from solon.store.reviewing.review_rows import ReviewRow, list_reviews
from solon.store.tables import table_of
from solon.store.tables.people import Decision

WRONG = [
    ({"principles": ["nope"]}, "'nope' is not in force", "true-claims"),
    ({"principles": ["true-claims", ""]}, "'' is not in force", "true-claims"),
    ({"scores": {"beauty": 4}}, "'beauty' is not in force", "clarity"),
    ({"strength": True}, "strength: true", "from 1 to 3"),
    ({"scores": {"clarity": True}}, "scores.clarity: true", "from 1 to 5"),
    ({"candidate": "feedfeedfeedfeedfeedfeed"}, "'feedfeedfeedfeedfeedfeed' is not part", "candidates"),
    ({"choice": "tie", "candidate": ""}, "candidate '' is not part", "candidates"),
    ({"flags": {"feed": ["unsafe"]}}, "'feed' is not part", "candidates"),
]
NAMES = [told for _, told, _ in WRONG]


def first(project: Project) -> ReviewRow:
    with project.store.connect() as connection:
        return list_reviews(connection)[0]


def decisions(project: Project) -> int:
    with project.store.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table_of(Decision))).scalar_one())


@pytest.mark.parametrize(("wrong", "told", "next_step"), WRONG, ids=NAMES)
def test_python_and_the_api_refuse_it_in_the_same_words(
    project: Project, person: Any, serving: Any, client: Any, wrong: dict[str, Any], told: str, next_step: str
) -> None:
    review = first(project)
    answer = {"choice": "prefer", "candidate": review.candidates[0], "rationale": "clear", **wrong}
    with pytest.raises(InvalidDecision) as refused:
        project.decide(review.id, **answer)
    _, token = person("Ada")
    with pytest.raises(InvalidDecision) as of_an_expert:
        project.decide(review.id, **answer, expert=token)

    async def send() -> Any:
        async with serving(project) as app, client(app, token) as http:
            item = (await http.post(f"/api/v1/reviews/{review.id}/lease")).json()
            body = {"token": item["token"], "answer": answer}
            return await http.post(f"/api/v1/reviews/{review.id}/decision", json=body)

    sent = asyncio.run(send())
    assert sent.status_code == 422
    assert told in str(refused.value)
    assert next_step in refused.value.next_step
    assert refused.value.cause == of_an_expert.value.cause == sent.json()["cause"]
    assert decisions(project) == 0
    assert first(project).state == "waiting"


def test_the_command_line_refuses_it(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    review = first(project)
    command = ["review", "decide", review.id, "tie", "--store", project.store.url]
    for option, told in (("--principle", "'nope' is not in force"), ("--score", "'nope' is not in force")):
        assert main([*command, option, "nope" if option == "--principle" else "nope=3"]) == 2
        assert told in capfd.readouterr().err
    assert main([*command, "--principle", "true-claims", "--score", "clarity=3"]) == 0
    assert decisions(project) == 1


def test_many_at_once_a_vote_that_goes_to_a_lead_and_the_inbox_are_read_there_too(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    review = first(project)
    lead, _ = person("Lea", role="lead")
    wrong = {"choice": "tie", "principles": ["nope"], "rationale": "so"}
    with project.store.transaction() as connection, pytest.raises(InvalidDecision, match="'nope'"):
        bulk_decide(project.store, connection, lead, [review.id], wrong)
    _, token = person("Ada")
    with pytest.raises(InvalidDecision, match="'nope'"):
        project.decide(review.id, "escalate", rationale="hard", vote=wrong, expert=token)

    async def send() -> Any:
        async with serving(project) as app, client(app, token) as http:
            item = (await http.post("/api/v1/inbox/next", json={})).json()["item"]
            args = {"choice": "tie", "principles": "nope", "rationale": "so"}
            response = {"type": "edit", "args": {"action": "preference", "args": args}}
            body = {"token": item["token"], "response": response}
            return await http.post(f"/api/v1/inbox/{item['review']}/response", json=body)

    sent = asyncio.run(send())
    assert (sent.status_code, "nope" in sent.text) == (422, True)
    assert decisions(project) == 0


def test_a_yes_or_no_question_of_a_form_still_takes_true() -> None:
    given = parse_response("forms:Triage", {"choice": "now", "setting": "ward", "urgent": True}, ["c"])
    assert json.loads(given.text or "")["urgent"] is True
    with pytest.raises(InvalidDecision, match="minutes: true"):
        parse_response("forms:Triage", {"choice": "now", "setting": "ward", "minutes": True}, ["c"])
