"""How many tokens a prompt takes: exact where the model can tell, else an estimate that errs upwards."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from langchain_core.messages import BaseMessage

_SIGNS = re.compile(r"[!-@\[-`{-~]")
PER_MESSAGE = 8
"""Tokens of a chat template around one message (role, start and end marks); 3 to 7 in the common templates."""


@runtime_checkable
class CountsTokens(Protocol):
    """A model that knows its own tokenizer and chat template."""

    def tokens_in(self, text_or_messages: str | Sequence[BaseMessage]) -> int:
        """How many tokens the model's own tokenizer makes of a text, or of messages in its chat template."""


def count_tokens(model: object, text_or_messages: str | Sequence[BaseMessage]) -> int:
    """Tokens of a text, or of messages with the chat template around them.

    Exact for models in process; else `estimate_tokens` per text plus `PER_MESSAGE`.
    """
    if isinstance(model, CountsTokens):
        return model.tokens_in(text_or_messages)
    if isinstance(text_or_messages, str):
        return estimate_tokens(text_or_messages)
    return sum(estimate_tokens(str(message.text)) + PER_MESSAGE for message in text_or_messages)


def estimate_tokens(text: str) -> int:
    """How many tokens a text probably has, deliberately too many rather than too few: 3 ASCII letters or spaces
    a token, digits and signs one each, else 1.5 UTF-8 bytes a token.

    Against the tokenizers of SmolLM2 and Qwen2.5 on 250 English instructions: 1.2 to 2.5 times the true
    count, in the middle 1.7. High is the safe side, since some servers cut what is too long without a word.
    """
    signs = len(_SIGNS.findall(text))
    if text.isascii():
        return math.ceil((len(text) - signs) / 3 + signs)
    plain = sum(character < "\x80" for character in text)
    other = len(text.encode("utf-8", "replace")) - plain
    return math.ceil((plain - signs) / 3 + signs + other / 1.5)


def most_tokens(texts: Sequence[str]) -> int:
    """A number of tokens that no byte-level tokenizer exceeds on messages of these texts: one token a byte, and
    the template's marks."""
    return sum(_bytes(text) + 4 * PER_MESSAGE for text in texts)


_NAMES = (
    ("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_eval_count"),
    ("completion_tokens", "output_tokens", "candidatesTokenCount", "eval_count", "generated_tokens"),
    ("total_tokens", "totalTokenCount"),
)
"""What servers call the tokens of the prompt, of the answer and of both."""
_BESIDES = ("cache_creation_input_tokens", "cache_read_input_tokens")
"""Tokens of a prompt that Anthropic does not count into `input_tokens`."""
_CACHED = (
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("input_token_details", "cache_read"),
    ("", "cache_read_input_tokens"),
)
_MOST_TOKENS = 2**31 - 1


def read_usage(usage: Any) -> tuple[int | None, int | None]:
    """The tokens of prompt and answer that a server tells, under whatever names; None for what is no number.

    A prompt of no tokens is not told: there is none. Of a total and one part the other part follows.
    """
    if not isinstance(usage, Mapping):
        return None, None
    prompt, answer, total = (_first_count(usage, names) for names in _NAMES)
    if prompt and "input_tokens" in usage and "total_tokens" not in usage:
        prompt += sum(read_count(usage.get(name)) or 0 for name in _BESIDES)
    if total and not prompt and answer is not None:
        prompt = total - answer
    elif total and prompt and answer is None:
        answer = total - prompt
    prompt = prompt if prompt and prompt > 0 else None
    return prompt, answer if answer is not None and answer >= 0 else None


def _first_count(usage: Mapping[str, Any], names: Sequence[str]) -> int | None:
    for name in names:
        if (count := read_count(usage.get(name))) is not None:
            return count
    return None


def read_cached(usage: Any) -> int:
    """Those of the prompt's tokens that a server says it has read from its cache, in the words of OpenAI, LangChain or
    Anthropic; 0 where it tells none."""
    if not isinstance(usage, Mapping):
        return 0
    for holder, name in _CACHED:
        details = usage.get(holder) if holder else usage
        if isinstance(details, Mapping) and (count := read_count(details.get(name))):
            return count
    return 0


def read_count(value: Any) -> int | None:
    """A number of tokens as a server writes it: whole, as a float or as text; None where it is none."""
    if type(value) is int and 0 <= value <= _MOST_TOKENS:
        return value
    if isinstance(value, str):
        value = (
            int(value) if value.strip().isascii() and value.strip().isdigit() and len(value) < 12 else None
        )
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _MOST_TOKENS:
        return None
    return math.ceil(value)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
