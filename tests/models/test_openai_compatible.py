"""The thin chat model against a real HTTP server: answers, tries, refusals, time limits, keys."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from fake_openai_server import FakeServer, Handler, answering, completion, failure, serving
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import SecretStr

from solon.agents.models.failures import retry_after_seconds
from solon.agents.models.wire import spell
from solon.errors import ModelRefused, ModelUnavailable, TooLong

PROMPT = [SystemMessage("be brief"), HumanMessage("hi")]
KEY = "sk-very-secret-0123456789"


def call(
    handler: Handler, models: list[dict[str, Any]] | None = None, **settings: Any
) -> tuple[Any, FakeServer]:
    """One call; gives the answer, or the error that it raised."""
    kwargs = settings.pop("call", {})

    async def scene() -> tuple[Any, FakeServer]:
        async with serving(handler, models) as server:
            chat = server.chat(**settings)
            try:
                return await chat.ainvoke(PROMPT, **kwargs), server
            except Exception as error:
                return error, server
            finally:
                await chat.aclose()

    return asyncio.run(scene())


def test_an_answer_with_all_that_solon_reads() -> None:
    logprobs = {
        "content": [{"token": "A", "logprob": -0.1, "top_logprobs": [{"token": "A", "logprob": -0.1}]}]
    }
    asked = {
        "temperature": 0.3,
        "top_p": 0.9,
        "max_tokens": 5,
        "seed": 4,
        "logprobs": True,
        "top_logprobs": 5,
    }
    answer, server = call(
        answering(completion("A", choice={"logprobs": logprobs})), call={**asked, "stop": ["\n"]}
    )
    assert answer.content == "A"
    assert answer.usage_metadata == {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
    assert answer.response_metadata == {
        "model_name": "m-2026",
        "finish_reason": "stop",
        "logprobs": logprobs,
        "request_id": "req-9",
        "tries": 1,
    }
    assert server.requests == [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
            "stop": ["\n"],
            **asked,
        }
    ]
    assert "Authorization" not in server.headers[0]


def test_what_is_not_asked_for_is_not_sent() -> None:
    _, server = call(answering(completion()), call={"seed": None, "logprobs": False, "top_logprobs": 5})
    assert set(server.requests[0]) == {"model", "messages"}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_passing_failures_are_tried_again(status: int) -> None:
    answer, server = call(answering(failure(status, message="busy"), completion("now")))
    assert answer.content == "now"
    assert answer.response_metadata["tries"] == 2
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_refusals_are_not_tried_again(status: int) -> None:
    error, server = call(answering(failure(status, message="no such thing as top_k")))
    assert isinstance(error, ModelRefused)
    assert len(server.requests) == (2 if status in (400, 422) else 1), "once more, without a system message"
    assert error.next_step
    assert f"HTTP {status}" in str(error)
    assert "no such thing as top_k" in str(error)


def test_gives_up_after_the_tries_it_has() -> None:
    error, server = call(answering(failure(503, message="loading model")), retries=3)
    assert isinstance(error, ModelUnavailable)
    assert len(server.requests) == 4
    assert "after 4 tries: HTTP 503: loading model" in str(error)
    assert server.base_url in str(error)
    _, server = call(answering(failure(503)), retries=0)
    assert len(server.requests) == 1


def test_waits_as_long_as_the_server_asks() -> None:
    begun = time.perf_counter()
    answer, _ = call(answering(failure(429, {"Retry-After": "0.3"}), completion()))
    assert answer.content == "hello"
    assert time.perf_counter() - begun >= 0.3
    error, server = call(answering(failure(429, {"Retry-After": "3600"})))
    assert isinstance(error, ModelUnavailable)
    assert len(server.requests) == 1  # an hour is not waited for


def test_reads_retry_after_in_every_form() -> None:
    now = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=30), usegmt=True)
    assert retry_after_seconds({"retry-after": "7"}, now) == 7
    assert retry_after_seconds({"retry-after": later}, now) == 30
    assert retry_after_seconds({"retry-after": format_datetime(now - timedelta(days=1))}, now) == 0
    assert retry_after_seconds({"retry-after-ms": "250", "retry-after": "9"}, now) == 0.25
    assert retry_after_seconds({"retry-after": "soon"}, now) is None
    assert retry_after_seconds({}, now) is None


def test_a_used_up_quota_is_no_overload() -> None:
    error, server = call(
        answering(failure(429, message="You exceeded your quota", code="insufficient_quota"))
    )
    assert isinstance(error, ModelRefused)
    assert len(server.requests) == 1
    assert "quota" in error.next_step


def test_a_broken_connection_is_tried_again() -> None:
    answer, server = call(answering("hang up", "hang up", completion("there")))
    assert answer.content == "there"
    assert len(server.requests) == 3
    error, _ = call(answering("hang up"), retries=1)
    assert isinstance(error, ModelUnavailable)
    assert "connection" in str(error)


def test_the_time_limit_counts_per_try() -> None:
    answer, server = call(answering("hang", completion("late")), timeout=1.0)
    assert answer.content == "late"
    assert len(server.requests) == 2
    error, _ = call(answering("hang"), timeout=0.1, retries=1)
    assert isinstance(error, ModelUnavailable)
    assert "nothing came within 0.1 s" in str(error)


@pytest.mark.parametrize(
    "beyond", ["\ufeff%s", '{"beside": NaN, "least": -Infinity, %s', '{"lone": "\\ud800", %s']
)
def test_an_answer_in_json_that_is_not_quite_the_standard_s_is_read(beyond: str) -> None:
    told = json.dumps(completion("there"))
    body = beyond % (told if beyond.startswith("\ufeff") else told[1:])
    answer, server = call(answering(web.Response(text=body, content_type="application/json")))
    assert answer.content == "there"
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", ["<html>oops</html>", '{"choices": [', "[]", '"x"'])
def test_an_answer_that_is_not_json_is_tried_again(body: str) -> None:
    error, server = call(answering(web.Response(text=body, content_type="application/json")), retries=1)
    assert isinstance(error, ModelUnavailable)
    assert "not JSON" in str(error)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("body", "told", "advice"),
    [
        ("", "it is empty", "check base_url"),
        (" \n", "it is empty", "check base_url"),
        ("\n<!DOCTYPE html><html>Welcome</html>", "it is a web page", "check base_url"),
        ("<?xml version='1.0'?><error/>", "it is a web page", "check base_url"),
        ('{"choices": [', "Expecting value", "`concurrency`"),
    ],
)
def test_the_next_step_fits_what_came(body: str, told: str, advice: str) -> None:
    error, _ = call(answering(web.Response(text=body, content_type="application/json")), retries=0)
    assert isinstance(error, ModelUnavailable)
    assert told in error.cause
    assert advice in error.next_step
    assert not error.of_item


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": []},
        {"choices": [{}]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": {"content": [1]}}]},
        {"choices": "x"},
    ],
)
def test_json_that_is_no_completion_is_named_as_such(body: dict[str, Any]) -> None:
    error, _ = call(answering(body))
    assert isinstance(error, ModelUnavailable)
    assert "no chat completion" in str(error)


def test_an_error_inside_an_answer_of_200() -> None:
    inside = {"error": {"message": "upstream busy", "code": 502}}
    answer, _ = call(answering(inside, completion("fine")))
    assert answer.content == "fine"
    error, _ = call(answering({"error": {"message": "bad field", "code": 400}}))
    assert isinstance(error, ModelRefused)


@pytest.mark.parametrize(
    "refusal",
    [
        failure(
            400, message="This model's maximum context length is 8192 tokens.", code="context_length_exceeded"
        ),
        failure(
            400, message="The decoder prompt (length 9000) is longer than the maximum model length of 2048."
        ),
        failure(
            400,
            code=400,
            message="request (5031 tokens) exceeds the available context size (4096 tokens)",
            type="exceed_context_size_error",
        ),
        failure(413, message="prompt is too long: 210000 tokens > 200000 maximum"),
    ],
)
def test_context_errors_of_servers_are_too_long(refusal: web.Response) -> None:
    error, server = call(answering(refusal))
    assert isinstance(error, TooLong)
    assert error.kind == "too_long"
    assert len(server.requests) == 1


def test_an_unknown_model_is_named_with_the_server_and_what_it_serves() -> None:
    refusal = failure(404, message="The model `m` does not exist.", code="model_not_found")
    error, server = call(answering(refusal), models=[{"id": "qwen"}, {"id": "llama"}])
    assert isinstance(error, ModelRefused)
    assert "no model 'm'" in str(error)
    assert server.base_url in str(error)
    assert "qwen, llama" in error.next_step
    error, _ = call(answering(web.Response(status=404, text="404 page not found")))
    assert "/v1" in error.next_step


def test_a_server_that_is_down() -> None:
    async def scene() -> str:
        async with serving(answering(completion())) as server:
            pass
        chat = server.chat(retries=1, start_hint="start it with `serve m`")
        with pytest.raises(ModelUnavailable) as caught:
            await chat.ainvoke(PROMPT)
        await chat.aclose()
        assert server.base_url in str(caught.value)
        return str(caught.value)

    text = asyncio.run(scene())
    assert "serve m" in text
    assert "refused" in text.lower()


def test_redirects_are_not_followed() -> None:
    error, server = call(answering(web.Response(status=307, headers={"Location": "http://127.0.0.1:9/v1"})))
    assert isinstance(error, ModelRefused)
    assert "307" in str(error)
    assert len(server.requests) == 1


def test_the_key_is_sent_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = {"key": SecretStr(KEY), "key_env": "MY_KEY"}
    echo = failure(401, message=f"Incorrect API key provided: {KEY}. Bearer {KEY}", code=KEY)
    error, server = call(answering(echo), **settings)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert "MY_KEY" in error.next_step
    chat = server.chat(**settings, headers={"X-Secret": SecretStr(KEY)})
    unavailable, _ = call(answering(failure(500, message=f"key {KEY}")), **settings, retries=0)
    shown = [
        str(error),
        repr(error),
        repr(error.__dict__),
        str(unavailable),
        repr(chat),
        str(chat),
        caplog.text,
    ]
    shown += [
        repr(chat.model_dump()),
        str(chat.model_dump_json()),
        repr(chat._serialized),
        repr(chat._transport),
    ]
    shown += [repr(chat.lc_attributes), repr(chat._identifying_params), repr(chat._transport.server)]
    for text in shown:
        assert KEY not in text


def test_parameters_that_a_model_does_not_take_are_left_out_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        for name in ("max_tokens", "temperature", "logprobs"):
            if name in body:
                return failure(
                    400, message=f"{name} is not supported", code="unsupported_parameter", param=name
                )
        return web.json_response(completion("ok"))

    async def scene() -> None:
        async with serving(handler) as server:
            chat = server.chat()
            asked = {"max_tokens": 9, "temperature": 0.0, "logprobs": True, "top_logprobs": 3}
            first = await chat.ainvoke(PROMPT, **asked)
            assert first.response_metadata["not_sent"] == ["logprobs", "temperature", "top_logprobs"]
            before = len(server.requests)
            await chat.ainvoke(PROMPT, **asked)
            assert len(server.requests) == before + 1
            assert server.requests[-1]["max_completion_tokens"] == 9
            await chat.aclose()

    asyncio.run(scene())
    assert "does not take temperature" in caplog.text


def test_a_schema_that_nothing_helps_is_refused_by_its_key() -> None:
    refusal = failure(400, message="no schema here", code="unsupported_parameter", param="response_format")
    error, server = call(answering(refusal), call={"response_format": {"type": "json_object"}})
    assert isinstance(error, ModelRefused)
    assert "json_schema = false" in error.next_step
    assert len(server.requests) <= 4


def test_overload_halves_the_calls_in_flight() -> None:
    refused, all_there = 0, asyncio.Event()

    async def handler(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        nonlocal refused
        if refused < 8:
            refused += 1
            if refused == 8:
                all_there.set()
            await all_there.wait()
            return failure(429, message="slow down")
        return web.json_response(completion())

    async def scene() -> None:
        async with serving(handler) as server:
            chat = server.chat(concurrency=8, retries=5)
            answers = await asyncio.gather(*(chat.ainvoke(PROMPT) for _ in range(12)))
            assert len(answers) == 12
            assert server.most_in_flight == 8
            assert chat._transport.gate.allowed < 8
            assert chat._transport.gate.in_flight == 0
            await chat.aclose()

    asyncio.run(scene())


def test_a_retry_after_holds_one_call() -> None:
    async def scene() -> list[int]:
        async with serving(answering(failure(429, {"Retry-After": "1.5"}), completion())) as server:
            chat, order = server.chat(concurrency=1), list[int]()

            async def ask(number: int) -> None:
                await chat.ainvoke(PROMPT)
                order.append(number)

            await asyncio.gather(*(ask(number) for number in range(4)))
            await chat.aclose()
            return order

    assert asyncio.run(scene()) == [1, 2, 3, 0]


def test_a_call_that_hangs_is_hedged() -> None:
    async def scene() -> tuple[Any, int]:
        async with serving(answering("hang", completion("from another"))) as server:
            chat = server.chat(hedge=True)
            known = chat._transport.gate._usual.setdefault("", deque())
            known.extend([0.01] * 14 + [5.0] * 2)
            answer = await chat.ainvoke(PROMPT)
            assert (chat._transport.gate.in_flight, chat._transport.gate.hanging) == (0, 0)
            await chat.aclose()
            return answer.content, len(server.requests)

    assert asyncio.run(scene()) == ("from another", 2)


def test_a_cancelled_call_gives_its_place_back() -> None:
    async def scene() -> None:
        async with serving(answering("hang")) as server:
            chat = server.chat(concurrency=1)
            task = asyncio.create_task(chat.ainvoke(PROMPT))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert chat._transport.gate.in_flight == 0
            await chat.aclose()

    asyncio.run(scene())


def test_a_body_is_spelled_as_ever_where_names_are_made_of_it() -> None:
    """A batch that an earlier version left at the provider is found by the name of each request."""
    body = {"temperature": 1e-05, "prompt": "日本", "lone": "\ud800", "none": float("nan")}
    assert spell(body) == '{"temperature":1e-05,"prompt":"日本","lone":"�","none":NaN}'


def test_hostile_text_goes_out_as_valid_json() -> None:
    async def scene() -> None:
        async with serving(answering(completion())) as server:
            chat = server.chat()
            await chat.ainvoke([HumanMessage('lone \ud800 surrogate, "quotes", \x00 and 日本')])
            assert server.requests[0]["messages"][0]["content"] == 'lone � surrogate, "quotes", \x00 and 日本'
            await chat.aclose()

    asyncio.run(scene())


def test_n_answers() -> None:
    choices = [
        {"index": i, "message": {"role": "assistant", "content": str(i)}, "finish_reason": "stop"}
        for i in (1, 0)
    ]

    async def scene() -> None:
        async with serving(answering(completion(choices=choices))) as server:
            chat = server.chat()
            result = await chat.agenerate([PROMPT], n=2)
            assert server.requests[0]["n"] == 2
            assert [generation.text for generation in result.generations[0]] == ["0", "1"]
            await chat.aclose()

    asyncio.run(scene())


def test_tools() -> None:
    def weather(city: str) -> str:
        """The weather in a city."""
        return city

    wire = {
        "id": "c1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Athens"}'},
    }
    broken = {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": '{"city": '}}

    async def scene() -> None:
        handler = answering(completion(None, message={"tool_calls": [wire, broken]}), completion("sunny"))
        async with serving(handler) as server:
            chat = server.chat()
            answer = await chat.bind_tools([weather], tool_choice="weather").ainvoke(PROMPT)
            assert isinstance(answer, AIMessage)
            assert answer.tool_calls == [
                {"name": "weather", "args": {"city": "Athens"}, "id": "c1", "type": "tool_call"}
            ]
            assert [call["id"] for call in answer.invalid_tool_calls] == ["c2"]
            sent = server.requests[0]
            assert sent["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
            assert sent["tools"][0]["function"]["parameters"]["required"] == ["city"]
            answer.invalid_tool_calls = []
            await chat.ainvoke([*PROMPT, answer, ToolMessage("sunny", tool_call_id="c1")])
            roles = [message["role"] for message in server.requests[1]["messages"]]
            assert roles == ["system", "user", "assistant", "tool"]
            await chat.aclose()

    asyncio.run(scene())


def test_callbacks_hear_of_a_call_and_change_nothing() -> None:
    heard_of: list[str] = []

    class Listener(AsyncCallbackHandler):
        async def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
            heard_of.append("start")
            assert KEY not in repr(serialized) + repr(kwargs)

        async def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            heard_of.append(response.generations[0][0].message.response_metadata["request_id"])

        async def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
            heard_of.append(type(error).__name__)

    async def scene() -> None:
        async with serving(answering(completion(), completion(), failure(400, message="no"))) as server:
            chat = server.chat(key=SecretStr(KEY))
            quiet = await chat.ainvoke(PROMPT)
            heard = await chat.ainvoke(PROMPT, {"callbacks": [Listener()]})
            assert quiet.content == heard.content
            assert quiet.response_metadata == heard.response_metadata
            with pytest.raises(ModelRefused):
                await chat.ainvoke(PROMPT, {"callbacks": [Listener()]})
            await chat.aclose()

    asyncio.run(scene())
    assert heard_of == ["start", "req-9", "start", "Refusal"]


def test_strings_and_prompts_are_taken_like_by_any_chat_model() -> None:
    async def scene() -> None:
        async with serving(answering(completion())) as server:
            chat = server.chat()
            await chat.ainvoke("just text")
            await chat.ainvoke([("system", "s"), ("human", "h")])
            assert server.requests[0]["messages"] == [{"role": "user", "content": "just text"}]
            assert [m["role"] for m in server.requests[1]["messages"]] == ["system", "user"]
            await chat.aclose()

    asyncio.run(scene())


def test_the_sync_edge_works_in_a_script_and_in_a_running_loop() -> None:
    async def scene() -> None:
        async with serving(answering(completion("sync"))) as server:
            chat = server.chat()
            answer = await asyncio.to_thread(chat.invoke, PROMPT)
            assert answer.content == "sync"
            await chat.aclose()

    asyncio.run(scene())


def test_answers_can_be_pickled() -> None:
    answer, _ = call(answering(completion()))
    assert pickle.loads(pickle.dumps(answer)).content == "hello"


def continued(*answers: Any) -> tuple[Any, FakeServer]:
    """A text that is written on; gives what came, or the error that it raised."""

    async def scene() -> tuple[Any, FakeServer]:
        async with serving(answering(*answers)) as server:
            chat = server.chat(temperature=0.2, headers={"x-team": SecretStr("a")})
            try:
                return await chat.continue_text("<user>\n", stop=["</user>"], max_tokens=9, seed=3), server
            except Exception as error:
                return error, server
            finally:
                await chat.aclose()

    return asyncio.run(scene())


def test_a_text_is_written_on_as_it_stands() -> None:
    written = {
        "choices": [{"index": 0, "text": " Why? ", "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 4},
    }
    answer, server = continued(failure(503), written)
    assert (answer.text, answer.finish_reason, answer.input_tokens, answer.output_tokens) == (
        " Why? ",
        "stop",
        4,
        None,
    )
    sent = {
        "model": "m",
        "prompt": "<user>\n",
        "stop": ["</user>"],
        "max_tokens": 9,
        "seed": 3,
        "temperature": 0.2,
    }
    assert server.requests == [sent, sent]


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{"text": None}]}, completion()])
def test_what_writes_no_text_on_is_named_as_such(body: dict[str, Any]) -> None:
    error, _ = continued(body)
    assert isinstance(error, ModelUnavailable)
    assert "is no chat completion" in error.cause


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_a_completion_endpoint_ends_the_run_with_the_next_step(status: int) -> None:
    error, _ = continued(web.Response(status=status, text="page not found"))
    assert isinstance(error, ModelRefused)
    assert error.systemic
    assert "has no completion endpoint" in error.cause
    assert "builtin:" in error.next_step
    error, _ = continued(failure(404, message="The model `m` does not exist.", code="model_not_found"))
    assert "no model 'm'" in error.cause
