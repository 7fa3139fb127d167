"""LangChain messages to and from the JSON of OpenAI's chat completions. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    convert_to_openai_messages,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.output_parsers.openai_tools import (
    make_invalid_tool_call,
    parse_tool_call,
)
from langchain_core.outputs import ChatGenerationChunk

from solon.agents.models.answers import tool_calls
from solon.agents.models.failures import finish_reason
from solon.agents.models.lean import Completion
from solon.agents.models.scaffold import read_content, read_reasoning
from solon.agents.models.tokens import read_cached, read_count, read_usage

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ROLES: dict[type[BaseMessage], str] = {
    HumanMessage: "user",
    SystemMessage: "system",
    AIMessage: "assistant",
}


def to_wire(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Messages as OpenAI's list; plain text takes the short way, tool calls and parts LangChain's own."""
    wire: list[dict[str, Any]] = []
    for message in messages:
        role = _ROLES.get(type(message))
        content = message.content
        if role is not None and isinstance(content, str) and not getattr(message, "tool_calls", None):
            wire.append({"role": role, "content": content})
        else:
            wire.extend(_convert(message))
    return wire


def from_wire(body: Mapping[str, Any], about: Mapping[str, Any]) -> list[AIMessage]:
    """The answers of a chat completion, one message per choice; `about` is added to the metadata of each.

    Usage stands on the first message only, since the server counts all choices together.

    Raises:
        KeyError, TypeError, IndexError, ValueError: where the body is no chat completion.
    """
    usage = _usage(body.get("usage"))
    answers: list[AIMessage] = []
    for choice in sorted(body["choices"], key=lambda c: c.get("index") or 0):
        metadata = {
            **about,
            "model_name": body.get("model") or about.get("model_name", ""),
            "finish_reason": finish_reason(choice),
        }
        if choice.get("logprobs"):
            metadata["logprobs"] = choice["logprobs"]
        if body.get("system_fingerprint"):
            metadata["system_fingerprint"] = body["system_fingerprint"]
        answers.append(
            _message(
                choice["message"],
                body.get("id"),
                usage if not answers else None,
                metadata,
            )
        )
    if not answers:
        raise ValueError("it has no choices")
    return answers


def completion_from_wire(body: Mapping[str, Any], about: Mapping[str, Any]) -> Completion:
    """The first answer of a chat completion, without LangChain's message around it.

    Raises:
        KeyError, TypeError, IndexError, ValueError: where the body is no chat completion.
    """
    if not body["choices"]:
        raise ValueError("it has no choices")
    choice = min(body["choices"], key=lambda c: c.get("index") or 0)
    input_tokens, output_tokens = read_usage(body.get("usage"))
    text, reasoning = _read(choice["message"])
    return Completion(
        text=text,
        reasoning=reasoning,
        logprobs=choice.get("logprobs"),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        model=body.get("model") or about["model_name"],
        finish_reason=finish_reason(choice),
        request_id=about["request_id"],
        calls=tool_calls(choice["message"]),
        cached_tokens=read_cached(body.get("usage")),
    )


def continued_from_wire(body: Mapping[str, Any], about: Mapping[str, Any]) -> Completion:
    """The text that a completion endpoint wrote on, as it came.

    Raises:
        KeyError, TypeError, IndexError, ValueError: where the body is no completion.
    """
    choice = body["choices"][0]
    input_tokens, output_tokens = read_usage(body.get("usage"))
    if not isinstance(choice["text"], str):
        raise TypeError("its text is none")
    return Completion(
        text=choice["text"],
        logprobs=None,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        model=body.get("model") or about["model_name"],
        finish_reason=finish_reason(choice),
        request_id=about["request_id"],
        cached_tokens=read_cached(body.get("usage")),
    )


def chunk_from_wire(body: Mapping[str, Any], about: Mapping[str, Any]) -> ChatGenerationChunk | None:
    """One event of a stream; None where it carries nothing."""
    usage = _usage(body.get("usage"))
    choices = body.get("choices") or []
    if not choices:
        return (
            ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=usage)) if usage else None
        )
    choice = choices[0]
    delta = choice.get("delta") or {}
    info: dict[str, Any] = {}
    if choice.get("logprobs"):
        info["logprobs"] = choice["logprobs"]
    if choice.get("finish_reason"):
        info |= {
            **about,
            "finish_reason": choice["finish_reason"],
            "model_name": body.get("model", ""),
        }
    calls = [
        tool_call_chunk(
            name=call.get("function", {}).get("name"),
            args=call.get("function", {}).get("arguments"),
            id=call.get("id"),
            index=call.get("index"),
        )
        for call in delta.get("tool_calls") or ()
    ]
    text, reasoning = _read(delta)
    message = AIMessageChunk(
        content=text,
        additional_kwargs={"reasoning_content": reasoning} if reasoning else {},
        id=body.get("id"),
        tool_call_chunks=calls,
        usage_metadata=usage,
    )
    return ChatGenerationChunk(message=message, generation_info=info or None)


def _convert(message: BaseMessage) -> list[dict[str, Any]]:
    converted = convert_to_openai_messages([message])
    return converted if isinstance(converted, list) else [converted]


def _message(
    wire: Mapping[str, Any],
    identity: str | None,
    usage: UsageMetadata | None,
    metadata: dict[str, Any],
) -> AIMessage:
    text, reasoning = _read(wire)
    extra: dict[str, Any] = {k: wire[k] for k in ("refusal", "function_call") if wire.get(k)}
    if reasoning:
        extra["reasoning_content"] = reasoning
    calls, invalid = [], []
    for call in filter(None, map(_tool_call, wire.get("tool_calls") or ())):
        try:
            calls.append(parse_tool_call(call, return_id=True))
        except (OutputParserException, KeyError, TypeError, ValueError, RecursionError) as error:
            invalid.append(make_invalid_tool_call(call, str(error)))
    return AIMessage(
        content=text,
        id=identity,
        additional_kwargs=extra,
        tool_calls=calls,
        invalid_tool_calls=invalid,
        usage_metadata=usage,
        response_metadata=metadata,
    )


def _tool_call(wire: Any) -> dict[str, Any] | None:
    """A tool call as LangChain reads it: arguments as text, also where a server sends an object. None if it is none."""
    if not isinstance(wire, dict) or not isinstance(wire.get("function"), dict):
        return None
    return {**wire, "function": {**wire["function"], "arguments": tool_calls({"function_call": wire})}}


def _read(message: Mapping[str, Any]) -> tuple[str, str]:
    """The text of a message, and the thinking that the server has parted from it."""
    text, beside = read_content(message.get("content") or message.get("refusal"))
    return text, "\n\n".join(part for part in (read_reasoning(message), beside) if part)


def _usage(wire: Any) -> UsageMetadata | None:
    prompt, answer = read_usage(wire)
    if prompt is None or answer is None:
        return None
    usage = UsageMetadata(input_tokens=prompt, output_tokens=answer, total_tokens=prompt + answer)
    if cached := read_cached(wire):
        usage["input_token_details"] = {"cache_read": cached}
    if thought := _detail(wire, "completion_tokens_details", "reasoning_tokens"):
        usage["output_token_details"] = {"reasoning": thought}
    return usage


def _detail(wire: Mapping[str, Any], kind: str, name: str) -> int | None:
    details = wire.get(kind)
    return read_count(details.get(name)) if isinstance(details, Mapping) else None


def dump(payload: Mapping[str, Any]) -> bytes:
    """A payload as JSON bytes. Lone surrogates, which hostile text may hold, become U+FFFD instead of an error
    far below; what is no number becomes null."""
    try:
        return orjson.dumps(payload)
    except orjson.JSONEncodeError:  # surrogates, or what only Python's own JSON can write
        return spell(payload).encode()


def spell(payload: Mapping[str, Any]) -> str:
    """A payload as text of JSON, as Python's own module writes it: the names of requests in a batch are hashes of it,
    and a batch may have waited at a provider since an earlier version."""
    text: str = _encode(payload)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
