"""What a chat model can do, known per provider and overridable by configuration. Imports no model library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from solon.agents.models.features import Dialect
from solon.config.sections import ModelConfig


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What callers may ask of a model.

    Attributes:
        json_schema: the server enforces a JSON schema given as OpenAI's `response_format`.
        logprobs: answers can carry log probabilities per token.
        context: window in tokens for prompt and answer together; None where nobody told.
        default_concurrency: calls in flight that suit the provider when the configuration names no number.
        continues: it has a completion endpoint, which writes a text on as it stands, without the chat template.
        dialect: what the model turned out not to take.
    """

    json_schema: bool
    logprobs: bool
    context: int | None
    default_concurrency: int
    continues: bool = False
    dialect: Dialect = field(default_factory=Dialect, compare=False, repr=False)

    @property
    def gives_logprobs(self) -> bool:
        """Whether answers can carry log probabilities, as far as is known by now."""
        return self.logprobs and not self.dialect.lacks("logprobs")


BUILTIN_CONTEXT = 4096
BATCH_WIDTH = 1000
"""Items in flight where a model is asked by the batch API, unless configured: each step of an item is a wait of its
own, so that as many items as possible should take it together."""
COMPLETES = (
    "name a model of llama.cpp (builtin:, gguf:) or of a server that has one, such as vLLM, by base_url"
)
"""The next step where a text cannot be written on."""

_KNOWN: dict[str, Capabilities] = {
    "openai": Capabilities(
        json_schema=True, logprobs=True, context=None, default_concurrency=64, continues=True
    ),
    "ollama": Capabilities(json_schema=True, logprobs=False, context=None, default_concurrency=4),
    "builtin": Capabilities(
        json_schema=True, logprobs=True, context=BUILTIN_CONTEXT, default_concurrency=8, continues=True
    ),
    "gguf": Capabilities(
        json_schema=True, logprobs=True, context=BUILTIN_CONTEXT, default_concurrency=4, continues=True
    ),
    "vllm": Capabilities(json_schema=True, logprobs=True, context=None, default_concurrency=128),
    "scripted": Capabilities(
        json_schema=True, logprobs=True, context=32_768, default_concurrency=64, continues=True
    ),
}
_ELSEWHERE = Capabilities(json_schema=False, logprobs=False, context=None, default_concurrency=16)


def capabilities_of(config: ModelConfig) -> Capabilities:
    """What a configured model can do: what its provider is known for, overridden by what the configuration
    says."""
    known = _KNOWN.get(config.provider, _ELSEWHERE)
    return replace(
        known,
        json_schema=known.json_schema if config.json_schema is None else config.json_schema,
        logprobs=known.logprobs if config.logprobs is None else config.logprobs,
        context=config.context or known.context,
        default_concurrency=config.concurrency
        or config.options.get("max_num_seqs")  # what vLLM's engine works on at once
        or (BATCH_WIDTH if config.batch else known.default_concurrency),
        continues=known.continues and (config.provider != "openai" or not _is_openai(config.base_url)),
        dialect=Dialect(config.model),
    )


def _is_openai(base_url: str | None) -> bool:
    """Whether calls go to OpenAI itself, whose chat models have no completion endpoint."""
    return base_url is None or "//api.openai.com" in base_url


_NAMES: dict[str, dict[str, str]] = {
    "anthropic-chat": {"seed": ""},
    "chat-google-generative-ai": {"max_tokens": "max_output_tokens"},
    "amazon_bedrock_converse_chat": {"seed": ""},
    "mistralai-chat": {"seed": "random_seed"},
}


def foreign_names(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of one call under the names that a LangChain model of this kind (its `_llm_type`) takes;
    those that it does not take are left out."""
    names = _NAMES.get(kind, {})
    renamed = {names.get(name, name): value for name, value in given.items()}
    renamed.pop("", None)
    return renamed
