"""The base of Solon's own chat models: LangChain's interface at little more than the cost of the call itself.

`BaseChatModel.ainvoke` prepares tracing, caches and rate limits for every call. When nobody listens (no
callback, no tracer, no global cache) a `LeanChat` goes straight to the answer; as soon as somebody does, the
ordinary path runs. Solon's own agents ask with `complete`, which does without LangChain's messages too.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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

from solon.agents.models.answers import tool_calls
from solon.agents.models.capabilities import COMPLETES
from solon.agents.models.failures import ending, finish_reason
from solon.agents.models.scaffold import read_content, read_reasoning, split
from solon.agents.models.tokens import read_cached, read_usage
from solon.errors import ModelRefused
from solon.sync import run_sync

Turn = tuple[str, str]
"""Role (system, user, assistant) and text: LangChain's own short form of a message."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer of a chat model, as the agents need it.

    Attributes:
        text: the answer itself.
        logprobs: what the model told of its tokens' log probabilities, in whatever shape (`logprobs.first_token`
            reads it); None without any.
        input_tokens: tokens of the prompt; None where the model does not tell.
        output_tokens: tokens of the answer; None where the model does not tell.
        model: the name that the server gives the model; empty where it gives none.
        finish_reason: why the answer ended (`stop`, `length`, ...); empty where the model does not tell.
        request_id: the server's id of the request; empty without one.
        calls: the arguments of the tool calls that came with the text or in place of it, as text; empty without any.
        reasoning: what the model thought before it answered, and whatever else is not the answer; empty without any.
        cached_tokens: those of `input_tokens` that the provider read from its cache; 0 where it tells none.
    """

    text: str
    logprobs: Any
    input_tokens: int | None
    output_tokens: int | None
    model: str
    finish_reason: str
    request_id: str
    calls: str = field(default="", kw_only=True)
    reasoning: str = field(default="", kw_only=True)
    cached_tokens: int = field(default=0, kw_only=True)

    @property
    def cut(self) -> bool:
        """Whether the answer ended because it ran into `max_tokens`."""
        return ending(self.finish_reason) == "cut"


def without_completions(model: str) -> ModelRefused:
    """The error of a model that writes no text on."""
    error = ModelRefused(f"{model} has no completion endpoint, which writes a text on", next_step=COMPLETES)
    error.systemic = True
    return error


def completion_of(message: AIMessage) -> Completion:
    """A LangChain answer as a `Completion`."""
    about = message.response_metadata
    input_tokens, output_tokens = read_usage(message.usage_metadata)
    text, beside = read_content(message.content)
    told = read_reasoning(message.additional_kwargs)
    return Completion(
        text=text,
        reasoning="\n\n".join(dict.fromkeys(part for part in (told, beside) if part)),
        logprobs=about.get("logprobs"),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        model=str(about.get("model_name") or about.get("model") or ""),
        finish_reason=finish_reason(about) or str(about.get("stop_reason") or about.get("stopReason") or ""),
        request_id=str(about.get("request_id") or about.get("id") or ""),
        calls=tool_calls({**message.additional_kwargs, **vars(message)}),
        cached_tokens=read_cached(message.usage_metadata),
    )


def part_scaffold(answer: Completion) -> Completion:
    """A completion whose text is the answer alone, whichever chat model gave it; what the model wrote beside the answer
    joins its reasoning. Thinking that never ended counts as cut, and log probabilities begin with the answer."""
    found = split(answer.text)
    if found.text is answer.text:
        return answer
    return replace(
        answer,
        text=found.text,
        reasoning="\n\n".join(part for part in (answer.reasoning, found.reasoning) if part),
        logprobs=_from(answer.logprobs, answer.text.find(found.text)) if found.text else None,
        finish_reason="length" if found.unfinished else answer.finish_reason,
    )


def _from(told: Any, start: int) -> list[Any] | None:
    """Log probabilities from the token on that begins at this place of the text; None where they do not tell."""
    told = told.get("content") if isinstance(told, Mapping) else told
    entries: list[Any] = told if isinstance(told, list) else []
    place = 0
    for number, entry in enumerate(entries):
        token = entry.get("token") if isinstance(entry, Mapping) else None
        if not isinstance(token, str):
            return None
        place += len(token)
        if place > start:
            return entries[number:]
    return None


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

    async def continue_text(self, text: str, *, role: str = "", **kwargs: Any) -> Completion:
        """What the model writes on after a text, which goes to it as it stands, without its chat template.

        Raises:
            ModelRefused: it has no completion endpoint. Other errors are those of every call.
        """
        raise without_completions(type(self).__name__)

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
