"""A fix that a model proposes for a person's text is shown with what was found, as a diff; taken, it is an edit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from solon import Project
from solon.store.reviewing.experts import add_expert

pytestmark = pytest.mark.anyio

HOSTILE = '<img src=x onerror="alert(1)">'
ANSWER = f"Opne the valve. {HOSTILE}"
FIX = f"Open the valve. {HOSTILE}"
FOUND = {"principle": "$id", "quote": "Opne", "severity": "minor", "suggestion": "<b>spell it</b>"}
RULES = [
    {"role": "critic", "prompt": r"^\[(?P<id>[\w.-]+)\] ", "answer": json.dumps({"findings": [FOUND]})},
    {"role": "generator", "answer": FIX},
]


@pytest.fixture
def curating(tmp_path: Path) -> Any:
    (tmp_path / "rules.json").write_text(json.dumps(RULES))
    config = {
        "models": {"default": {"model": f"scripted:{tmp_path}/rules.json"}},
        "routing": {"policy": "always"},
    }
    with Project(f"sqlite:///{tmp_path}/s.db", config=config) as project:
        rows = [
            {"prompt": f"How do I bleed radiator {n}?", "responses": [{"text": ANSWER}]} for n in range(2)
        ]
        project.run("instruction-curate", rows)
        yield project


async def test_a_fix_is_shown_as_a_difference_and_taken_by_an_edit(
    curating: Project, serving: Any, client: Any
) -> None:
    _, token = add_expert(curating.store, "Ada", role="expert", by="local:test")
    async with serving(curating) as app, client(app, token) as http:
        found = (await http.post("/page/next", json={"exclude": []})).json()
        item, page = found["item"], found["html"]
        diff = (await http.get(f"/page/diff/{item['assignment']}")).text
        source = (await http.get(f"/page/source/{item['assignment']}")).text
        assert (item["fix"], [one["quote"] for one in item["remarks"]]) == (FIX, ["Opne"])
        assert "edit" not in item["rationale_for"]
        assert 'data-do="take"' in page
        assert '<del data-change="1">Opne</del>' in diff
        assert '<ins data-change="1">Open</ins>' in diff
        assert 'data-of="candidate:1"' in source
        for html in (page, diff, source):
            assert "<img" not in html
            assert "<b>spell" not in html
        await send(http, item, "edit", item["fix"])


async def send(http: Any, item: dict[str, Any], choice: str, text: str = "") -> None:
    answer = {"choice": choice, "rationale": "I read both."}
    answer |= {"candidate": item["candidates"][0]["id"], "text": text} if text else {}
    sent = {"token": item["token"], "answer": answer}
    told = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=sent)
    assert told.status_code == 200, told.text


@pytest.mark.parametrize("told", [True, False])
async def test_a_second_person_is_told_the_first_answer_and_a_lead_settles_what_they_differ_in(
    curating: Project, serving: Any, client: Any, told: bool
) -> None:
    """Both edit, and not alike: a lead rules for one of the two texts, and the record has it."""
    ada, ben = (
        add_expert(curating.store, name, role="expert", by="local:test")[1] for name in ("Ada", "Ben")
    )
    lea = add_expert(curating.store, "Lea", role="lead", by="local:test")[1]
    async with serving(curating, answers=2, tells_first=told) as app, client(app, ada) as http:
        first = (await http.post("/api/v1/next")).json()["item"]
        await send(http, first, "edit", FIX)
        assert first["first"] is None
        async with client(app, ben) as other:
            second, held = {}, []
            while not second or second["item"]["prompt"] != first["prompt"]:
                second = (await other.post("/page/next", json={"exclude": held})).json()
                held.append(second["item"]["assignment"])
            item = second["item"]
            seen = {"choice": "edit", "text": FIX, "rationale": "I read both."} if told else None
            assert item["first"] == seen
            assert ('data-from="first"' in second["html"]) is told
            assert "Ada" not in second["html"]
            await send(other, item, "edit", "Open the valve.")
        async with client(app, lea) as lead:
            (case,) = (await lead.get("/api/v1/adjudications")).json()
            whole = (await lead.get(f"/api/v1/adjudications/{case['id']}")).json()
            assert {"reviewer 1", "reviewer 2"} <= set(whole["choices"])
            assert "edit" not in whole["choices"]
            texts = {one["reviewer"]: one["text"] for one in whole["answers"]}
            number = next(n for n, text in texts.items() if text == "Open the valve.")
            ruling = {"choice": f"reviewer {number}", "reason": "The shorter one."}
            done = await lead.post(f"/api/v1/adjudications/{case['id']}/decision", json=ruling)
            assert done.status_code == 200, done.text
    curating.resume()
    (record,) = curating.records()
    assert (record.response, record.lineage["fix"]) == ("Open the valve.", "edited")


async def test_no_fix_is_shown_where_the_question_does_not_propose(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Ada")
    async with serving(project) as app, client(app, token) as http:
        item = (await http.post("/api/v1/next")).json()["item"]
    assert (item["fix"], item["remarks"], item["first"]) == ("", [], None)
