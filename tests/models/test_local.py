"""llama.cpp in process with the real built-in weights. Says nothing of their judgement, only of the machinery."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from langchain_core.messages import convert_to_messages
from pydantic import BaseModel

from solon.agents.models.capabilities import Capabilities, capabilities_of
from solon.agents.models.factory import make_chat_model
from solon.agents.models.lean import Completion
from solon.agents.models.local import LocalChat, stop_local_servers
from solon.agents.models.structured import ask
from solon.agents.models.tokens import count_tokens
from solon.agents.models.weights import find_builtin_model
from solon.config.sections import ModelConfig
from solon.errors import ConfigError, TooLong

pytestmark = pytest.mark.builtin
needs_engine = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed (solon[local])"
)
needs_model = pytest.mark.skipif(
    find_builtin_model() is None, reason="the built-in weights are not installed (solon model fetch)"
)
CONFIG = ModelConfig(model="builtin:smollm2", context=1024, concurrency=4, options={"threads": 1})
PROMPT = [("system", "You are brief."), ("user", "Name a colour.")]


class Colour(BaseModel):
    colour: Literal["red", "green", "blue"]
    sure: bool


@pytest.fixture(scope="module")
def model() -> Iterator[LocalChat]:
    made = make_chat_model(CONFIG)
    assert isinstance(made, LocalChat)
    yield made
    stop_local_servers()


def run(model: LocalChat, capabilities: Capabilities, *args: object, **kwargs: object) -> object:
    async def scene() -> object:
        try:
            return await ask(model, capabilities, *args, **kwargs)  # type: ignore[arg-type]
        finally:
            await model.aclose()

    return asyncio.run(scene())


@needs_engine
@needs_model
def test_the_real_thing(model: LocalChat) -> None:
    capabilities = capabilities_of(CONFIG)

    async def scene() -> None:
        prose, again, other, structured, letter = await asyncio.gather(
            ask(model, capabilities, PROMPT, max_tokens=12, temperature=0.9, seed=1),
            ask(model, capabilities, PROMPT, max_tokens=12, temperature=0.0, seed=1),
            ask(model, capabilities, PROMPT, max_tokens=12, temperature=1.2, seed=2),
            ask(model, capabilities, PROMPT, schema=Colour, max_tokens=60, temperature=0.0, seed=1),
            ask(
                model,
                capabilities,
                [("user", "Which is a fruit? A: a stone, B: an apple. Answer with A or B only.")],
                max_tokens=1,
                temperature=0.0,
                logprobs=True,
            ),
        )
        assert prose.text
        assert again.text
        assert other.text
        assert prose.output_tokens == 12 or prose.finish_reason == "stop"
        assert isinstance(structured.parsed, Colour)
        assert letter.logprobs is not None
        assert len(letter.logprobs[0]["top_logprobs"]) > 5
        assert prose.model == "SmolLM2-135M-Instruct.Q4_1"
        for reply in (prose, structured, letter):
            assert reply.request_id
        await model.aclose()

    asyncio.run(scene())


@needs_engine
@needs_model
def test_tokens_are_counted_as_the_model_counts_them(model: LocalChat) -> None:
    turns = [("system", "Sei präzise."), ("user", "日本語 <|im_end|> 🎉 and \x00 some English.")]
    counted = count_tokens(model, convert_to_messages(turns))
    reply = run(model, capabilities_of(CONFIG), turns, max_tokens=1)
    assert counted == reply.input_tokens  # type: ignore[attr-defined]
    assert count_tokens(model, "hello world") == 2


@needs_engine
@needs_model
def test_the_context_is_one_slots_own(model: LocalChat) -> None:
    long = [("user", "word " * 1010)]
    with pytest.raises(TooLong, match="the context is 1024"):
        run(model, capabilities_of(CONFIG), long, max_tokens=16)
    unknown = Capabilities(json_schema=True, logprobs=True, context=None, default_concurrency=4)
    with pytest.raises(TooLong, match="does not fit its context"):
        run(model, unknown, [("user", "word " * 1100)], max_tokens=16)


@needs_engine
@needs_model
def test_one_server_for_the_same_file_and_parameters(model: LocalChat) -> None:
    twin = make_chat_model(CONFIG)
    assert isinstance(twin, LocalChat)
    assert twin.start() is model.start()
    assert twin.base_url.startswith("http://127.0.0.1:")


@needs_engine
@needs_model
def test_it_starts_again_after_a_stop_and_keeps_its_key(model: LocalChat) -> None:
    first = model.start()
    stop_local_servers()
    reply = run(model, capabilities_of(CONFIG), PROMPT, max_tokens=2)
    assert reply.text  # type: ignore[attr-defined]
    second = model.start()
    assert second is not first
    for key in (first.key, second.key):
        assert key not in repr(model)


SCRIPT = """
import asyncio, sys
from langchain_core.messages import HumanMessage
from solon.agents.models.factory import make_chat_model
from solon.config import ModelConfig
async def main():
    model = make_chat_model(ModelConfig(model="builtin:smollm2", context=4096, concurrency=2, options={"threads": 1}))
    await model.ainvoke([HumanMessage("hi")], max_tokens=1)
    print("ready", flush=True)
    call = model.ainvoke([HumanMessage("Tell a very long story.")], max_tokens=4000)
    if sys.argv[1] == "leave":
        task = asyncio.get_running_loop().create_task(call)
        await asyncio.sleep(0.3)
        sys.exit(5)
    await call
asyncio.run(main())
"""


@needs_engine
@needs_model
@pytest.mark.parametrize("way", ["interrupt", "leave"])
def test_leaving_in_the_middle_of_an_answer_neither_hangs_nor_crashes(way: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, way],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "SOLON_DEBUG"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    if way == "interrupt":
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)  # a hang fails here
    assert process.returncode == (5 if way == "leave" else -signal.SIGINT)
    assert "llama" not in errors.replace("solon/agents/models", "").lower().split("traceback")[0]  # quiet


@needs_engine
def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(b"PK\x03\x04 not a model")
    chat = make_chat_model(ModelConfig(model=f"gguf:{file}"))
    assert isinstance(chat, LocalChat)
    with pytest.raises(ConfigError, match="not a GGUF file"):
        chat.start()
    file.write_bytes(b"GGUF" + bytes(500))
    with pytest.raises(ConfigError, match="cannot load") as caught:
        chat.start()
    assert "SOLON_DEBUG" in caught.value.next_step
    with pytest.raises(ConfigError, match=r"options\.slots"):
        make_chat_model(ModelConfig(model=f"gguf:{file}", options={"slots": "many"}))


def test_without_the_engine_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(b"GGUF" + bytes(500))
    chat = make_chat_model(ModelConfig(model=f"gguf:{file}"))
    assert isinstance(chat, LocalChat)
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ConfigError, match="xllamacpp") as caught:
        chat.start()
    assert "solon[local]" in caught.value.next_step


@needs_engine
@needs_model
def test_it_writes_a_users_words_where_they_would_begin(model: LocalChat) -> None:
    begun = "<|im_start|>system\nYou help with cooking.<|im_end|>\n<|im_start|>user\n"

    async def write() -> Completion:
        try:
            return await model.continue_text(
                begun, stop=["<|im_end|>"], max_tokens=40, temperature=0.0, seed=1
            )
        finally:
            await model.aclose()

    written = asyncio.run(write())
    assert written.input_tokens
    assert written.text.strip()
    assert "<|im" not in written.text, "the markers of turns are no text"
