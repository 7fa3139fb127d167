"""The whole OpenAPI as every role, by schemathesis: no 5xx, and no answer that the schema does not allow.

Examples for each endpoint and role: SOLON_SCHEMA_EXAMPLES (default 4, half of them against the schema).
"""

from __future__ import annotations

import asyncio
import json
import os
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from solon.project import Project
from solon.review.app import create_app
from solon.review.description import wire_models
from solon.review.schemas.lineage import RecordRow
from solon.review.state import Options
from solon.store.tables import table_of
from solon.store.tables.work import Record

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    schemathesis = pytest.importorskip("schemathesis", reason="pip install schemathesis")
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.failures import FailureGroup
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

from running import Server

pytestmark = pytest.mark.filterwarnings("ignore")
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
EXAMPLES = int(os.environ.get("SOLON_SCHEMA_EXAMPLES", "4"))
ENDLESS = "/api/v1/events"
ROLES = ("nobody", "worker", "expert", "lead", "admin")


@pytest.fixture
def world(project: Project, person: Any) -> Iterator[tuple[Server, dict[str, str], dict[str, list[str]]]]:
    """A server with something of everything in it: tokens by role, and ids by the name of a path parameter."""
    server = Server(project, work=False, answers=2)
    server.start()
    tokens = {role: person(f"a {role}", role=role)[1] for role in ROLES[1:]}
    other = person("Bo")[1]
    victims = [person(f"victim {n}")[0].id for n in range(6)]
    ids: dict[str, list[str]] = {"expert_id": victims, "place": ["0"]}

    def post(token: str, path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(f"{server.address}/api/v1{path}", json=body, headers=headers, timeout=300)
        assert answer.status_code < 300, answer.text
        return answer.json()

    assignments, decisions, seen = [], [], []

    def answer_one(token: str, review_id: str, text: str) -> None:
        item = post(token, f"/reviews/{review_id}/lease", {})
        chosen = next(one["id"] for one in item["candidates"] if one["text"].startswith(text))
        answer = {"choice": "prefer", "candidate": chosen, "rationale": "r", "proposal": "A principle."}
        done = post(token, f"/reviews/{review_id}/decision", {"token": item["token"], "answer": answer})
        assignments.append(done["assignment"])
        decisions.append(done["decision"])
        seen.append(review_id)

    for review in project.reviews(limit=2):
        one, another = (candidate.text for candidate in review.candidates)
        answer_one(tokens["expert"], review.id, one)
        (again,) = [found for found in project.reviews() if found.prompt == review.prompt]
        answer_one(other, again.id, another)
    assignments.append(post(tokens["expert"], "/next", {})["item"]["assignment"])
    ids |= {"assignment_id": assignments, "decision_id": decisions, "review_id": seen}
    ids["job_id"] = [post(tokens["lead"], "/exports", {"format": "jsonl"})["id"]]
    with project.store.connect() as connection:
        from solon.store.reviewing.adjudicating import list_cases
        from solon.store.reviewing.proposals import list_proposals
        from solon.store.reviewing.reading import law_rows

        ids["case_id"] = [case.id for case in list_cases(connection, None)]
        ids["proposal_id"] = [row.id for row in list_proposals(connection)]
        ids["item_id"] = [project.trace(name)["item"]["id"] for name in seen]
        laws = [str(row["id"]) for row in law_rows(connection, "constitutions")]
        ids |= {"old": laws, "new": laws}
    assert all(ids.values()), ids
    yield server, tokens, ids
    server.stop()


def test_no_answer_is_outside_the_schema(world: Any) -> None:
    server, tokens, ids = world
    schema = schemathesis.openapi.from_url(f"{server.address}/api/v1/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    problems: list[str] = []
    answered: dict[int, int] = {}
    for number, operation in enumerate(operations):
        if operation.path == ENDLESS:
            continue
        for role in ROLES:
            problem = _try(operation, role, tokens.get(role), ids, answered, number)
            if problem:
                problems.append(f"{role}: {operation.method.upper()} {operation.path}: {problem}")
    assert len(operations) > 45
    assert answered.get(200, 0) > len(operations)
    assert not problems, "\n\n".join(problems)


NAMES = {
    "core": "next heartbeat release draft decision undo",
    "my queue": "me guidelines acknowledge_guidelines save_settings my_answers lease_review check_answer reveal "
    "explanation queue_counts events statistics my_outcomes reply_to_outcome hand_in",
    "inbox": "inbox_next inbox_response ag_ui",
    "leads": "list_reviews item_lineage review_lineage decide_many similar_items too_few list_proposals mark_proposal "
    "take_up_proposal",
    "adjudication": "list_adjudications show_adjudication decide_adjudication",
    "law": "list_amendments propose_rule show_amendment split_principle measure_impact rejudging rejudge show_flip "
    "vote principles list_constitutions diff_constitutions list_rubrics diff_rubrics",
    "exports": "begin_export list_exports show_export export_file",
    "people": "list_experts add_expert revoke_expert rotate_token",
    "log": "audit_log check_audit_log webhook_deliveries",
    "server": "health metrics",
}
"""Operations by tag. Programs call them by these names, so a name stays."""


def test_operations_are_few_at_the_core_and_named(project: Project) -> None:
    told = create_app(project).openapi()
    found: dict[str, set[str]] = {tag["name"]: set() for tag in told["tags"]}
    for operations in told["paths"].values():
        for method, operation in operations.items():
            [tag] = operation["tags"]
            found[tag].add(operation["operationId"])
            if tag != "server":
                token, cookie = operation["security"]
                assert list(token) == ["token"]
                assert list(cookie) == (["session"] if method == "get" else ["session", "csrf"])
    assert found == {tag: set(names.split()) for tag, names in NAMES.items()}
    assert set(told["components"]["securitySchemes"]) == {"token", "session", "csrf"}
    assert told["servers"] == [{"url": "/", "description": "this server"}]
    assert create_app(project, Options(address="https://solon.test")).openapi()["servers"][0]["url"] == (
        "https://solon.test"
    )


def test_a_page_lists_the_operations(project: Project, serving: Any, client: Any) -> None:
    """Open to everybody, as the description is, and it loads this server's own style alone."""

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            answer = await http.get("/docs")
            assert answer.status_code == 200
            for names in NAMES.values():
                assert all(f"<b>{name}</b>" in answer.text for name in names.split())
            assert "<b>409</b>" in answer.text
            assert "<code>rationale</code>" in answer.text or "`rationale`" in answer.text
            assert "Both give twice the safe dose." in answer.text
            assert "<script" not in answer.text
            assert "://" not in answer.text

    asyncio.run(go())


def test_every_body_has_an_example(project: Project) -> None:
    """A reader of the description sees what each field that must be given looks like."""
    told = create_app(project).openapi()
    schemas = told["components"]["schemas"]
    lacking = []
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            fields = schemas.get(name, {}).get("properties", {})
            for field in schemas.get(name, {}).get("required", []):
                shown = {"examples", "enum", "const", "default"} & set(fields[field])
                lacking += [] if shown else [f"{method} {path}: {field}"]
    assert not lacking


def test_every_answer_is_described_with_an_example(project: Project) -> None:
    """No JSON answer is an object of anything: each has a schema of its own, which shows one that fits it."""
    told = create_app(project).openapi()
    found = {
        f"{method} {path}": _described(answer["content"]["application/json"]["schema"])
        for path, operations in told["paths"].items()
        for method, operation in operations.items()
        for status, answer in operation["responses"].items()
        if status.startswith("2") and "application/json" in answer.get("content", {})
    }
    assert len(found) > 50
    assert "get /healthz" in found
    assert [endpoint for endpoint, name in found.items() if not name] == []
    models = {model.__name__: model for model in wire_models()}
    for name in sorted(set(found.values())):
        examples = told["components"]["schemas"][name].get("examples", [])
        assert examples, f"{name} shows no example"
        for example in examples:
            fits = models[name].model_validate_json(json.dumps(example), strict=True)
            assert fits.model_dump(mode="json", exclude_unset=True) == example, name


def _described(schema: dict[str, Any]) -> str:
    """The name of an answer's schema, or of what it is a list of."""
    return str(schema.get("items", schema).get("$ref", "")).rpartition("/")[2]


def test_every_body_says_what_its_fields_mean(project: Project) -> None:
    """Beside each field, from the docstring of its model; up to three go without saying."""
    schemas = create_app(project).openapi()["components"]["schemas"]
    own = {model.__name__ for model in wire_models()} & set(schemas)
    assert not [name for name in own if "Attributes:" in schemas[name].get("description", "")]
    silent = [
        f"{name}.{field}"
        for name in sorted(own)
        if len(schemas[name]["properties"]) > 3
        for field, about in schemas[name]["properties"].items()
        if not about.get("description")
    ]
    assert not silent
    flip = schemas["FlipCase"]["properties"]
    assert flip["before"]["description"] == "what the panel says under the law in force"


def test_a_record_is_told_with_every_column() -> None:
    """A column that the schema lacks would be refused on its way out."""
    assert list(RecordRow.model_fields) == [*table_of(Record).columns.keys(), "principles"]


def _try(
    operation: Any,
    role: str,
    token: str | None,
    ids: dict[str, list[str]],
    answered: dict[int, int],
    number: int,
) -> str:
    """The first thing wrong with an endpoint for a role; empty where nothing is."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    strategies = [operation.as_strategy(generation_mode=GenerationMode.POSITIVE)]
    if operation.body or operation.query:
        strategies.append(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))

    @seed(number)
    @settings(
        max_examples=EXAMPLES if token else 1,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(strategies), data=st.data())
    def check(case: Any, data: st.DataObject) -> None:
        for name in case.path_parameters or {}:
            if name in ids and data.draw(st.integers(0, 3)):
                case.path_parameters[name] = data.draw(st.sampled_from(ids[name]))
        response = case.call(headers=headers, timeout=300)
        answered[response.status_code] = answered.get(response.status_code, 0) + 1
        case.validate_response(response, checks=CHECKS)

    try:
        check()
    except (Exception, FailureGroup) as error:
        return str(error)[:1500]
    return ""
