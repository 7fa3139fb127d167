"""A scripted fake of a chat model, for tests, examples and dry runs. It thinks nothing; its answers follow rules."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk
from pydantic import ConfigDict, Field, PrivateAttr

from solon.agents.models.lean import Completion, LeanChat
from solon.agents.models.scripted_answers import Question, answer_by_default, likeliest
from solon.agents.models.scripted_rules import Rule, Script, fill, read_script
from solon.config.sections import ModelConfig
from solon.errors import ModelRefused, ModelUnavailable, TooLong

CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Scripted:
    """An answer of the fake: text, and token -> probability of its first token where known."""

    text: str
    probabilities: Mapping[str, float] | None = None
    finish_reason: str = "stop"


class ScriptedChat(LeanChat):
    """A fake chat model: no model stands behind it, every answer is made from rules or from a hash of the call.

    The same prompt, seed and temperature give the same answer in every process; without a seed, repeating a prompt
    gives another one. `calls` and `calls_by_role` count; the script's `log` counts across processes. Failures are
    final as they come: the fake does not try again.

    Attributes:
        name: what follows `scripted:`, reported as the model's name.
        script: rules, rates and delays.
        respond: asked first, before the rules: gives text, an object (sent as JSON), an exception to raise, or None
            to leave it to the rules.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    name: str | None = "default"
    script: Script = Field(default_factory=Script)
    respond: Callable[[Question], str | dict[str, Any] | Scripted | Exception | None] | None = None

    _calls: Counter[str] = PrivateAttr(default_factory=Counter)
    _made: Counter[bytes] = PrivateAttr(default_factory=Counter)
    _used: Counter[int] = PrivateAttr(default_factory=Counter)

    @property
    def _llm_type(self) -> str:
        return "solon-scripted-fake"

    @property
    def calls(self) -> int:
        """How many calls reached this object."""
        return self._calls.total()

    @property
    def calls_by_role(self) -> dict[str, int]:
        """How many calls reached this object, by the role that asked."""
        return dict(self._calls)

    async def continue_text(self, text: str, *, role: str = "", **kwargs: Any) -> Completion:
        """What the rules answer to the text alone."""
        return await self.complete([("user", text)], role=role, **kwargs)

    async def _answer(
        self,
        messages: Sequence[BaseMessage],
        stop: list[str] | None,
        metadata: Mapping[str, Any],
        **kwargs: Any,
    ) -> list[AIMessage]:
        samples = kwargs.pop("n", 1) or 1
        return [
            await self._answer_once(messages, stop, metadata, kwargs, sample) for sample in range(samples)
        ]

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        whole = (await self._agenerate(messages, stop, run_manager, **kwargs)).generations[0].message
        words = str(whole.content).split(" ")
        for position, word in enumerate(words):
            text = word if position == 0 else f" {word}"
            if run_manager is not None:
                await run_manager.on_llm_new_token(text)
            yield ChatGenerationChunk(message=AIMessageChunk(content=text))
        usage = whole.usage_metadata if isinstance(whole, AIMessage) else None
        last = AIMessageChunk(content="", usage_metadata=usage, response_metadata=whole.response_metadata)
        yield ChatGenerationChunk(message=last)

    async def _answer_once(
        self,
        messages: Sequence[BaseMessage],
        stop: list[str] | None,
        metadata: Mapping[str, Any],
        kwargs: Mapping[str, Any],
        sample: int,
    ) -> AIMessage:
        question = self._read(messages, str(metadata.get("role", "")), kwargs, sample)
        self._calls[question.role] += 1
        self._log(question)
        response = self.respond(question) if self.respond is not None else None
        if isinstance(response, Exception):
            raise response
        if isinstance(response, dict):
            response = json.dumps(response, ensure_ascii=False)
        answer = Scripted(response) if isinstance(response, str) else response
        rule, groups = (None, {}) if answer is not None else self._rule_for(question)
        await self._wait((rule.latency if rule is not None else 0.0) + self.script.latency)
        failure = (rule.fail if rule is not None else None) or (
            self._chance(question) if rule is None else None
        )
        if failure in ("timeout", "unavailable", "rate_limit", "refused", "too_long"):
            raise _failure(failure, self.name or "")
        if answer is None:
            answer = self._by_rule(rule, groups, question)
        if failure is not None:
            answer = _spoiled(failure, answer)
        return self._message(_stopped(answer, stop), question)

    def _read(
        self, messages: Sequence[BaseMessage], role: str, kwargs: Mapping[str, Any], sample: int
    ) -> Question:
        wanted = kwargs.get("response_format") or {}
        schema = wanted.get("json_schema", {}) if wanted.get("type") == "json_schema" else {}
        texts = tuple((m.type, m.content if isinstance(m.content, str) else str(m.text)) for m in messages)
        seed, temperature = kwargs.get("seed"), kwargs.get("temperature")
        parts = json.dumps(
            [texts, seed, temperature, role, schema.get("name"), sample, kwargs.get("max_tokens")]
        )
        key = hashlib.blake2b(parts.encode(), digest_size=12).digest()
        again = 0
        if seed is None or self.script.rates:
            again = self._made[key]
            self._made[key] += 1
        if seed is None and again:
            key = hashlib.blake2b(key + again.to_bytes(8, "big"), digest_size=12).digest()
        return Question(
            role=role,
            messages=texts,
            schema_name=schema.get("name", ""),
            schema=schema.get("schema"),
            max_tokens=kwargs.get("max_tokens") or 512,
            logprobs=bool(kwargs.get("logprobs")),
            seed=seed,
            temperature=temperature,
            key=key,
            again=again,
        )

    def _rule_for(self, question: Question) -> tuple[Rule | None, Mapping[str, str]]:
        for number, rule in enumerate(self.script.rules):
            if rule.times is not None and self._used[number] >= rule.times:
                continue
            groups = rule.fits(question.role, question.prompt, question.schema_name)
            if groups is None or (rule.rate < 1 and question.share(f"rule {number}") >= rule.rate):
                continue
            self._used[number] += 1
            return rule, groups
        return None, {}

    def _chance(self, question: Question) -> str | None:
        """At most one failure a call; the rates add up."""
        share = question.share("rates")
        for failure, rate in self.script.rates.items():
            if share < rate:
                return failure
            share -= rate
        return None

    def _by_rule(self, rule: Rule | None, groups: Mapping[str, str], question: Question) -> Scripted:
        if rule is not None and rule.probabilities is not None:
            return Scripted(likeliest(rule.probabilities), rule.probabilities, rule.finish_reason)
        if rule is not None and rule.answer is not None:
            answer = rule.answer
            if isinstance(answer, list):
                answer = random.Random(question.key).choice(answer)
            values = {
                "role": question.role,
                "seed": question.seed,
                "temperature": question.temperature,
                **groups,
            }
            return Scripted(fill(answer, values), None, rule.finish_reason)
        if rule is None and self.script.otherwise == "refuse":
            raise ModelRefused(
                f"scripted:{self.name} has no rule for this {question.role or 'unnamed'} call",
                next_step="add a rule that fits, or set otherwise to default",
            )
        text, probabilities = answer_by_default(
            question, split=self.script.otherwise == "split", leanings=self.script.leanings
        )
        return Scripted(text, probabilities)

    def _message(self, found: Scripted, question: Question) -> AIMessage:
        room = question.max_tokens * CHARS_PER_TOKEN
        text, finish = found.text, found.finish_reason
        if len(text) > room:
            text, finish = text[:room], "length"
        prompt, answer = _tokens(question.prompt), _tokens(text)
        about: dict[str, Any] = {
            "model_name": f"scripted:{self.name}",
            "finish_reason": finish,
            "request_id": f"scripted-{question.key.hex()}",
        }
        if question.logprobs:
            about["logprobs"] = _logprobs(text, found.probabilities)
        usage = UsageMetadata(input_tokens=prompt, output_tokens=answer, total_tokens=prompt + answer)
        return AIMessage(content=text, usage_metadata=usage, response_metadata=about)

    def _log(self, question: Question) -> None:
        if self.script.log is None:
            return
        line = json.dumps(
            {
                "role": question.role,
                "schema": question.schema_name,
                "key": question.key.hex(),
                "pid": os.getpid(),
            }
        )
        # One write to a file opened for appending: lines of several processes do not mix.
        file = os.open(self.script.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line.encode() + b"\n")
        finally:
            os.close(file)

    async def _wait(self, seconds: float) -> None:
        # Even at no latency the call gives way once, as a real one does.
        await asyncio.sleep(seconds)


def make_scripted(config: ModelConfig) -> ScriptedChat:
    """The scripted fake that `scripted:NAME` stands for; `options` override what the file says.

    Raises:
        ConfigError: no such file, or not a script.
    """
    return ScriptedChat(name=config.name, script=read_script(config.name, config.options))


def _tokens(text: str) -> int:
    return len(text) // CHARS_PER_TOKEN + 1


def _failure(kind: str, name: str) -> Exception:
    where = f"scripted:{name}"
    if kind == "refused":
        return ModelRefused(f"{where} refuses on purpose (HTTP 400)")
    if kind == "too_long":
        return TooLong(f"{where} says on purpose that the prompt does not fit")
    reason = {"timeout": "nothing came in time", "rate_limit": "HTTP 429"}.get(kind, "HTTP 503")
    return ModelUnavailable(f"{where} fails on purpose: {reason}")


def _spoiled(kind: str, found: Scripted) -> Scripted:
    if kind == "empty":
        return Scripted("")
    half = found.text[: max(1, len(found.text) // 2)]
    if kind == "cut":
        return Scripted(half, None, "length")
    return Scripted(f"\u0000\ufffd]}}]{half[::-1].replace('{', '(')}", None)


def _stopped(found: Scripted, stop: list[str] | None) -> Scripted:
    ends = [found.text.index(mark) for mark in stop or () if mark in found.text]
    return Scripted(found.text[: min(ends)], found.probabilities, "stop") if ends else found


def _logprobs(text: str, probabilities: Mapping[str, float] | None) -> dict[str, Any]:
    known = {token: math.log(max(p, 1e-9)) for token, p in (probabilities or {}).items()}
    first = text if text in known else text.split(" ", 1)[0][:16]
    top = sorted(known.items(), key=lambda pair: -pair[1]) or [(first, 0.0)]
    alternatives = [{"token": token, "logprob": logprob} for token, logprob in top]
    content = [{"token": first, "logprob": dict(top).get(first, 0.0), "top_logprobs": alternatives}]
    rest = text[len(first) :]
    if rest:
        content.append({"token": rest, "logprob": 0.0, "top_logprobs": []})
    return {"content": content}
