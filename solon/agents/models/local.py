"""llama.cpp in this process (`builtin:`, `gguf:`): a loopback server of its own behind the ordinary chat model.

One server per file and parameters in a process, started at the first call, stopped at exit. The only module that
imports xllamacpp.
"""

from __future__ import annotations

import asyncio
import atexit
import http.client
import json
import math
import os
import secrets
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from langchain_core.messages import BaseMessage
from pydantic import Field, PrivateAttr, SecretStr

from solon.agents.models.openai_compatible import OpenAICompatibleChat
from solon.agents.models.transport import Transport
from solon.agents.models.wire import dump, to_wire
from solon.errors import EngineError, ModelUnavailable

INSTALL = "pip install 'solon[local]'"
_MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True)
class LocalParams:
    """How llama.cpp is run.

    Attributes:
        context: window of one slot, in tokens.
        slots: answers worked on at once (continuous batching).
        threads: compute threads; 0: as many as there are idle cores at the start.
        gpu_layers: layers on a GPU where llama.cpp was built for one; -1: as many as fit.
        http_threads: connections served at once; each idle connection holds one for seconds.
    """

    context: int = 4096
    slots: int = 4
    threads: int = 0
    gpu_layers: int = -1
    http_threads: int = 16


class LocalServer:
    """A running llama.cpp with its address and the key that only this process knows."""

    def __init__(self, path: Path, params: LocalParams) -> None:
        self.path = path
        self.params = params
        self.stopped = False
        self.key = secrets.token_urlsafe(24)
        self._server: Any = _start(path, params, self.key)
        self.base_url = f"{self._server.listening_address}/v1"
        parts = urlsplit(self._server.listening_address)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._lock, self._scoring = threading.Lock(), threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._clients: weakref.WeakSet[Transport] = weakref.WeakSet()

    def serve(self, client: Transport) -> None:
        """Remember a client, so that it can be disconnected when the server stops and nobody is left
        waiting."""
        self._clients.add(client)

    def count(self, text_or_messages: str | Sequence[BaseMessage]) -> int:
        """How many tokens a text has, or messages in the model's own chat template: exact, in about 1 ms."""
        if isinstance(text_or_messages, str):
            text, special = text_or_messages, False
        else:
            text = str(self._post("/apply-template", {"messages": to_wire(text_or_messages)})["prompt"])
            special = True
        return len(
            self._post(
                "/tokenize",
                {"content": text, "add_special": special, "parse_special": special},
            )["tokens"]
        )

    def perplexity(self, text: str, longest: int) -> float | None:
        """How surprising a text is to the model, as 1 for one that it foretells word by word and more for others: the
        exponent of the mean negative log probability of its tokens, each after those before it; None where there are
        fewer than two.

        llama.cpp tells no probabilities of a prompt, so that each token is asked for by itself: a bias makes it the one
        that is taken, and what is told of it are the probabilities before the bias.

        Args:
            longest: tokens that are read.
        """
        tokens = self._post("/tokenize", {"content": text, "add_special": False})["tokens"][:longest]
        asked = {"n_predict": 1, "temperature": 0, "n_probs": 1, "cache_prompt": True}
        with self._scoring:  # texts in turn, so that each prompt begins with the one before it
            told = [
                self._post(
                    "/completion", {**asked, "prompt": tokens[:place], "logit_bias": [[tokens[place], 1000]]}
                )
                for place in range(1, len(tokens))
            ]
        logs = [float(one["completion_probabilities"][0]["logprob"]) for one in told]
        return math.exp(-sum(logs) / len(logs)) if logs else None

    def stop(self) -> None:
        """Stop it and free the memory.

        llama.cpp finishes what its clients wait for before it lets go, which can take minutes, and crashes when the
        interpreter leaves while it works: so the clients hang up first.
        """
        with self._lock:
            self.stopped = True
            for client in self._clients:
                client.hang_up()
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._server = None

    def _post(self, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
        }
        with self._lock:
            for last in (False, True):
                connection = self._connection or http.client.HTTPConnection(*self._address, timeout=30)
                self._connection = connection
                try:
                    connection.request("POST", path, dump(payload), headers)
                    response = connection.getresponse()
                    body = response.read()
                    break
                except (OSError, http.client.HTTPException) as error:
                    connection.close()  # an idle connection that the server has closed: once more on a new one
                    self._connection = None
                    if last:
                        raise ModelUnavailable(f"llama.cpp does not answer {path}: {error}") from None
        if response.status != 200:
            raise ModelUnavailable(f"llama.cpp answered HTTP {response.status} to {path}: {body[:200]!r}")
        answer: dict[str, Any] = json.loads(body)
        return answer


_servers: dict[tuple[Path, LocalParams], LocalServer] = {}
_servers_lock = threading.Lock()


def local_server(path: Path, params: LocalParams) -> LocalServer:
    """The running server of this file and these parameters; it is started if it does not run yet.

    Raises:
        EngineError: xllamacpp is not installed, or the file is no model that llama.cpp can load.
    """
    key = (path.resolve(), params)
    with _servers_lock:
        if key not in _servers:
            atexit.unregister(stop_local_servers)
            atexit.register(stop_local_servers)
            _servers[key] = LocalServer(*key)
        return _servers[key]


def stop_local_servers() -> None:
    """Stop every server of this process. They start again when needed."""
    with _servers_lock:
        for server in _servers.values():
            server.stop()
        _servers.clear()


class LocalChat(OpenAICompatibleChat):
    """A GGUF file answered by llama.cpp in this process. The file is loaded at the first call, not before."""

    path: Path
    params: LocalParams = Field(default_factory=LocalParams)

    _server: LocalServer | None = PrivateAttr(default=None)
    _starting: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "solon-llama-cpp"

    def start(self) -> LocalServer:
        """Load the file now (seconds), instead of at the first call."""
        with self._starting:
            if self._server is None or self._server.stopped:
                server = local_server(self.path, self.params)
                self.base_url, self.key = server.base_url, SecretStr(server.key)
                self._transport = self._make_transport()
                server.serve(self._transport)
                self._server = server
            return self._server

    def tokens_in(self, text_or_messages: str | Sequence[BaseMessage]) -> int:
        """Exact tokens by llama.cpp's own tokenizer and the model's chat template."""
        return self.start().count(text_or_messages)

    async def _reach(self) -> Transport:
        if self._server is None or self._server.stopped:
            await asyncio.to_thread(self.start)
        return self._transport


def _start(path: Path, params: LocalParams, key: str) -> Any:
    _check_file(path)
    try:
        import xllamacpp
    except ImportError as error:
        raise EngineError(
            f"{path.name} needs llama.cpp in this environment, but xllamacpp cannot be imported: {error}",
            next_step=f"run `{INSTALL}`, or name a server by base_url",
        ) from None
    wanted = xllamacpp.CommonParams()
    wanted.model.path = str(path)
    wanted.model_alias = {path.stem}
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = 0
    wanted.api_keys = [key]
    wanted.n_parallel = params.slots
    wanted.n_ctx = params.slots * params.context
    wanted.cont_batching = True
    wanted.kv_unified = False
    wanted.cache_ram_mib = 256  # llama.cpp would keep up to 8 GiB of old prompts
    wanted.n_gpu_layers = params.gpu_layers
    wanted.n_threads_http = params.http_threads
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = params.threads or _idle_cores()
    wanted.cpuparams.poll = wanted.cpuparams_batch.poll = 0
    wanted.ui = wanted.endpoint_slots = wanted.warmup = False
    wanted.verbosity = 3 if os.environ.get("SOLON_DEBUG") else 0
    try:
        return xllamacpp.Server(wanted)
    except RuntimeError as error:
        raise EngineError(
            f"llama.cpp cannot load {path} with {params.slots} x {params.context} tokens of context: {error}",
            next_step="set SOLON_DEBUG=1 to see what it says; check the file, or lower `context` or options.slots",
        ) from None


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise EngineError(
            f"the model file {path} cannot be read: {error.strerror}",
            next_step="check the path after `gguf:` in the configuration",
        ) from None
    if magic != _MAGIC:
        raise EngineError(
            f"{path} is not a GGUF file (it starts with {magic!r})",
            next_step="convert the model to GGUF, or serve it elsewhere and name the server by base_url",
        )


def _idle_cores() -> int:
    """Cores that this process may use and that others leave idle now, at least one.

    llama.cpp's threads wait for each other by spinning: one thread too many on a busy machine costs a factor of ten
    (measured on two busy cores: 2 to 7 tokens/s with two threads, 37 to 48 with one).
    """
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not hasattr(os, "getloadavg"):
        return mine
    busy = os.getloadavg()[0] * mine / (os.cpu_count() or mine)
    return max(1, min(mine, round(mine - max(0.0, busy - 1))))
