"""Answers that are none, or come in another form: errors inside a 2xx, odd endings, streams nobody asked for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from fake_openai_server import Handler, answering, completion, serving

from solon.agents.models.capabilities import Capabilities
from solon.agents.models.failures import ending
from solon.agents.models.structured import Reply, ask
from solon.errors import BadOutput, ModelError, ModelRefused, ModelUnavailable

CAPABLE = Capabilities(json_schema=True, logprobs=True, context=None, default_concurrency=1)


def get(*answers: Any, retries: int = 1, watched: bool = False) -> tuple[Any, int]:
    """The reply, or the error that came instead; and how many requests were sent."""

    async def scene() -> tuple[Reply | Exception, int]:
        async with serving(_handler(*answers)) as server:
            chat = server.chat(retries=retries)
            try:
                return await ask(chat, CAPABLE, [("user", "q")], max_tokens=9, heard=watched), len(
                    server.requests
                )
            except ModelError as error:
                return error, len(server.requests)
            finally:
                await chat.aclose()

    return asyncio.run(scene())


def _handler(*answers: Any) -> Handler:
    return answering(*(web.json_response(a) if isinstance(a, list) else a for a in answers))


def words(message: str, **more: Any) -> dict[str, Any]:
    return {"message": message, **more}


@pytest.mark.parametrize(
    "inside",
    [
        {"error": words("upstream broke", code=502), "choices": None},
        {"error": words("upstream broke", code="503"), **completion("half")},
        {"error": words("upstream broke"), "choices": []},
        {"error": "upstream broke"},
        {"errors": [words("upstream broke", code=10500)]},
        {"error": {"error": words("upstream broke", code=500)}},
        {"data": {"error": words("upstream broke", status=504)}},
        {"type": "error", "error": words("upstream broke", type="overloaded_error")},
        {"object": "error", "message": "upstream broke", "code": 50001},
        {"error": words("upstream broke", code=429)},
        {"error_code": 18, "error_msg": "upstream broke: rate limit"},
        {"choices": [{"index": 0, "error": words("upstream broke", code=502), "message": {"content": "ha"}}]},
        {"choices": [{"message": {"content": "ha", "error": words("upstream broke", code=500)}}]},
        {"code": "500", "msg": "upstream broke", "choices": None},
        {"error": True, "message": "upstream broke"},
        {"base_resp": {}, "detail": "upstream broke"},
        completion("half", choice={"finish_reason": "error", "error": words("upstream broke", code=502)}),
        [{"error": words("upstream broke", code=503, status="UNAVAILABLE")}],
    ],
)
def test_a_passing_error_inside_an_answer_is_tried_again(inside: Any) -> None:
    reply, sent = get(inside, completion("good"))
    assert (reply.text, sent) == ("good", 2)
    error, _ = get(inside)
    assert isinstance(error, ModelUnavailable)
    assert "upstream broke" in str(error)


@pytest.mark.parametrize(
    "inside",
    [
        {"error": words("bad key", code="401")},
        {"error": words("bad key", code=" 401 ", choices=None), "choices": None},
        {"error": words("bad key", code=40101)},
        {"error": words("bad key", type="authentication_error")},
        {"error": words("bad key", status="UNAUTHENTICATED")},
        {"error": "401 bad key"},
        {"error": "Error code: 401, bad key"},
        {"error": words("bad key", code=403), **completion("half")},
        {"error": words("bad key: Incorrect API key provided")},
        [{"error": words("bad key", code=401, status="UNAUTHENTICATED")}],
    ],
)
def test_a_wrong_key_inside_an_answer_is_not_tried_again(inside: Any) -> None:
    error, sent = get(inside, completion("good"))
    assert isinstance(error, ModelRefused)
    assert (sent, "bad key" in str(error)) == (1, True)


@pytest.mark.parametrize(
    "more",
    [
        {"error": None},
        {"error": {}},
        {"error": ""},
        {"error": False},
        {"error": {"code": None, "message": None}},
        {"error": {"code": 0, "message": "ok"}},
        {"code": 200, "message": "success"},
        {"prompt_filter_results": [{"content_filter_results": {"error": words("not filtered", code=500)}}]},
    ],
)
def test_what_is_no_error_does_not_hide_the_answer(more: dict[str, Any]) -> None:
    reply, sent = get({**completion("good"), **more})
    assert (reply.text, sent) == ("good", 1)


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize(
    "reason", ["error", "abort", "cancelled", "network_error", "insufficient_system_resource", "odd"]
)
def test_an_answer_that_broke_off_is_asked_for_again(reason: str, watched: bool) -> None:
    broken = completion("half", choice={"finish_reason": reason})
    assert get(broken, completion("good"), watched=watched)[0].text == "good"
    error, sent = get(broken, watched=watched)
    assert isinstance(error, ModelUnavailable)
    assert (sent, reason in str(error)) == (2, True)


@pytest.mark.parametrize(
    "reason", ["content_filter", "SAFETY", "refusal", "sensitive", "guardrail_intervened"]
)
def test_an_answer_that_was_withheld_is_none_and_not_paid_for_twice(reason: str) -> None:
    error, sent = get(completion("half", choice={"finish_reason": reason}), completion("good"))
    assert isinstance(error, BadOutput)
    assert (error.kind, sent, reason in str(error)) == ("withheld", 1, True)
    assert (error.reply.text, error.reply.reasoning) == ("", "half")  # type: ignore[attr-defined]


def test_a_refusal_in_a_field_of_its_own() -> None:
    error, _ = get(completion(None, message={"refusal": "I cannot."}))
    assert isinstance(error, BadOutput)
    assert (error.kind, error.reply.reasoning) == ("withheld", "I cannot.")  # type: ignore[attr-defined]


def test_every_provider_has_its_own_words_for_an_ending() -> None:
    for whole in ("", "stop", "STOP", "end_turn", "eos", "tool_calls", "COMPLETE"):
        assert ending(whole) == "whole"
    for cut in ("length", "MAX_TOKENS", "max_output_tokens", "model_length"):
        assert ending(cut) == "cut"
    assert get(completion("good", choice={"finish_reason": {"type": "stop"}}))[0].text == "good"
    assert get(completion("good", choice={"finish_reason": None}))[0].text == "good"


@pytest.mark.parametrize(
    "message",
    [
        {"content": "", "reasoning": "plan"},
        {"content": None, "reasoning_content": "plan"},
        {"content": "<think>plan"},
        {"content": [{"type": "thinking", "thinking": "plan"}]},
    ],
)
@pytest.mark.parametrize("watched", [False, True])
def test_reasoning_that_eats_the_room_is_named(message: dict[str, Any], watched: bool) -> None:
    error, sent = get(completion(message=message, choice={"finish_reason": "length"}), watched=watched)
    assert isinstance(error, BadOutput)
    assert (error.kind, sent) == ("cut", 1)
    assert "max_tokens = 9" in str(error)
    assert "reasoning" in str(error)
    assert error.reply.reasoning == "plan"  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [200, 201, 202])
def test_every_2xx_with_an_answer_is_one(status: int) -> None:
    reply, sent = get(web.json_response(completion("good"), status=status))
    assert (reply.text, sent) == ("good", 1)
    assert isinstance(get(web.Response(status=204))[0], ModelUnavailable)


def chunk(**delta: Any) -> str:
    return json.dumps(
        {"id": "s", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    )


LAST = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
USAGE = json.dumps({"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 2}})
GO, OD = chunk(role="assistant", content="go"), chunk(content="od")


@pytest.mark.parametrize(
    "body",
    [
        f"data: {GO}\n\ndata: {OD}\n\ndata: {LAST}\n\ndata: {USAGE}\n\ndata: [DONE]\n\n",
        f"data:{GO}\r\n\r\ndata:{OD}\r\n\r\ndata:{LAST}\r\n\r\ndata:{USAGE}",
        f": waiting\n\n:\n\ndata: {GO}\n: still\ndata: {OD}\n\ndata: {LAST}\ndata: {USAGE}\n",
        f"\ufeffevent: message\nid: 1\ndata: {GO}\n\ndata: {OD}\n\ndata: {LAST}\n\ndata: {USAGE}\n\n",
        f"\n\nretry: 5\ndata: {GO}\n\ndata: {OD}\n\ndata: {LAST}\n\ndata: {USAGE}\n\ndata: [DONE]",
        f"data: {json.dumps(completion('good', usage={'prompt_tokens': 4, 'completion_tokens': 2}))}\n\n",
    ],
)
@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("watched", [False, True])
def test_a_stream_that_nobody_asked_for_is_read(body: str, kind: str, watched: bool) -> None:
    reply, sent = get(web.Response(body=body.encode(), content_type=kind), watched=watched)
    assert (reply.text, reply.finish_reason, sent) == ("good", "stop", 1)
    assert (reply.input_tokens, reply.output_tokens) == (4, 2)


def test_thinking_in_a_stream_and_a_stream_with_an_error() -> None:
    thought = f"data: {chunk(reasoning_content='who ')}\n\ndata: {chunk(reasoning_content='knows')}\n\ndata: {GO}\n\n"
    reply, _ = get(web.Response(body=thought.encode()))
    assert (reply.text, reply.reasoning) == ("go", "who knows")
    for said in (
        f'data: {GO}\n\ndata: {{"error": {{"message": "upstream broke", "code": 502}}}}\n\n',
        f'data: {GO}\n\nevent: error\ndata: {{"message": "upstream broke"}}\n\n',
        f'data: {GO}\n\nerror: {{"message": "upstream broke"}}\n\n',
    ):
        error, sent = get(web.Response(body=said.encode()))
        assert isinstance(error, ModelUnavailable)
        assert ("upstream broke" in str(error), sent) == (True, 2)
    for broken in (f"data: {GO[:20]}", "data: [DONE]\n\n", "data: 7\n\n", ":\n\n"):
        error, sent = get(web.Response(body=broken.encode()))
        assert isinstance(error, ModelUnavailable)


def test_an_answer_without_choices_says_so() -> None:
    error, _ = get({"choices": []}, retries=0)
    assert isinstance(error, ModelUnavailable)
    assert "it has no choices" in str(error)
