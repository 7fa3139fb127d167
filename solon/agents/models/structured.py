"""Ask a chat model once and get a checked reply: schema, bounded repair, context limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import convert_to_messages
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel

from solon.agents.models.answers import find_answer
from solon.agents.models.capabilities import Capabilities, foreign_names
from solon.agents.models.failures import ending, foreign
from solon.agents.models.features import Request, schema_in_words
from solon.agents.models.lean import (
    Completion,
    LeanChat,
    Turn,
    completion_of,
    part_scaffold,
    without_completions,
)
from solon.agents.models.logprobs import first_token, number_tokens
from solon.agents.models.tokens import count_tokens, most_tokens
from solon.agents.models.tries import OF_CALL, Tries, ask_leave
from solon.errors import CUT, WITHHELD, BadOutput, ModelUnavailable, SolonError, TooLong
from solon.store.database.storable import storable

_LONGEST_NAME = 256
"""Characters of a name that a server tells (model, request, end of the answer) which are kept."""
_SHOWN_AGAIN = 8_000
"""Characters of a bad answer that are sent back with the question after it."""
REPAIRS = 2
"""Further asks after an answer that does not follow its schema."""


@dataclass(frozen=True, slots=True)
class Reply(Completion):
    """One answer and what it took; tokens are of all asks together, repairs included. `text` is never cut or mended.

    Attributes:
        parsed: the validated object where a schema was asked for.
        attempts: asks made, repairs included.
        seconds: wall time of all asks.
        estimated: whether the server did not tell all of the tokens, so that they are estimated.
    """

    parsed: BaseModel | None = None
    attempts: int = 1
    seconds: float = 0.0
    estimated: bool = False


class UnusableOutput(BadOutput):
    """A `BadOutput` that keeps the last answer (`text`) and what the asks cost (`reply`)."""

    def __init__(self, cause: str, *, reply: Reply, next_step: str = "", kind: str = BadOutput.kind) -> None:
        super().__init__(cause, next_step=next_step)
        self.reply, self.kind = reply, kind
        self.text = reply.text


OF_NUMBERS = 5
"""Alternatives that are asked for of each token of an answer in JSON: scores are of five, and all tokens have some."""


async def ask(
    model: BaseChatModel,
    capabilities: Capabilities,
    turns: Sequence[Turn],
    *,
    schema: type[BaseModel] | None = None,
    max_tokens: int,
    temperature: float | None = None,
    seed: int | None = None,
    top_p: float | None = None,
    logprobs: bool = False,
    top_logprobs: int = 10,
    stop: list[str] | None = None,
    role: str = "",
    repairs: int = REPAIRS,
    heard: bool | None = None,
) -> Reply:
    """Ask `model` and return its checked reply, after as many repairs as the answer needs and `repairs` allows.

    Args:
        schema: what the answer must follow; None for prose.
        max_tokens: bound on the answer, in tokens.
        logprobs: ask for log probabilities where the model gives them: of the first token of prose, of the numbers of
            an answer in JSON.
        role: who asks (generator, critic, judge, ...), for tracing and for the scripted fake; it is not sent.
        repairs: further asks after an answer that does not follow `schema`.
        heard: what `LeanChat.is_heard` said here before; None where nobody asked.

    Raises:
        TooLong: prompt and `max_tokens` do not fit the context; nothing was sent.
        UnusableOutput: a `BadOutput`: after `repairs` further asks the answer still does not follow `schema`.
        ModelUnavailable, ModelRefused: as the model raises them.
    """
    begun = time.perf_counter()
    parameters: dict[str, Any] = {"max_tokens": max_tokens}
    optional = {"temperature": temperature, "seed": seed, "top_p": top_p, "stop": stop}
    parameters |= {key: value for key, value in optional.items() if value is not None}
    if logprobs and capabilities.gives_logprobs:
        parameters |= {"logprobs": True, "top_logprobs": top_logprobs if schema is None else OF_NUMBERS}
    prompt = list(turns)
    if schema is not None:
        if capabilities.json_schema:
            parameters["response_format"] = response_format(schema)
        else:
            prompt = describe_schema(prompt, schema)
    tries = OF_CALL.get() or Tries()
    for attempt in range(1, repairs + 2):
        check_fits(model, capabilities, prompt, max_tokens)
        if attempt > 1:
            await ask_leave()
        answer = await _complete(model, capabilities, prompt, parameters, role, heard)
        answer = _plain(answer, number_tokens if schema is not None else first_token)
        _count(tries, answer, model, prompt, max_tokens)
        reply = _reply(answer, attempt, tries, time.perf_counter() - begun)
        _check_ending(reply, max_tokens)
        if schema is None:
            return reply
        parsed, problem = _parse(reply, schema)
        if parsed is not None:
            return replace(reply, parsed=parsed)
        if reply.cut and capabilities.json_schema:
            break  # the server keeps to the schema, so the next answer would run out of room as well
        if attempt <= repairs:
            prompt = _ask_again(turns, prompt, reply.text or reply.calls, problem)
    raise UnusableOutput(
        f"{reply.model or 'the model'} gave no answer that keeps to the JSON schema in {attempt} tries: "
        f"{problem}",
        reply=reply,
        next_step="raise max_tokens if the answer was cut, or use a model that enforces a JSON schema",
    )


async def continue_text(
    model: BaseChatModel,
    capabilities: Capabilities,
    text: str,
    *,
    stop: Sequence[str],
    max_tokens: int,
    temperature: float,
    seed: int,
    top_p: float | None = None,
    role: str = "",
) -> Reply:
    """What `model` writes on after a text, which goes to it without its chat template. Errors are those of `ask`, and
    `ModelRefused` where it has no completion endpoint.

    Args:
        stop: the texts before which it ends.
        max_tokens: bound on what is written, in tokens.
        role: who asks, for the scripted fake; it is not sent.
    """
    begun = time.perf_counter()
    tries = OF_CALL.get() or Tries()
    prompt = [("user", text)]
    check_fits(model, capabilities, prompt, max_tokens)
    if not isinstance(model, LeanChat):
        raise without_completions(type(model).__name__)
    optional = {"top_p": top_p, "stop": list(stop) or None}
    answer = await model.continue_text(
        text,
        role=role,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        **{key: value for key, value in optional.items() if value is not None},
    )
    answer = _plain(answer, first_token)
    _count(tries, answer, model, prompt, max_tokens)
    reply = _reply(answer, 1, tries, time.perf_counter() - begun)
    _check_ending(reply, max_tokens)
    return reply


def _check_ending(reply: Reply, max_tokens: int) -> None:
    """Raise where the way in which an answer ended says that it is none.

    Raises:
        UnusableOutput: it was withheld, or its room was used up before it began.
        ModelUnavailable: it broke off.
    """
    how, name = ending(reply.finish_reason), reply.model or "the model"
    if how == "failed":
        raise ModelUnavailable(
            f"the answer of {name} broke off: finish_reason is {reply.finish_reason!r:.80}",
            next_step="run `solon resume` later",
        )
    if how == "withheld":
        beside = "\n\n".join(part for part in (reply.reasoning, reply.text) if part)
        raise UnusableOutput(
            f"{name} withheld its answer: finish_reason is {reply.finish_reason!r:.80}",
            reply=replace(reply, text="", reasoning=beside),
            kind=WITHHELD,
        )
    if how == "cut" and not reply.text.strip() and not reply.calls:
        raise UnusableOutput(
            f"{name} used up max_tokens = {max_tokens} with reasoning, before its answer began",
            reply=reply,
            kind=CUT,
        )


async def _complete(
    model: BaseChatModel,
    capabilities: Capabilities,
    prompt: list[Turn],
    given: dict[str, Any],
    role: str,
    heard: bool | None,
) -> Completion:
    """The boundary to chat models: whatever others than ours raise comes out as a `ModelError`, and a model's own
    scaffold ends here."""
    if isinstance(model, LeanChat):
        return part_scaffold(await model.complete(prompt, role=role, heard=heard, **given))
    name = str(getattr(model, "model", None) or getattr(model, "model_name", None) or type(model).__name__)
    config: RunnableConfig | None = {"metadata": {"role": role}} if role else None

    async def post(request: Request) -> Completion:
        named = {key: value for key, value in request.items() if key != "messages"}
        try:
            answer = await model.ainvoke(
                convert_to_messages(request["messages"]), config, **foreign_names(model._llm_type, named)
            )
            return completion_of(answer)
        except SolonError:
            raise
        except Exception as error:
            raise foreign(error, name) from error

    wire = [{"role": who, "content": text} for who, text in prompt]
    return part_scaffold(await capabilities.dialect.send({"messages": wire, **given}, post))


def _plain(answer: Completion, read: Callable[[Any], Any]) -> Completion:
    """The answer with names that are short texts and what can be read of its log probabilities; of what a server tells
    otherwise, nothing is known."""
    return Completion(
        text=answer.text,
        logprobs=read(answer.logprobs) if answer.logprobs else None,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        model=_name(answer.model),
        finish_reason=_name(answer.finish_reason),
        request_id=_name(answer.request_id),
        calls=answer.calls,
        reasoning=answer.reasoning,
        cached_tokens=answer.cached_tokens,
    )


def _name(value: object) -> str:
    return storable(value[:_LONGEST_NAME]) if isinstance(value, str) else ""


def check_fits(
    model: BaseChatModel,
    capabilities: Capabilities,
    turns: Sequence[Turn],
    max_tokens: int,
) -> None:
    """Raise `TooLong` unless prompt and answer fit the context. Prompts that are short enough in bytes are not
    even counted."""
    context = capabilities.context
    if context is None or most_tokens([text for _, text in turns]) + max_tokens <= context:
        return
    tokens = count_tokens(model, convert_to_messages(list(turns)))
    if tokens + max_tokens > context:
        raise TooLong(
            f"the prompt has {tokens} tokens and the answer needs room for {max_tokens}, but the context is {context}",
            next_step="shorten the seed, lower max_tokens, or take a model with a longer context",
        )


@lru_cache(maxsize=128)
def _strict_schema(schema: type[BaseModel]) -> dict[str, Any]:
    strict: dict[str, Any] = _tighten(schema.model_json_schema())
    return strict


def response_format(schema: type[BaseModel]) -> dict[str, Any]:
    """`schema` as OpenAI's `response_format`, in the form that its strict mode wants.

    Objects are closed and every property is required, so that a model cannot leave one out. What a server does not
    enforce, pydantic finds afterwards.
    """
    return {
        "type": "json_schema",
        "json_schema": {"name": schema.__name__, "schema": _strict_schema(schema), "strict": True},
    }


def _tighten(node: Any) -> Any:
    if isinstance(node, list):
        return [_tighten(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    tight: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("properties", "$defs"):
            tight[key] = {name: _tighten(entry) for name, entry in value.items()}
        elif key not in ("title", "default"):
            tight[key] = value if key in ("enum", "const", "required") else _tighten(value)
    if "properties" in tight:
        tight["required"] = list(tight["properties"])
        tight["additionalProperties"] = False
    return tight


def describe_schema(turns: Sequence[Turn], schema: type[BaseModel]) -> list[Turn]:
    """The turns with the schema in words, for a model whose server does not enforce one."""
    text = schema_in_words(schema.model_json_schema())
    (role, first), *rest = turns
    if role == "system":
        return [("system", f"{first}\n\n{text}"), *rest]
    return [("system", text), *turns]


def _reply(answer: Completion, attempt: int, tries: Tries, seconds: float) -> Reply:
    return Reply(
        text=answer.text,
        parsed=None,
        logprobs=answer.logprobs,
        input_tokens=tries.input_tokens,
        output_tokens=tries.output_tokens,
        model=answer.model,
        finish_reason=answer.finish_reason,
        request_id=answer.request_id,
        calls=answer.calls,
        reasoning=answer.reasoning,
        attempts=attempt,
        seconds=seconds,
        estimated=tries.estimated,
        cached_tokens=tries.cached_tokens,
    )


def _count(
    tries: Tries, answer: Completion, model: BaseChatModel, prompt: Sequence[Turn], max_tokens: int
) -> None:
    """Add an answer's tokens: as the server tells them (a text of no tokens is not told), else estimated. An answer
    that was cut has used up its room, whatever of it is shown."""
    read, written = answer.input_tokens, answer.output_tokens
    shown = answer.text + answer.calls + answer.reasoning
    if written == 0 and shown:
        written = None
    estimated = read is None or written is None
    if read is None:
        read = count_tokens(model, convert_to_messages(list(prompt)))
    if written is None:
        written = max(count_tokens(model, shown), max_tokens if answer.cut else 0)
    tries.add(read, written, estimated=estimated, cached=answer.cached_tokens)


def _parse(reply: Reply, schema: type[BaseModel]) -> tuple[BaseModel | None, str]:
    """The validated object, and what is wrong with the answer where there is none. What a tool was called with comes
    after what was said."""
    if reply.cut:
        return None, "the answer was cut at max_tokens"
    return find_answer(f"{reply.text}\n{reply.calls}", schema)


def _ask_again(turns: Sequence[Turn], prompt: Sequence[Turn], text: str, problem: str) -> list[Turn]:
    """The first prompt, the bad answer and what is wrong with it: always one bad answer, so that it stays bounded."""
    return [
        *prompt[: len(prompt) if len(prompt) <= len(turns) + 1 else -2],
        ("assistant", text[:_SHOWN_AGAIN] or "(empty)"),
        ("user", f"This answer cannot be used: {problem}. Answer again with one valid JSON object only."),
    ]
