"""A thin chat model for every server that speaks OpenAI's chat completions. Imports aiohttp only when first called."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, TypeVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field, SecretStr

from solon.agents.models.batches import Batches, Batching
from solon.agents.models.failures import Complaint, Refusal, Server, unavailable
from solon.agents.models.features import Dialect, Limit
from solon.agents.models.lean import Completion, LeanChat, Turn, without_completions
from solon.agents.models.transport import Answer, Transport
from solon.agents.models.tries import OF_CALL
from solon.agents.models.wire import (
    chunk_from_wire,
    completion_from_wire,
    continued_from_wire,
    from_wire,
    to_wire,
)

T = TypeVar("T")

OPENAI_URL = "https://api.openai.com/v1"


class OpenAICompatibleChat(LeanChat):
    """Chat completions of OpenAI, vLLM, llama.cpp, Ollama, SGLang, hosted gateways and the like.

    Keyword arguments of a call go into the request as they are; None leaves a field out. `max_tokens` and the
    sampling parameters given here are defaults.

    Answers carry in `response_metadata`: model_name, finish_reason, request_id, tries, logprobs (if asked
    for) and `not_sent`, the parameters that this model turned out not to take (said once in the log as well).

    Attributes:
        model: the name sent to the server.
        base_url: the server's address up to `/chat/completions`; for most servers it ends in /v1.
        key: the key; None where the server needs none.
        key_env: the environment variable that the key came from, for errors; empty without one.
        temperature: default of a call; None leaves it to the server.
        top_p: default of a call; None leaves it to the server.
        max_tokens: default of a call; None leaves it to the server.
        timeout: time limit of a request, in seconds.
        retries: further tries after a failure that may pass.
        concurrency: most calls in flight.
        hedge: send a call a second time where it takes much longer than others of its kind.
        headers: further headers of every request; kept secret.
        extra_body: further fields of every request.
        batching: how calls are sent through the server's batch API; None: each by itself.
        start_hint: how to get this server running, for errors; empty without one.

    Raises (from every call):
        ModelUnavailable: connection, time limit, 429 or 5xx after all tries.
        ModelRefused, TooLong: any other 4xx.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)

    model: str
    base_url: str = OPENAI_URL
    key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    key_env: str = ""
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    timeout: float = 120.0
    retries: int = 4
    concurrency: int = 64
    hedge: bool = False
    headers: dict[str, SecretStr] = Field(default_factory=dict, exclude=True, repr=False)
    extra_body: dict[str, Any] = Field(default_factory=dict, description="further fields of every request")
    batching: Batching | None = None
    start_hint: str = ""

    def model_post_init(self, context: Any, /) -> None:
        """Prepare the connection once pydantic has set the fields."""
        super().model_post_init(context)
        self.base_url = self.base_url.rstrip("/")
        # Made now, not by whichever of several threads asks first.
        _ = self._transport, self._batches, self._dialect

    # Every call needs these three. They are no private attributes, each look at which costs pydantic microseconds.
    @cached_property
    def _transport(self) -> Transport:
        return self._make_transport()

    @cached_property
    def _batches(self) -> Batches | None:
        return Batches(self._transport, self.batching, self.retries) if self.batching is not None else None

    @cached_property
    def _dialect(self) -> Dialect:
        dialect = Dialect(f"{self.model} at {self.base_url}", extra=frozenset(self.extra_body))
        if self.base_url == OPENAI_URL:
            dialect.limits["max_tokens"] = Limit(form="max_completion_tokens")
        return dialect

    @property
    def dialect(self) -> Dialect:
        """What this model turned out not to take."""
        return self._dialect

    @property
    def _llm_type(self) -> str:
        return "solon-openai-compatible"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model, "base_url": self.base_url}

    async def aclose(self) -> None:
        """Close the connections of the running event loop. The model may be used again afterwards."""
        if self._batches is not None:
            await self._batches.aclose()
        await self._transport.aclose()

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with tools on offer in each call. `tool_choice`: "auto", "none", "any", a tool's name, or
        OpenAI's own object."""
        offered = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        names = {tool["function"]["name"] for tool in offered if "function" in tool}
        if tool_choice in (True, "any"):
            tool_choice = "required"
        elif isinstance(tool_choice, str) and tool_choice in names:
            tool_choice = {"type": "function", "function": {"name": tool_choice}}
        if tool_choice:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=offered, **kwargs)

    def _make_transport(self) -> Transport:
        key = self.key.get_secret_value() if self.key is not None else ""
        return Transport(
            Server(
                self.base_url,
                self.model,
                key_env=self.key_env,
                key=key,
                start_hint=self.start_hint,
            ),
            timeout=self.timeout,
            retries=self.retries,
            concurrency=self.concurrency,
            hedge=self.hedge,
            headers={name: value.get_secret_value() for name, value in self.headers.items()},
        )

    async def _reach(self) -> Transport:
        """The way to the server; a subclass may have to start it first."""
        return self._transport

    async def _answer(
        self,
        messages: Sequence[BaseMessage],
        stop: list[str] | None,
        metadata: Mapping[str, Any],
        **kwargs: Any,
    ) -> list[AIMessage]:
        answer = await self._post(to_wire(messages), stop, kwargs)
        return self._read(from_wire, answer)

    async def _complete(
        self, turns: Sequence[Turn], role: str, stop: list[str] | None, **kwargs: Any
    ) -> Completion:
        wire = [{"role": who, "content": text} for who, text in turns]
        return self._read(completion_from_wire, await self._post(wire, stop, kwargs))

    async def continue_text(self, text: str, *, role: str = "", **kwargs: Any) -> Completion:
        """What the model writes on after a text, as the server's `/completions` gives it.

        Raises:
            ModelRefused: the server has no such endpoint. Other errors are those of every call.
        """
        way = self._batches or await self._reach()
        payload = self._payload([], None, {**kwargs, "messages": None, "prompt": text})
        try:
            answer = await way.post("/completions", payload)
        except Refusal as refusal:
            if refusal.complaint.status in (404, 405, 501) and not refusal.complaint.no_model:
                raise without_completions(f"{self.model} at {self.base_url}") from None
            raise
        return self._read(continued_from_wire, answer)

    async def _post(
        self, wire: list[dict[str, Any]], stop: list[str] | None, kwargs: Mapping[str, Any]
    ) -> Answer:
        way = self._batches or await self._reach()
        return await self._dialect.send(
            self._payload(wire, stop, kwargs), partial(way.post, "/chat/completions")
        )

    def _read(self, read: Callable[[Mapping[str, Any], Mapping[str, Any]], T], answer: Answer) -> T:
        about: dict[str, Any] = {
            "model_name": self.model,
            "request_id": answer.request_id or answer.body.get("id") or "",
            "tries": answer.tries,
        }
        if left_out := self._dialect.left_out:
            about["not_sent"] = left_out
        try:
            return read(answer.body, about)
        except Exception as error:  # a server may send anything
            if (tries := OF_CALL.get()) is not None:
                tries.add_vain(answer.body)
            raise unavailable(
                f"the answer is no chat completion ({type(error).__name__}: {error})",
                self._transport.server,
                answer.tries,
            ) from None

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        transport = await self._reach()
        payload = self._dialect.shape(self._payload(to_wire(messages), stop, kwargs))
        payload |= {"stream": True, "stream_options": {"include_usage": True}}
        async for event, request_id in transport.stream("/chat/completions", payload):
            complaint = Complaint.within({"choices": [{}], **event}, self._transport.server)
            if complaint is not None:
                raise unavailable(
                    f"the server broke the stream off: {complaint.message}", self._transport.server, 1
                )
            try:
                chunk = chunk_from_wire(event, {"request_id": request_id or event.get("id", "")})
            except Exception as error:  # a server may send anything
                raise unavailable(
                    f"the stream is no chat completion ({type(error).__name__})", self._transport.server, 1
                ) from None
            if chunk is None:
                continue
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _payload(
        self,
        wire: list[dict[str, Any]],
        stop: list[str] | None,
        kwargs: Mapping[str, Any],
    ) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "model": self.model,
            "messages": wire,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            **self.extra_body,
            **kwargs,
        }
        if stop:
            payload["stop"] = stop
        if not payload.get("logprobs"):
            payload.pop("logprobs", None)
            payload.pop("top_logprobs", None)
        payload.pop("stream", None)
        if self.base_url == OPENAI_URL and "response_format" in payload:
            payload["response_format"] = _without_lengths(payload["response_format"])
        return {k: v for k, v in payload.items() if v is not None}


def _without_lengths(node: Any) -> Any:
    """OpenAI's strict mode takes no length of texts; whoever asks checks the answer anyway."""
    if isinstance(node, list):
        return [_without_lengths(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_lengths(value)
        for key, value in node.items()
        if key not in ("minLength", "maxLength") or not isinstance(value, int)
    }
