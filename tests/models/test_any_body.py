"""Whatever a server sends, and however much: a failed call with its cause, an item that waits, no harm done."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from fake_openai_server import Handler, completion, serving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from solon.agents.models.capabilities import Capabilities
from solon.agents.models.openai_compatible import OpenAICompatibleChat
from solon.agents.models.structured import ask
from solon.agents.models.transport import ANSWER_BYTES, Answer, Transport
from solon.agents.outputs import PairVerdict
from solon.errors import BadOutput, ModelError, ModelUnavailable
from solon.project import Project
from solon.store.tables import Item, Verdict, table_of

BARE = Capabilities(json_schema=False, logprobs=True, context=None, default_concurrency=4)
B = '{"verdict": "B", "rationale": "r", "confidence": 0.8}'
TOKENS = [{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -2.4}]
WHOLE = completion(
    B,
    message={"tool_calls": [{"id": "t", "type": "function", "function": {"name": "V", "arguments": B}}]},
    choice={"logprobs": {"content": [{**TOKENS[0], "top_logprobs": TOKENS}]}},
)

# Any shape ----------------------------------------------------------------------------------------------------------

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(),
    st.sampled_from(
        ["", "A", "stop", "length", "\x00", "\ud800", "x" * 5000, 10**40, -(10**400), B, "[" * 5000]
    ),
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["content", "text", "function", "token", "\ud800", ""]), inner, max_size=3
        ),
    ),
    max_leaves=8,
)


def places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all that a body holds."""
    entries: list[tuple[Any, Any]] = []
    if isinstance(node, dict):
        entries = list(node.items())
    elif isinstance(node, list):
        entries = list(enumerate(node))
    return [at, *(path for key, entry in entries for path in places(entry, (*at, key)))]


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A chat completion in which one or two things are something else."""
    body = json.loads(json.dumps(WHOLE))
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from([path for path in places(body) if path]))
        node = body
        for key in way:
            node = node[key]
        node[last] = draw(ANYTHING)
    return body


def send(monkeypatch: pytest.MonkeyPatch, answers: list[dict[str, Any]]) -> None:
    """Let every server give one body after the other, round and round."""
    turn = iter(range(10**9))

    async def post(_self: Transport, _path: str, _payload: dict[str, Any]) -> Answer:
        return Answer(answers[next(turn) % len(answers)], "", 1)

    monkeypatch.setattr(Transport, "post", post)


def chat() -> OpenAICompatibleChat:
    return OpenAICompatibleChat(model="m", base_url="http://127.0.0.1:9/v1", retries=0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies(), letter=st.booleans(), heard=st.booleans())
def test_any_body_is_an_answer_or_a_failed_call(
    monkeypatch: pytest.MonkeyPatch, body: dict[str, Any], letter: bool, heard: bool
) -> None:
    send(monkeypatch, [body])
    schema = None if letter else PairVerdict
    try:
        asked = ask(chat(), BARE, [("user", "?")], schema=schema, max_tokens=9, logprobs=letter, heard=heard)
        reply = asyncio.run(asked)
    except (ModelUnavailable, BadOutput):
        return
    assert letter or isinstance(reply.parsed, PairVerdict)
    told = [reply.model, reply.finish_reason, reply.request_id, reply.input_tokens, reply.output_tokens]
    "".join(map(str, told)).encode()
    assert [type(value) for value in told[:3]] == [str] * 3
    assert all(value is None or 0 <= value <= 10**9 for value in told[3:])


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(bodies(), min_size=3, max_size=6))
def test_no_body_ends_an_item(monkeypatch: pytest.MonkeyPatch, answers: list[dict[str, Any]]) -> None:
    """Nor is any of them a trouble that nobody foresaw; with a server that is well again, the run goes on."""
    drafts = [completion(f"The Elbe, {number}.") for number in range(7)]
    with TemporaryDirectory() as folder:
        config = {"models": {"default": {"model": "openai:m", "base_url": "http://127.0.0.1:9/v1"}}}
        url = f"sqlite:///{Path(folder) / 'store.db'}"
        project = Project(url, config=config, models={"default": chat()})
        send(monkeypatch, [*drafts, *answers])
        with contextlib.suppress(ModelUnavailable):
            project.run("preference", ["Name a river.", "Name a town.", "Name a hill."])
        assert_not_ended(project)
        send(monkeypatch, drafts)
        assert project.resume().failed == 0
        assert_not_ended(project)
        project.close()


def assert_not_ended(project: Project) -> None:
    with project.store.connect() as connection:
        items = connection.execute(select(table_of(Item))).mappings().all()
    assert len(items) == 3
    assert "failed" not in {item["state"] for item in items}
    assert not [item["reason"] for item in items if "unforeseen" in (item["reason"] or "")]


def test_what_nobody_foresaw_parks_an_item_and_a_resume_ends_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from solon.agents import judge

    project = Project(
        f"sqlite:///{tmp_path / 'store.db'}", config={"models": {"default": {"model": "scripted:default"}}}
    )
    real = judge._from_logprobs

    def broken(*_given: Any) -> Any:
        raise RecursionError("maximum depth")

    monkeypatch.setattr(judge, "_from_logprobs", broken)
    summary = project.run("preference", ["Name a river."])
    assert (summary.parked, summary.items) == (1, 1)
    with project.store.connect() as connection:
        (item,) = connection.execute(select(table_of(Item))).mappings().all()
    assert (item["state"], item["reason"].split(";")[0]) == (
        "parked",
        "unforeseen: RecursionError: maximum depth",
    )
    assert "solon resume" in item["reason"]
    monkeypatch.setattr(judge, "_from_logprobs", real)
    done = project.resume()
    assert (done.parked, done.failed, done.queued) == (0, 0, 0)
    project.close()


# What a verdict was read from ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "basis"),
    [
        ({"A": -0.1, "B": -2.4}, "letter"),
        ({"A": -0.1}, "bound"),
        ({"<think>": -0.001, "A": -7.0, "B": -8.0}, "json"),
        (None, "json"),
    ],
)
def test_a_verdict_says_what_it_was_read_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: Any, basis: str
) -> None:
    drafts = iter(range(100))

    async def post(_self: Transport, _path: str, payload: dict[str, Any]) -> Answer:
        words = json.dumps(payload)
        if payload.get("logprobs"):
            content = [{"token": "A", "logprob": None, "top_logprobs": first}]
            return Answer(completion("A", choice={"logprobs": {"content": content}}), "", 1)
        if "findings" in words:
            return Answer(completion('{"findings": []}'), "", 1)
        return Answer(completion(B if "verdict" in words else f"The Elbe, {next(drafts)}."), "", 1)

    monkeypatch.setattr(Transport, "post", post)
    config = {
        "models": {"default": {"model": "openai:m", "base_url": "http://127.0.0.1:9/v1"}},
        "routing": {"policy": "never"},
    }
    project = Project(f"sqlite:///{tmp_path / 'store.db'}", config=config, models={"default": chat()})
    project.run("preference", ["Name a river."])
    with project.store.connect() as connection:
        verdicts = connection.execute(select(table_of(Verdict))).mappings().all()
    assert {row["basis"] for row in verdicts} == {basis}
    assert all((row["p"] is None) == (basis == "json") for row in verdicts)
    project.close()


# Any size -----------------------------------------------------------------------------------------------------------

CHUNK = b" " * 2**20
FAR_TOO_MUCH = 200


def endless(status: int, kind: str = "application/json", begin: bytes = b"") -> tuple[Handler, list[int]]:
    """A handler that sends blanks without end, and how many pieces of a MiB it was rid of."""
    sent: list[int] = []

    async def handler(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={"Content-Type": kind})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            await response.write(begin)
            for number in range(FAR_TOO_MUCH):
                await response.write(CHUNK)
                sent.append(number)
        return response

    return handler, sent


def complete(handler: Handler, **settings: Any) -> ModelError:
    async def go() -> ModelError:
        async with serving(handler) as fake:
            model = fake.chat(retries=0, **settings)
            with pytest.raises(ModelError) as caught:
                await model.complete([("user", "?")])
            await model.aclose()
            return caught.value

    return asyncio.run(go())


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    handler, sent = endless(200)
    error = complete(handler)
    assert isinstance(error, ModelUnavailable)
    assert "larger than 8 MiB" in error.cause
    assert "max_tokens" in error.next_step
    assert "concurrency" not in error.next_step
    assert error.of_item
    assert len(sent) < FAR_TOO_MUCH / 2


@pytest.mark.parametrize(("status", "kind"), [(400, "refused"), (500, "unavailable"), (404, "refused")])
def test_nor_is_the_body_of_an_error(status: int, kind: str) -> None:
    handler, sent = endless(status, begin=b'{"error": {"message": "no room"')
    error = complete(handler)
    assert error.kind == kind
    assert f"HTTP {status}" in error.cause
    assert "no room" in error.cause
    assert len(sent) < FAR_TOO_MUCH / 2


def packed(data: bytes, status: int = 200) -> Handler:
    async def handler(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return web.Response(status=status, body=data, headers=headers)

    return handler


@pytest.mark.parametrize("status", [200, 400])
def test_the_limit_is_of_what_is_unpacked(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = aiohttp.StreamReader.readany

    async def counted(reader: aiohttp.StreamReader) -> bytes:
        piece = await real(reader)
        read.append(len(piece))
        return piece

    monkeypatch.setattr(aiohttp.StreamReader, "readany", counted)
    error = complete(packed(gzip.compress(b" " * 100 * 2**20), status))
    assert ("larger than 8 MiB" in error.cause) == (status == 200)
    assert sum(read) < (2 * ANSWER_BYTES if status == 200 else ANSWER_BYTES)


def test_what_is_just_small_enough_is_read() -> None:
    text = "x" * (ANSWER_BYTES - 1000)

    async def go() -> str:
        async with serving(packed(gzip.compress(json.dumps(completion(text)).encode()))) as fake:
            model = fake.chat(retries=0)
            answer = await model.complete([("user", "?")])
            await model.aclose()
            return answer.text

    assert asyncio.run(go()) == text


def test_a_stream_without_end_is_not_read_to_its_end() -> None:
    lines = b": still here\n" * 80_000
    sent: list[int] = []

    async def handler(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for number in range(FAR_TOO_MUCH):
                await response.write(lines)
                sent.append(number)
        return response

    assert "larger than 8 MiB" in stream(handler).cause
    assert len(sent) < FAR_TOO_MUCH / 2


def stream(handler: Handler) -> ModelError:
    async def go() -> ModelError:
        async with serving(handler) as fake:
            model = fake.chat(retries=0)
            with pytest.raises(ModelUnavailable) as caught:
                async for _ in model.astream("?"):
                    pass
            await model.aclose()
            return caught.value

    return asyncio.run(go())


@pytest.mark.parametrize(
    "event", [{"choices": [7]}, {"choices": [{"delta": {"tool_calls": [7]}}]}, {"choices": 7}]
)
def test_an_event_of_a_stream_may_be_anything(event: dict[str, Any]) -> None:
    async def handler(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        text = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n"
        return web.Response(text=text, content_type="text/event-stream")

    assert "no chat completion" in stream(handler).cause


@pytest.mark.parametrize(
    "deep", ["[" * 100_000, '{"a":' * 100_000, '{"choices":' * 50_000 + "1" + "}" * 50_000]
)
@pytest.mark.parametrize("status", [200, 400, 503])
def test_nesting_without_end_is_a_failed_call(deep: str, status: int) -> None:
    async def handler(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=status, text=deep, content_type="application/json")

    error = complete(handler)
    assert error.kind == ("refused" if status == 400 else "unavailable")
    assert status != 200 or "nested too deeply" in error.cause or "not JSON" in error.cause


@pytest.mark.parametrize("deep", ['{"verdict":' * 100_000, '{"verdict": "A", "x": ' + "[" * 100_000])
def test_nesting_in_the_text_of_an_answer_is_a_bad_answer(deep: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []

    async def post(_self: Transport, _path: str, payload: dict[str, Any]) -> Answer:
        sent.append(len(json.dumps(payload)))
        return Answer(completion(deep), "", 1)

    monkeypatch.setattr(Transport, "post", post)
    with pytest.raises(BadOutput):
        asyncio.run(ask(chat(), BARE, [("user", "?")], schema=PairVerdict, max_tokens=9))
    assert max(sent) < 40_000, "of a bad answer only the beginning is sent again"
