"""How many tokens a prompt takes: exact where the model can tell, else an estimate that errs upwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from langchain_core.messages import BaseMessage

PER_MESSAGE = 8
"""Tokens of a chat template around one message (role, start and end marks); 3 to 7 in the common templates."""


@runtime_checkable
class CountsTokens(Protocol):
    """A model that knows its own tokenizer and chat template."""

    def tokens_in(self, text_or_messages: str | Sequence[BaseMessage]) -> int: ...


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
    """A deliberately high guess: ASCII at 3 characters a token, everything else at 2 UTF-8 bytes a token."""
    if text.isascii():
        return math.ceil(len(text) / 3)
    plain = sum(character < "\x80" for character in text)
    return math.ceil(plain / 3 + (len(text.encode("utf-8", "replace")) - plain) / 2)


def most_tokens(text_or_messages: str | Sequence[BaseMessage]) -> int:
    """A bound that no byte-level tokenizer exceeds: one token a byte, and the template's marks."""
    if isinstance(text_or_messages, str):
        return len(text_or_messages.encode("utf-8", "replace"))
    return sum(len(str(m.text).encode("utf-8", "replace")) + 4 * PER_MESSAGE for m in text_or_messages)
