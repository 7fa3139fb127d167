"""AG-UI: runs that end with a review as their interrupt, and resume with its answer, exactly once."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import httpx
import pytest
from ag_ui.core import Event as TheirEvent
from ag_ui.core import RunAgentInput as TheirInput
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from solon.project import Project

URL = "/api/v1/inbox/ag-ui"
PAGE = Path(__file__).parents[2] / "docs" / "api.md"


async def play(http: Any, *resume: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a run; whatever is sent and whatever comes is what the protocol's own types take."""
    given = {"threadId": "t", "runId": "r", "messages": [], "tools": [], "context": [], "state": {}}
    given |= {"forwardedProps": {}, "resume": list(resume)}
    sent = TheirInput.model_validate(given).model_dump(mode="json", by_alias=True, exclude_none=True)
    answer = await http.post(URL, json=sent)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(part.removeprefix("data: ")) for part in answer.text.strip().split("\n\n")]
    for event in events:
        told = TypeAdapter(TheirEvent).validate_python(event)
        assert told.model_dump(mode="json", by_alias=True, exclude_none=True).keys() == event.keys()
    assert events[0]["type"] == "RUN_STARTED"
    assert events[-1]["type"] in ("RUN_FINISHED", "RUN_ERROR")
    return events


def interrupt_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    assert events[-1]["outcome"]["type"] == "interrupt"
    [asked] = events[-1]["outcome"]["interrupts"]
    return dict(asked)


def entry(asked: dict[str, Any], **payload: Any) -> dict[str, Any]:
    return {"interruptId": asked["id"], "status": "resolved", "payload": payload}


def test_a_run_resumes_once(project: Project, person: Any, serving: Any, client: Any) -> None:
    ada, bo = person("Ada")[1], person("Bo")[1]

    async def go() -> None:
        async with serving(project) as app, client(app, ada) as http, client(app, bo) as other:
            asked = interrupt_of(await play(http))
            assert interrupt_of(await play(http))["id"] == asked["id"]  # it is still open, and asked again
            shown = asked["metadata"]["solon"]
            first, second = (one["id"] for one in shown["candidates"])
            assert not re.search(r"scripted|verdict|margin|judge", json.dumps(asked))
            answer = {"choice": "prefer", "candidate": first, "rationale": "clear"}
            Draft202012Validator(asked["responseSchema"]).validate(answer)

            _, told, last = await play(http, entry(asked, **answer))
            assert (told["value"]["kind"], told["value"]["replayed"]) == ("decided", False)
            following = last["outcome"]["interrupts"][0]
            assert following["metadata"]["solon"]["review"] != shown["review"]
            _, again, last = await play(http, entry(asked, **answer))
            assert (again["value"]["decision"], again["value"]["replayed"]) == (
                told["value"]["decision"],
                True,
            )
            assert last["outcome"]["interrupts"][0]["id"] == following["id"]

            for talks, wrong, code in (
                (http, entry(asked, **{**answer, "candidate": second}), "already_decided"),
                (http, entry(following, choice="best"), "invalid"),
                (http, {"interruptId": following["id"], "status": "resolved", "payload": "yes"}, "invalid"),
                (http, {"interruptId": "nothing", "status": "cancelled"}, "not_there"),
                (other, entry(following, **answer), "not_there"),
            ):
                refused = (await play(talks, wrong))[-1]
                assert (refused["type"], refused["code"]) == ("RUN_ERROR", code), refused

            _, skipped, last = await play(http, {"interruptId": following["id"], "status": "cancelled"})
            assert skipped["value"]["kind"] == "skipped"
            assert last["outcome"]["interrupts"][0]["id"] != following["id"]
            assert (await http.post(URL, json={"threadId": "t"})).status_code == 422

    asyncio.run(go())
    assert project.resume().accepted == 1


def test_two_resumes_at_once_are_one_answer(project: Project, person: Any, serving: Any, client: Any) -> None:
    async def go() -> list[list[dict[str, Any]]]:
        async with serving(project) as app, client(app, person("Ada")[1]) as http:
            asked = interrupt_of(await play(http))
            given = [entry(asked, choice=choice, rationale="So.") for choice in ("tie", "both_bad", "tie")]
            return list(await asyncio.gather(*(play(http, one) for one in given)))

    ends = [events[1] for events in asyncio.run(go())]
    stored = [end["value"] for end in ends if end["type"] == "CUSTOM"]
    assert len({one["decision"] for one in stored}) == 1
    assert [one["replayed"] for one in stored].count(False) == 1
    assert {end["code"] for end in ends if end["type"] == "RUN_ERROR"} == {"already_decided"}


def test_the_client_in_the_page_answers_all(project: Project, person: Any, serving: Any, client: Any) -> None:
    [block] = [
        one for one in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "inbox/ag-ui" in one
    ]
    found: dict[str, Any] = {}
    exec(block, found)
    asked: list[str] = []

    def choose(interrupt: dict[str, Any]) -> dict[str, Any]:
        asked.append(interrupt["message"])
        return {"choice": "tie", "rationale": "They say the same."}

    async def go() -> str:
        async with serving(project) as app, client(app, person("Ada")[1]) as http:
            return str(await found["answer_all"](http, choose))

    async def go_wrong() -> None:
        async with serving(project) as app, client(app, "nobody's") as http:
            await found["answer_all"](http, choose)

    assert "waits" in asyncio.run(go())
    assert len(asked) == 12
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        asyncio.run(go_wrong())


def test_an_agent_inbox_answers_through_the_graph_in_the_page(
    project: Project, person: Any, serving: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A LangGraph server runs the graph; the inbox resumes its thread with a list of one response."""
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.types import Command

    file = PAGE.parents[1] / "examples" / "agent_inbox.py"
    assert f"```python\n{file.read_text()}```" in PAGE.read_text()
    spec: Any = spec_from_file_location("agent_inbox", file)
    example = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "agent_inbox", example)
    spec.loader.exec_module(example)

    async def go() -> None:
        async with serving(project) as app:
            monkeypatch.setattr(example, "api", lambda: client(app, token))
            graph = example.builder.compile(checkpointer=InMemorySaver())
            thread: Any = {"configurable": {"thread_id": "1"}}
            seen = []
            state = await graph.ainvoke({}, thread)
            for answer in (
                {"type": "edit", "args": {"action": "preference", "args": {"choice": "best"}}},
                {
                    "type": "edit",
                    "args": {"action": "preference", "args": {"choice": "tie", "rationale": "Equal."}},
                },
                {"type": "ignore", "args": None},
            ):
                [asked] = state["__interrupt__"][0].value
                seen.append(asked["description"])
                state = await graph.ainvoke(Command(resume=[answer]), thread)
            assert seen[1].startswith("**not taken**: choice: ")
            assert seen[1].endswith(seen[0])
            assert len({*seen, state["__interrupt__"][0].value[0]["description"]}) == 4

    token = person("Ada")[1]
    asyncio.run(go())
    assert project.resume().accepted + project.summarize().rejected == 1
