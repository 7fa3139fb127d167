"""The base of Solon's own chat models: LangChain's interface at little more than the cost of the call itself.

`BaseChatModel.ainvoke` prepares tracing, caches and rate limits for every call. When nobody listens (no
callback, no tracer, no global cache) a `LeanChat` goes straight to the answer; as soon as somebody does, the
ordinary path runs. Solon's own agents ask with `complete`, which does without LangChain's messages too.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, convert_to_messages
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

from solon.agents.models.tokens import read_usage
from solon.sync import run_sync

Turn = tuple[str, str]
"""Role (system, user, assistant) and text: LangChain's own short form of a message."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer of a chat model, as the agents need it.

    Attributes:
        text: the answer itself.
        logprobs: per token, in OpenAI's shape: `{"token", "logprob", "top_logprobs": [...]}`; None without
            any.
        input_tokens: tokens of the prompt; None where the model does not tell.
        output_tokens: tokens of the answer; None where the model does not tell.
        model: the name that the server gives the model; empty where it gives none.
        finish_reason: why the answer ended (`stop`, `length`, ...); empty where the model does not tell.
        request_id: the server's id of the request; empty without one.
    """

    text: str
    logprobs: list[dict[str, Any]] | None
    input_tokens: int | None
    output_tokens: int | None
    model: str
    finish_reason: str
    request_id: str

    @property
    def cut(self) -> bool:
        """Whether the answer ended because it ran into `max_tokens`."""
        return self.finish_reason in ("length", "max_tokens")


def completion_of(message: AIMessage) -> Completion:
    """A LangChain answer as a `Completion`."""
    about = message.response_metadata
    input_tokens, output_tokens = read_usage(message.usage_metadata)
    logprobs = about.get("logprobs")
    return Completion(
        text=message.content if isinstance(message.content, str) else str(message.text),
        logprobs=logprobs.get("content") if isinstance(logprobs, dict) else None,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        model=str(about.get("model_name") or about.get("model") or ""),
        finish_reason=str(about.get("finish_reason") or about.get("stop_reason") or ""),
        request_id=str(about.get("request_id") or about.get("id") or ""),
    )


class LeanChat(BaseChatModel):
    """Base of Solon's own chat models: a subclass gives `_answer`; everything else follows from it."""

    cache: bool | None = False  # samples differ on purpose; Solon keeps a journal of its own

    @abstractmethod
    async def _answer(
        self,
        messages: Sequence[BaseMessage],
        stop: list[str] | None,
        metadata: Mapping[str, Any],
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Answer once (or `n` times); failures are `solon.errors.ModelError`."""

    async def complete(
        self, turns: Sequence[Turn], *, role: str = "", heard: bool | None = None, **kwargs: Any
    ) -> Completion:
        """Answer once, by the shortest way that anybody who listens allows.

        Args:
            turns: role and text of each message.
            role: who asks, for tracing and for fakes; it is not sent.
            heard: what `is_heard` said, where the caller asked it before; None: ask it now.
        """
        if self.is_heard() if heard is None else heard:
            config: RunnableConfig | None = {"metadata": {"role": role}} if role else None
            return completion_of(await self.ainvoke(list(turns), config, **kwargs))
        return await self._complete(turns, role, kwargs.pop("stop", None), **kwargs)

    async def _complete(
        self, turns: Sequence[Turn], role: str, stop: list[str] | None, **kwargs: Any
    ) -> Completion:
        messages = convert_to_messages(list(turns))
        return completion_of((await self._answer(messages, stop, {"role": role}, **kwargs))[0])

    def is_heard(self, config: RunnableConfig | None = None) -> bool:
        """Whether anybody listens to this model's calls here, so that LangChain's ordinary path must run."""
        if self.rate_limiter is not None or self.cache or self.output_version == "v1":
            return True
        callbacks = (config or ensure_config(None)).get("callbacks")
        return bool(AsyncCallbackManager.configure(callbacks, self.callbacks, self.verbose).handlers)

    async def aclose(self) -> None:
        """Release what this model holds in the running event loop. It may be used again afterwards."""

    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """One answer, as LangChain's `ainvoke` gives it; without its ceremony where nobody listens."""
        settled = ensure_config(config)
        plain = isinstance(input, list) and all(isinstance(message, BaseMessage) for message in input)
        if not plain or kwargs.get("stream") or self.is_heard(settled):
            return await super().ainvoke(input, config, stop=stop, **kwargs)
        return (await self._answer(input, stop, settled["metadata"], **kwargs))[0]  # type: ignore[arg-type]

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        metadata = run_manager.metadata if run_manager is not None else {}
        answers = await self._answer(messages, stop, metadata, **kwargs)
        return ChatResult(generations=[ChatGeneration(message=answer) for answer in answers])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        metadata = run_manager.metadata if run_manager is not None else {}

        async def once() -> ChatResult:
            try:
                answers = await self._answer(messages, stop, metadata, **kwargs)
            finally:
                await self.aclose()
            return ChatResult(generations=[ChatGeneration(message=answer) for answer in answers])

        return run_sync(once())
