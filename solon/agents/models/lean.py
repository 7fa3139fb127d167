"""A chat model without ceremony: LangChain's interface at the cost of the call itself.

`BaseChatModel.ainvoke` prepares tracing, caches and rate limits for every call. When nobody listens (no callback, no
tracer, no global cache) a `LeanChat` goes straight to the answer; as soon as somebody does, the ordinary path runs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

from solon.edge import run_sync


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

    async def aclose(self) -> None:
        """Give back what this model holds in the running event loop. It may be used again afterwards."""

    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        settled = ensure_config(config)
        if not isinstance(input, list) or not self._unobserved(input, settled, kwargs):
            return await super().ainvoke(input, config, stop=stop, **kwargs)
        return (await self._answer(input, stop, settled["metadata"], **kwargs))[0]

    def _unobserved(self, messages: list[Any], config: RunnableConfig, kwargs: Mapping[str, Any]) -> bool:
        if self.rate_limiter is not None or self.cache or kwargs.get("stream") or self.output_version == "v1":
            return False
        if not all(isinstance(message, BaseMessage) for message in messages):
            return False
        manager = AsyncCallbackManager.configure(config.get("callbacks"), self.callbacks, self.verbose)
        return not manager.handlers

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
