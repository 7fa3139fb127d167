"""A refusal of one optional feature, in whatever words: the request goes on without it, that is said once, and the
model is not asked for it again."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from aiohttp import web
from fake_openai_server import FakeServer, completion, serving
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import BaseModel

from solon.agents.models.capabilities import Capabilities
from solon.agents.models.features import FEATURES, OFF, Dialect, Limit, Request
from solon.agents.models.structured import ask
from solon.errors import ModelRefused, TooLong

FULL = Capabilities(json_schema=True, logprobs=True, context=None, default_concurrency=4)
PROMPT = [("system", "Be brief."), ("user", "Which?")]
Body = dict[str, Any]


class Verdict(BaseModel):
    verdict: str


def has_system(body: Body) -> bool:
    return any(message["role"] == "system" for message in body["messages"])


def few(body: Body) -> bool:
    return int(body.get("max_tokens", 99)) < 16


def nested(text: str, **more: Any) -> str:
    return json.dumps({"error": {"message": text, **more}})


def talk(
    refuses: Callable[[Body], bool],
    words: str,
    *,
    status: int = 400,
    calls: int = 2,
    parallel: bool = False,
    **asked: Any,
) -> tuple[list[Any], FakeServer, Dialect]:
    """Calls to a server that refuses what `refuses` finds in a request; each answer, or the error in its place."""

    async def handler(_request: web.Request, body: Body) -> web.StreamResponse:
        if refuses(body):
            return web.Response(status=status, text=words)
        return web.json_response(completion('{"verdict": "A"}'))

    async def scene() -> tuple[list[Any], FakeServer, Dialect]:
        async with serving(handler) as server:
            chat = server.chat(retries=0)
            made = {"max_tokens": 40, "temperature": 0.7, "seed": 4, "top_p": 0.9, **asked}
            if parallel:
                jobs = [ask(chat, FULL, PROMPT, **made) for _ in range(calls)]
                answers = list(await asyncio.gather(*jobs, return_exceptions=True))
            else:
                answers = []
                for _ in range(calls):
                    answers += await asyncio.gather(ask(chat, FULL, PROMPT, **made), return_exceptions=True)
            await chat.aclose()
            return answers, server, chat.dialect

    return asyncio.run(scene())


LETTER = {"logprobs": True, "max_tokens": 1, "temperature": 0.0}
JSON = {"schema": Verdict}
CASES: list[tuple[str, Callable[[Body], bool], str, int, Body]] = [
    ("system role", has_system, nested("Jinja template error: System role not supported"), 400, {}),
    ("system role", has_system, "Conversation roles must alternate user/assistant/user/assistant", 400, {}),
    ("system role", has_system, nested("Developer instruction is not enabled for models/g-27b"), 400, {}),
    ("system role", has_system, nested("does not support 'system'", param="messages[0].role"), 400, {}),
    ("system role", has_system, json.dumps({"detail": "不支持system角色"}), 422, {}),
    ("system role", has_system, "", 400, {}),
    ("response_format", lambda b: "response_format" in b, nested("Unknown name response_format"), 400, JSON),
    (
        "response_format",
        lambda b: "response_format" in b,
        json.dumps(
            {"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs are not permitted"}]}
        ),
        422,
        JSON,
    ),
    ("response_format", lambda b: "response_format" in b, "guided decoding is not implemented", 501, JSON),
    (
        "response_format",
        lambda b: "response_format" in b,
        nested("No endpoints support: json_schema"),
        404,
        JSON,
    ),
    ("response_format", lambda b: "response_format" in b, "Unsupported Media Type", 415, JSON),
    ("logprobs", lambda b: "logprobs" in b, nested("You are not allowed to request logprobs"), 403, LETTER),
    ("logprobs", lambda b: "logprobs" in b, "log probabilities sind nicht verfügbar", 400, LETTER),
    (
        "logprobs",
        lambda b: b.get("top_logprobs", 0) > 5,
        nested("top_logprobs must be at most 5"),
        400,
        LETTER,
    ),
    (
        "logprobs",
        lambda b: b.get("top_logprobs", 0) > 8,
        nested("top_logprobs: 10 not in [0, 8]"),
        400,
        LETTER,
    ),
    ("logprobs", lambda b: b.get("top_logprobs", 0) > 5, "bad value", 422, LETTER),
    (
        "logprobs beside a schema",
        lambda b: "logprobs" in b and "response_format" in b,
        nested("logprobs is not supported with response_format json_schema"),
        400,
        {**JSON, "logprobs": True},
    ),
    ("seed", lambda b: "seed" in b, nested("Unrecognized request argument supplied: seed"), 400, {}),
    ("seed", lambda b: "seed" in b, json.dumps({"errors": [{"field": "seed", "why": "no"}]}), 400, {}),
    ("seed", lambda b: "seed" in b, "Bad Request", 400, {}),
    ("stop", lambda b: "stop" in b, nested("stop sequences are not supported"), 400, {"stop": ["\n"]}),
    ("top_p", lambda b: "top_p" in b, nested("use temperature or top_p, not both", param="top_p"), 400, {}),
    (
        "temperature",
        lambda b: b.get("temperature", 1) != 1,
        nested("'temperature' does not support 0.7. Only the default (1) value is supported."),
        400,
        {},
    ),
    (
        "temperature",
        lambda b: b.get("temperature") == 0,
        nested("`temperature` must be strictly positive"),
        422,
        {"temperature": 0.0},
    ),
    (
        "temperature",
        lambda b: b.get("temperature", 0) > 1,
        nested("temperature: range: 0..1"),
        400,
        {"temperature": 1.5},
    ),
    (
        "max_tokens",
        lambda b: "max_tokens" in b,
        nested("'max_tokens' is not supported. Use 'max_completion_tokens' instead."),
        400,
        LETTER,
    ),
    (
        "max_tokens",
        few,
        nested("Expected a value >= 16, but got 1 instead.", param="max_tokens"),
        400,
        LETTER,
    ),
    ("max_tokens", few, "max_tokens is too small (minimum: 16)", 422, LETTER),
    ("max_tokens", few, nested("number of output tokens too low"), 400, LETTER),
    (
        "max_tokens",
        lambda b: b["max_tokens"] > 4096,
        nested("max_tokens is too large: 9000. This model supports at most 4096 completion tokens."),
        400,
        {"max_tokens": 9000},
    ),
]


@pytest.mark.parametrize(("name", "refuses", "words", "status", "asked"), CASES)
def test_a_feature_that_is_refused_is_left_out_and_not_asked_for_again(
    name: str,
    refuses: Callable[[Body], bool],
    words: str,
    status: int,
    asked: Body,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        answers, server, dialect = talk(refuses, words, status=status, **asked)
    assert [a.text for a in answers] == ['{"verdict": "A"}'] * 2
    assert set(dialect.limits) == {name}, "nothing else is given up"
    assert not refuses(server.requests[-1])
    assert sum(map(refuses, server.requests)) <= 12
    assert not any(map(refuses, server.requests[-1:]))
    assert len([r for r in caplog.records if r.name.startswith("solon")]) in (1, 2), "said once a form"


def test_what_was_asked_of_the_model_is_still_asked() -> None:
    _, server, _ = talk(has_system, "System role not supported", calls=1)
    assert server.requests[-1]["messages"] == [{"role": "user", "content": "Be brief.\n\nWhich?"}]
    _, server, _ = talk(lambda b: "response_format" in b, "no response_format", calls=1, **JSON)
    assert '"verdict"' in server.requests[-1]["messages"][0]["content"]
    _, server, _ = talk(few, "max_tokens: at least 20", calls=1, **LETTER)
    assert server.requests[-1]["max_tokens"] == 20
    assert server.requests[-1]["logprobs"] is True


def test_who_gives_no_log_probabilities_beside_a_schema_still_gives_those_of_a_letter() -> None:
    def both(body: Body) -> bool:
        return "logprobs" in body and "response_format" in body

    asked = {**JSON, "logprobs": True}
    _, server, dialect = talk(both, "logprobs cannot be combined with structured output", calls=1, **asked)
    assert not dialect.lacks("logprobs")
    assert dialect.lacks("logprobs beside a schema")
    assert "response_format" in server.requests[-1], "the schema stays"
    assert "top_logprobs" not in server.requests[-1]


def test_a_schema_falls_back_to_an_object_first() -> None:
    def strict(body: Body) -> bool:
        return body.get("response_format", {}).get("type") == "json_schema"

    _, server, dialect = talk(strict, "'response_format.type' must be 'json_object' or 'text'", **JSON)
    assert dialect.limits == {"response_format": Limit(form="json_object")}
    assert server.requests[-1]["response_format"] == {"type": "json_object"}


def test_several_features_one_after_the_other_and_all_at_once() -> None:
    def named(body: Body) -> bool:
        return any(field in body for field in ("seed", "top_p", "logprobs", "max_tokens"))

    async def handler(_request: web.Request, body: Body) -> web.StreamResponse:
        wrong = next((f for f in ("seed", "top_p", "logprobs", "max_tokens") if f in body), "")
        if wrong or has_system(body):
            return web.Response(status=400, text=f"{wrong or 'system role'} is not supported")
        return web.json_response(completion("A"))

    async def scene() -> None:
        async with serving(handler) as server:
            chat = server.chat(retries=0)
            for _ in range(2):
                await ask(chat, FULL, PROMPT, seed=1, top_p=0.5, **LETTER)
            assert not named(server.requests[-1])
            assert len(server.requests) <= 10
            await chat.aclose()

    asyncio.run(scene())
    answers, _, dialect = talk(lambda b: "seed" in b or "top_p" in b, "Bad Request")
    assert answers[-1].text
    assert dialect.lacks("seed")
    assert dialect.lacks("top_p")


def test_many_at_once_find_out_together() -> None:
    answers, server, _ = talk(lambda b: "seed" in b, "no seed", calls=20, parallel=True)
    assert all(answer.text for answer in answers)
    assert len(server.requests) <= 20 + 20 + 1, "each is refused once at most, and one finds out"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "no such key for logprobs and seed"),
        (402, "pay for the system role"),
        (404, "no page here"),
        (400, json.dumps({"error": {"message": "no such model", "code": "model_not_found"}})),
    ],
)
def test_what_is_about_something_else_is_not_taken_apart(status: int, words: str) -> None:
    answers, server, dialect = talk(lambda _: True, words, status=status, calls=1, **LETTER)
    assert isinstance(answers[0], ModelRefused)
    assert (len(server.requests), dialect.limits) == (1, {})


def test_a_prompt_that_is_too_long_stays_too_long() -> None:
    answers, server, _ = talk(lambda _: True, "maximum context length is 8 tokens (max_tokens)", calls=1)
    assert isinstance(answers[0], TooLong)
    assert len(server.requests) == 1


def test_a_request_that_nothing_helps_is_taken_apart_once() -> None:
    answers, server, dialect = talk(lambda _: True, "the content is not to our liking", calls=3, **JSON)
    assert all(isinstance(answer, ModelRefused) for answer in answers)
    assert dialect.limits == {}
    first = len(server.requests) - 2
    assert first <= 16, "the second and third went out once each"


def test_one_bad_prompt_among_good_ones_costs_one_request() -> None:
    turn = iter([False, True, True])
    _, server, dialect = talk(lambda _: next(turn), "rejected by our safety check", calls=3)
    assert (len(server.requests), dialect.limits) == (3, {})


def test_where_nothing_helps_the_key_is_named() -> None:
    answers, _, _ = talk(lambda _: True, "max_tokens cannot be used here", calls=1)
    assert "`max_tokens`" in answers[0].next_step
    assert "solon.toml" in answers[0].next_step


def test_the_models_of_other_libraries_degrade_too(caplog: pytest.LogCaptureFixture) -> None:
    from langchain_core.language_models import BaseChatModel

    class BadRequestError(Exception):
        status_code = 400

    class Elsewhere(BaseChatModel):
        seen: ClassVar[list[list[str]]] = []

        @property
        def _llm_type(self) -> str:
            return "elsewhere"

        def _generate(self, messages: list[BaseMessage], *_: Any, **kwargs: Any) -> ChatResult:
            self.seen.append([*(m.type for m in messages), *kwargs])
            if messages[0].type == "system":
                raise BadRequestError("system messages are not supported by this model")
            return ChatResult(generations=[ChatGeneration(message=AIMessage("fine"))])

    model = Elsewhere()
    capable = Capabilities(json_schema=False, logprobs=False, context=None, default_concurrency=1)
    for _ in range(2):
        reply = asyncio.run(ask(model, capable, PROMPT, max_tokens=9))
        assert reply.text == "fine"
    assert [seen[0] for seen in model.seen] == ["system", "human", "human"]


_NAMES = st.sampled_from([feature.name for feature in FEATURES])
_LIMITS = st.dictionaries(
    _NAMES,
    st.just(OFF)
    | st.builds(Limit, least=st.just(2.0), most=st.just(3.0), form=st.sampled_from(["", "json_object"])),
)


@given(limits=_LIMITS, drop=st.sets(st.sampled_from(["seed", "temperature", "logprobs", "response_format"])))
def test_a_limited_request_keeps_the_words_and_changes_nothing_in_place(
    limits: dict[str, Limit], drop: set[str]
) -> None:
    if "max_tokens" in limits and limits["max_tokens"].form:
        limits = {**limits, "max_tokens": OFF}
    request: Request = {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Which?"}],
        "temperature": 0.5,
        "seed": 1,
        "logprobs": True,
        "top_logprobs": 10,
        "max_tokens": 1,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "V", "schema": {"type": "object"}},
        },
    }
    request = {name: value for name, value in request.items() if name not in drop}
    before = json.dumps(request)
    shaped = Dialect(limits=limits).shape(request)
    assert json.dumps(request) == before
    words = json.dumps(shaped["messages"])
    assert "Be brief." in words
    assert "Which?" in words
    for feature in FEATURES:
        if limits.get(feature.name) == OFF:
            assert not feature.uses(shaped)
