"""vLLM in this process (`vllm:MODEL`): its asynchronous engine behind the ordinary chat model.

Every call in flight shares one continuously batched engine; the shared head of the prompts (constitution, rubric) is
computed once, by prefix caching. One engine per model and options in a process, in an event loop of its own, since
an engine belongs to the loop that it was first used in. The only module that imports vLLM.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, BaseMessage
from pydantic import Field, PrivateAttr

from solon.agents.models.lean import LeanChat
from solon.agents.models.wire import from_wire, to_wire
from solon.errors import EngineError, ModelRefused, ModelUnavailable, SolonError, TooLong

_SAMPLING = ("temperature", "top_p", "max_tokens", "seed", "n", "stop")
_NOT_ENGINE = frozenset({"logprobs", "top_logprobs", "response_format"})


class VLLMChat(LeanChat):
    """A model that vLLM runs in this process. It is loaded at the first call, not before.

    Attributes:
        name: what vLLM loads: a name on the hub that is in its cache, or a folder.
        model: the name that answers report.
        engine: arguments of vLLM's engine, e.g. `enforce_eager`, `max_num_seqs`, `tensor_parallel_size`.
        temperature: default of a call; None leaves it to vLLM.
        top_p: default of a call; None leaves it to vLLM.
        max_tokens: default of a call; None leaves it to vLLM.
        timeout: time limit of a call, in seconds.

    Raises (from every call):
        EngineError: vLLM is not installed, or cannot load the model.
        TooLong, ModelRefused: the engine does not take the prompt or its parameters.
        ModelUnavailable: the engine has died, or gave no answer within `timeout` seconds.
    """

    name: str
    model: str
    engine: dict[str, Any] = Field(default_factory=dict)
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    timeout: float = 120.0

    _host: EngineHost | None = PrivateAttr(default=None)

    @property
    def _llm_type(self) -> str:
        return "solon-vllm"

    def start(self) -> EngineHost:
        """Load the model now (up to minutes), instead of at the first call."""
        if self._host is None or self._host.stopped:
            self._host = engine_host(self.name, self.engine)
        return self._host

    def tokens_in(self, text_or_messages: str | Sequence[BaseMessage]) -> int:
        """How many tokens the model's own tokenizer makes of a text, or of messages in its chat template."""
        host = self.start()
        if isinstance(text_or_messages, str):
            return len(host.tokenizer.encode(text_or_messages, add_special_tokens=False))
        return len(host.tokens(to_wire(text_or_messages)))

    async def _answer(
        self,
        messages: Sequence[BaseMessage],
        stop: list[str] | None,
        metadata: Mapping[str, Any],
        **kwargs: Any,
    ) -> list[AIMessage]:
        host = self._host
        if host is None or host.stopped:
            host = await asyncio.to_thread(self.start)
        defaults = {"temperature": self.temperature, "top_p": self.top_p, "max_tokens": self.max_tokens}
        parameters = {**defaults, "stop": stop, **kwargs}
        work = asyncio.run_coroutine_threadsafe(host.complete(to_wire(messages), parameters), host.loop)
        try:
            async with asyncio.timeout(self.timeout):
                body = await asyncio.wrap_future(work)
        except TimeoutError:
            raise ModelUnavailable(
                f"{self.model} gave no answer within {self.timeout:g} s",
                next_step="raise `timeout` of this model, or lower `concurrency`; then `solon resume`",
            ) from None
        return from_wire(body, {"model_name": self.model, "request_id": body["id"], "tries": 1})


class EngineHost:
    """A running engine with the thread and event loop that it lives in."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.stopped = False
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="solon-vllm", daemon=True)
        self._thread.start()
        try:
            self.engine, self.tokenizer = asyncio.run_coroutine_threadsafe(
                _load(name, options), self.loop
            ).result()
        except BaseException:
            self._end()
            raise

    def tokens(self, wire: list[dict[str, Any]]) -> list[int]:
        """The token ids of a conversation, as the model's chat template and tokenizer write it."""
        text = self.tokenizer.apply_chat_template(wire, tokenize=False, add_generation_prompt=True)
        token_ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return token_ids

    async def complete(self, wire: list[dict[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
        """One chat completion, in the shape of OpenAI's answer.

        Args:
            wire: messages as OpenAI's list.
            given: the parameters of the call under OpenAI's names.

        Raises:
            TooLong, ModelRefused: the engine does not take the prompt or its parameters.
            ModelUnavailable: the engine failed.
        """
        prompt = {"prompt_token_ids": self.tokens(wire)}
        request_id = f"solon-{uuid4().hex}"
        last: Any = None
        try:
            async for output in self.engine.generate(prompt, _sampling(given), request_id):
                last = output
        except (ValueError, TypeError) as error:
            raise _refusal(self.name, error) from None
        except asyncio.CancelledError:
            raise
        except Exception as error:  # the engine's own death has no public base class
            raise ModelUnavailable(
                f"the vLLM engine of {self.name} failed: {type(error).__name__}: {str(error)[:300]}",
                next_step="set SOLON_DEBUG=1 to see vLLM's log; then `solon resume`",
            ) from None
        return _body(self.name, last)

    def stop(self) -> None:
        """Shut the engine down and free its memory."""
        self.stopped = True
        asyncio.run_coroutine_threadsafe(self._shut(), self.loop).result(timeout=60)
        self.engine = None  # it must not be collected while the interpreter leaves
        self._end()

    async def _shut(self) -> None:
        """The engine's listener ends first: it would take the end of its process for a failure."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self.engine.shutdown()
        self.engine.shutdown = lambda *_: (
            None
        )  # vLLM calls it again when the interpreter leaves, which prints an error

    def _end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=30)
        if not self._thread.is_alive():
            self.loop.close()


_hosts: dict[str, EngineHost] = {}
_hosts_lock = threading.Lock()


def engine_host(name: str, options: Mapping[str, Any]) -> EngineHost:
    """The running engine of this model and these options; it is started if it does not run yet."""
    key = key_of(name, options)
    with _hosts_lock:
        if key not in _hosts or _hosts[key].stopped:
            _hosts[key] = EngineHost(name, options)
            # Last in, first out: before multiprocessing, which vLLM brings, waits for the engine's process to end.
            atexit.unregister(stop_engines)
            atexit.register(stop_engines)
        return _hosts[key]


def key_of(name: str, options: Mapping[str, Any]) -> str:
    """What the engine of a model with these options is found by."""
    return json.dumps([name, dict(options)], sort_keys=True, default=str)


def stop_engines() -> None:
    """Stop every engine of this process. They start again when needed."""
    with _hosts_lock:
        for host in _hosts.values():
            host.stop()
        _hosts.clear()


async def _load(name: str, options: Mapping[str, Any]) -> tuple[Any, Any]:
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # vLLM would report its use to its makers
    if not os.environ.get("SOLON_DEBUG"):
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    try:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        arguments = AsyncEngineArgs(model=name, **{"enable_prefix_caching": True, **options})
        engine = AsyncLLM.from_engine_args(arguments)
        tokenizer = engine.get_tokenizer()
        return engine, await tokenizer if inspect.isawaitable(tokenizer) else tokenizer
    except Exception as error:  # what loading raises is as varied as models and devices are
        raise EngineError(
            f"vLLM cannot load {name}: {type(error).__name__}: {str(error)[:500]}",
            next_step="set SOLON_DEBUG=1 to see vLLM's log; check the name and `options` of this model",
        ) from None


def _sampling(given: Mapping[str, Any]) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    unknown = set(given) - set(_SAMPLING) - _NOT_ENGINE
    values = {name: given[name] for name in (*_SAMPLING, *unknown) if given.get(name) is not None}
    if given.get("logprobs"):
        values["logprobs"] = int(given.get("top_logprobs") or 0)
    wanted = given.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        values["structured_outputs"] = StructuredOutputsParams(json=wanted["json_schema"]["schema"])
    elif wanted.get("type") == "json_object":
        values["structured_outputs"] = StructuredOutputsParams(json_object=True)
    return SamplingParams(**values, output_kind=RequestOutputKind.FINAL_ONLY)


def _refusal(name: str, error: Exception) -> SolonError:
    message = str(error)[:500]
    if (
        "maximum context length" in message
        or "max_model_len" in message
        or "longer than the maximum" in message
    ):
        return TooLong(
            message, next_step="shorten the seed, lower max_tokens, or raise `context` of this model"
        )
    return ModelRefused(f"vLLM ({name}) does not take the request: {message}")


def _body(name: str, output: Any) -> dict[str, Any]:
    choices = [
        {
            "index": completion.index,
            "message": {"role": "assistant", "content": completion.text},
            "finish_reason": completion.finish_reason,
            "logprobs": _logprobs(completion),
        }
        for completion in output.outputs
    ]
    read = len(output.prompt_token_ids or ())
    written = sum(len(completion.token_ids) for completion in output.outputs)
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return {
        "id": output.request_id,
        "created": int(time.time()),
        "model": name,
        "choices": choices,
        "usage": usage,
    }


def _logprobs(made: Any) -> dict[str, Any] | None:
    if made.logprobs is None:
        return None
    content = []
    for token, seen in zip(made.token_ids, made.logprobs, strict=False):
        ranked = sorted(seen.values(), key=lambda entry: -entry.logprob)
        content.append(
            {
                "token": seen[token].decoded_token or "",
                "logprob": seen[token].logprob,
                "top_logprobs": [{"token": e.decoded_token or "", "logprob": e.logprob} for e in ranked],
            }
        )
    return {"content": content}
