"""Asking: schema, repair, context limit, log probabilities, and the boundary to other libraries' models."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

import pytest
from fake_openai_server import answering, completion, serving
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, convert_to_messages
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import BaseModel, Field

from solon.agents.models.capabilities import Capabilities
from solon.agents.models.logprobs import label_shares
from solon.agents.models.scripted import Scripted, ScriptedChat
from solon.agents.models.scripted_answers import Question
from solon.agents.models.structured import (
    Reply,
    UnusableOutput,
    ask,
    response_format,
)
from solon.agents.models.tokens import count_tokens, estimate_tokens, most_tokens
from solon.errors import BadOutput, ModelRefused, ModelUnavailable, TooLong

FULL = Capabilities(json_schema=True, logprobs=True, context=None, default_concurrency=4)
BARE = Capabilities(json_schema=False, logprobs=False, context=None, default_concurrency=4)
PROMPT = [("system", "You judge."), ("user", "Which is better?")]


class Detail(BaseModel):
    note: str = ""


class Verdict(BaseModel):
    """A verdict."""

    verdict: Literal["A", "B", "tie"]
    confidence: float = Field(default=0.5, ge=0, le=1)
    details: list[Detail] = Field(default_factory=list, max_length=2)


class Fake:
    """Answers in turn, and keeps the questions."""

    def __init__(self, *answers: str | Scripted | Exception) -> None:
        self.left = list(answers)
        self.questions: list[Question] = []
        self.chat = ScriptedChat(respond=self)

    def __call__(self, question: Question) -> str | Scripted | Exception:
        self.questions.append(question)
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]

    def ask(self, capabilities: Capabilities = FULL, **kwargs: Any) -> Reply:
        return asyncio.run(ask(self.chat, capabilities, PROMPT, **{"max_tokens": 100, **kwargs}))


def test_prose_comes_as_it_is() -> None:
    reply = Fake(" two\nlines ").ask(temperature=0.2, seed=3)
    assert (reply.text, reply.parsed, reply.attempts, reply.cut) == (" two\nlines ", None, 1, False)
    assert reply.model == "scripted:default"
    assert reply.input_tokens is not None
    assert reply.seconds >= 0


def test_cut_prose_is_kept_and_flagged() -> None:
    reply = Fake("x" * 100).ask(max_tokens=5)
    assert reply.cut
    assert len(reply.text) == 20


def test_a_schema_goes_to_a_server_that_enforces_it() -> None:
    fake = Fake('{"verdict": "A", "confidence": 0.9, "details": []}')
    reply = fake.ask(schema=Verdict)
    assert reply.parsed == Verdict(verdict="A", confidence=0.9)
    assert fake.questions[0].schema_name == "Verdict"
    assert len(fake.questions[0].messages) == 2


def test_else_it_goes_into_the_prompt() -> None:
    fake = Fake('Sure!\n```json\n{"verdict": "B"}\n```\nOn second thought {"verdict": "A"}')
    reply = fake.ask(BARE, schema=Verdict)
    assert reply.parsed == Verdict(verdict="A")
    question = fake.questions[0]
    assert question.schema is None
    assert question.system.startswith("You judge.")
    assert '"verdict"' in question.system


@pytest.mark.parametrize("capabilities", [FULL, BARE])
@pytest.mark.parametrize("bad", ["no idea", '{"verdict": "C"}', '["A"]', '{"verdict": "A', ""])
def test_a_bad_answer_is_repaired(capabilities: Capabilities, bad: str) -> None:
    fake = Fake(bad, '{"verdict": "tie"}')
    reply = fake.ask(capabilities, schema=Verdict)
    assert reply.parsed == Verdict(verdict="tie")
    assert reply.attempts == 2
    kinds = [kind for kind, _ in fake.questions[1].messages]
    assert kinds == ["system", "human", "ai", "human"]
    assert "cannot be used" in fake.questions[1].messages[-1][1]
    assert reply.output_tokens == len(bad) // 4 + 1 + 5


@pytest.mark.parametrize("capabilities", [FULL, BARE])
def test_repair_is_bounded_and_keeps_the_last_answer(capabilities: Capabilities) -> None:
    fake = Fake("first", "second", '{"verdict": "maybe"}')
    with pytest.raises(BadOutput, match="verdict: Input should be 'A', 'B' or 'tie'") as caught:
        fake.ask(capabilities, schema=Verdict)
    assert isinstance(caught.value, UnusableOutput)
    assert caught.value.text == '{"verdict": "maybe"}'
    assert caught.value.reply.attempts == 3
    assert len(fake.questions) == 3
    # Only the latest bad answer is shown again, so the prompt does not grow with each repair.
    assert [kind for kind, _ in fake.questions[2].messages] == ["system", "human", "ai", "human"]
    assert fake.questions[2].messages[2][1] == "second"


def test_a_cut_answer_is_no_answer_even_if_it_parses() -> None:
    fake = Fake(Scripted('{"verdict": "A"}', None, "length"))
    with pytest.raises(BadOutput, match="cut at max_tokens"):
        fake.ask(schema=Verdict)


def test_what_would_not_fit_is_not_sent() -> None:
    small = Capabilities(json_schema=True, logprobs=True, context=256, default_concurrency=1)
    fake = Fake("x")
    long = [("user", "word " * 300)]
    with pytest.raises(TooLong, match="the context is 256"):
        asyncio.run(ask(fake.chat, small, long, max_tokens=10))
    with pytest.raises(TooLong):
        asyncio.run(ask(fake.chat, small, PROMPT, max_tokens=250))
    assert fake.chat.calls == 0


def test_errors_of_the_model_pass_through() -> None:
    with pytest.raises(ModelUnavailable, match="busy"):
        Fake(ModelUnavailable("busy")).ask(schema=Verdict)


def test_log_probabilities_only_where_the_model_has_them() -> None:
    answer = Scripted("B", {"A": 0.25, "B": 0.75})
    reply = Fake(answer).ask(max_tokens=1, logprobs=True)
    found = label_shares(reply.logprobs)
    assert found is not None
    assert found.shares == pytest.approx({"A": 0.25, "B": 0.75}, abs=1e-5)
    assert Fake(answer).ask(BARE, max_tokens=1, logprobs=True).logprobs is None


def test_the_strict_form_of_a_schema() -> None:
    sent = response_format(Verdict)["json_schema"]
    assert sent["strict"] is True
    schema = sent["schema"]
    assert schema["required"] == ["verdict", "confidence", "details"]
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Detail"]["required"] == ["note"]
    assert "default" not in json.dumps(schema)
    assert response_format(Verdict)["json_schema"]["schema"] is schema  # made once


def test_estimates_err_upwards_but_not_wildly() -> None:
    english = "The quick brown fox jumps over the lazy dog, and nobody in the village seems to mind. " * 20
    assert len(english) / 4.5 < estimate_tokens(english) <= len(english) / 2.5
    assert estimate_tokens("日本語") >= 3
    assert estimate_tokens("") == 0
    assert estimate_tokens("\ud800") >= 1
    assert most_tokens([english]) >= estimate_tokens(english)
    messages = convert_to_messages(PROMPT)
    assert count_tokens(ScriptedChat(), messages) >= count_tokens(ScriptedChat(), messages[1:])


class Foreign(BaseChatModel):
    """A chat model of another library."""

    error: Any = None
    seen: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "anthropic-chat"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.seen.append(kwargs)
        if self.error is not None:
            raise self.error
        message = AIMessage("fine", response_metadata={"stop_reason": "max_tokens", "model": "claude"})
        return ChatResult(generations=[ChatGeneration(message=message)])


class HttpError(Exception):
    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status_code = status


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (HttpError(429, "slow down"), ModelUnavailable),
        (HttpError(503), ModelUnavailable),
        (TimeoutError(), ModelUnavailable),
        (ConnectionResetError(), ModelUnavailable),
        (HttpError(400, "prompt is too long: 9 > 8"), TooLong),
        (HttpError(401, "bad key"), ModelRefused),
        (ValueError("what?"), ModelRefused),
    ],
)
def test_other_libraries_errors_come_out_as_ours(error: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected) as caught:
        asyncio.run(ask(Foreign(error=error), BARE, PROMPT, max_tokens=9))
    assert caught.value.next_step or expected is TooLong  # type: ignore[attr-defined]


def test_other_libraries_models_work_and_get_only_what_they_know() -> None:
    model = Foreign()
    reply = asyncio.run(ask(model, BARE, PROMPT, max_tokens=9, seed=4, temperature=0.1))
    assert (reply.text, reply.model, reply.cut) == ("fine", "claude", True)
    assert reply.estimated
    assert reply.input_tokens > 0
    assert reply.output_tokens == 9, "it was cut: its room is used up"
    assert model.seen[0]["max_tokens"] == 9
    assert "seed" not in model.seen[0]


def test_the_whole_way_over_http() -> None:
    async def scene() -> None:
        async with serving(answering(completion('{"verdict": "B"}'))) as server:
            chat = server.chat()
            reply = await ask(chat, FULL, PROMPT, schema=Verdict, max_tokens=50, role="judge", seed=1)
            assert reply.parsed == Verdict(verdict="B")
            assert reply.request_id == "req-9"
            sent = server.requests[0]
            assert sent["response_format"]["json_schema"]["name"] == "Verdict"
            assert "role" not in sent
            assert "metadata" not in sent
            await chat.aclose()

    asyncio.run(scene())
