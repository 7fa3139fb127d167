"""vLLM in this process: the mapping on a stand-in engine, and the real one where it is installed.

The real one needs vLLM and SOLON_VLLM_MODEL, the folder of a small model; see `make test-vllm`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel

from solon.agents.models import structured, vllm_engine
from solon.agents.models.capabilities import capabilities_of
from solon.agents.models.factory import make_chat_model
from solon.agents.models.logprobs import label_shares
from solon.config.sections import ModelConfig
from solon.errors import ConfigError, ModelRefused, TooLong

MODEL = os.environ.get("SOLON_VLLM_MODEL", "")
real = pytest.mark.skipif(
    not MODEL or importlib.util.find_spec("vllm") is None,
    reason="needs vLLM and a small model: make test-vllm",
)


class Colour(BaseModel):
    colour: str


def output(text: str, logprobs: Any = None) -> Any:
    made = SimpleNamespace(index=0, text=text, token_ids=[7], logprobs=logprobs, finish_reason="stop")
    return SimpleNamespace(request_id="r1", prompt_token_ids=[1, 2, 3], outputs=[made])


def test_an_output_becomes_a_chat_completion() -> None:
    """A stand-in for what the engine returns; no model stands behind it."""
    seen = {
        7: SimpleNamespace(logprob=-0.1, decoded_token="A"),
        8: SimpleNamespace(logprob=-3.0, decoded_token="B"),
    }
    body = vllm_engine._body("m", output("A", [seen]))
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    [choice] = body["choices"]
    assert choice["message"]["content"] == "A"
    assert choice["finish_reason"] == "stop"
    first = choice["logprobs"]["content"][0]
    assert first["token"] == "A"
    assert [t["token"] for t in first["top_logprobs"]] == ["A", "B"]
    found = label_shares(choice["logprobs"])
    assert found is not None
    assert found.shares == pytest.approx({"A": 0.948, "B": 0.052}, abs=1e-3)


def test_calls_in_flight_are_as_many_as_the_engine_works_on() -> None:
    widths = ({}, {"max_num_seqs": 300})
    known = [capabilities_of(ModelConfig(model="vllm:m", options=dict(options))) for options in widths]
    assert [one.default_concurrency for one in known] == [128, 300]


def test_refusals_are_told_apart() -> None:
    too_long = vllm_engine._refusal(
        "m", ValueError("exceeds the model's maximum context length of 2048 tokens")
    )
    assert isinstance(too_long, TooLong)
    assert isinstance(vllm_engine._refusal("m", ValueError("temperature must be >= 0")), ModelRefused)


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_the_error_says_what_to_install() -> None:
    with pytest.raises(ConfigError, match="needs vLLM") as caught:
        make_chat_model(ModelConfig(model="vllm:Qwen/Qwen3-8B"))
    assert "vllm serve Qwen/Qwen3-8B" in caught.value.next_step


@real
def test_the_real_engine_answers_by_schema_logprobs_and_seed() -> None:
    config = ModelConfig(
        model=f"vllm:{MODEL}", context=2048, options={"enforce_eager": True, "max_num_seqs": 16}, timeout=300
    )
    chat, known = make_chat_model(config), capabilities_of(config)
    messages = [SystemMessage("Answer briefly."), HumanMessage("Name a colour.")]

    async def ask(**given: Any) -> structured.Reply:
        return await structured.ask(chat, known, messages, max_tokens=24, **given)

    async def all_at_once() -> list[structured.Reply]:
        return await asyncio.gather(*(ask(temperature=1.0, seed=n % 2) for n in range(8)))

    several = asyncio.run(all_at_once())
    assert len({reply.text for reply in several[::2]}) == 1, "the same seed gives the same answer"
    assert all(reply.input_tokens and reply.output_tokens for reply in several)
    shaped = asyncio.run(ask(temperature=0.0, schema=Colour))  # a second event loop, the same engine
    assert isinstance(shaped.parsed, Colour)
    judged = asyncio.run(ask(temperature=0.0, logprobs=True))
    assert judged.logprobs
    assert len(judged.logprobs[0]["top_logprobs"]) >= 5
    with pytest.raises(TooLong):
        asyncio.run(
            structured.ask(chat, known, [HumanMessage("word " * 5000)], max_tokens=24),
        )


@real
def test_a_whole_item_on_the_real_engine(tmp_path: Any) -> None:
    from solon.project import Project

    model = {
        "model": f"vllm:{MODEL}",
        "context": 2048,
        "max_tokens": 48,
        "timeout": 300,
        "options": {"enforce_eager": True, "max_num_seqs": 16},
    }
    config = {"models": {"default": model}, "generator": {"revise": False}, "routing": {"policy": "always"}}
    with Project(f"sqlite:///{tmp_path / 'store.db'}", config=config) as project:
        summary = project.run("preference", ["Why is the sky blue?", "Name three uses of vinegar."])
        assert summary.items == 2
        assert summary.model_calls >= 8
        assert summary.pending_review + summary.rejected == 2


@real
def test_a_program_of_its_own_ends(tmp_path: Any) -> None:
    """Where nothing else has brought multiprocessing, vLLM does, and it waits for the engine's process at the end."""
    program = tmp_path / "program.py"
    program.write_text(
        "from solon.agents.models.factory import make_chat_model\n"
        "from solon.config.sections import ModelConfig\n"
        "if __name__ == '__main__':\n"
        "    options = {'enforce_eager': True, 'max_num_seqs': 2}\n"
        f"    make_chat_model(ModelConfig(model={f'vllm:{MODEL}'!r}, context=1024, options=options)).start()\n"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=300)
    assert (done.returncode, "Exception ignored" in done.stderr) == (0, False), done.stderr[-2000:]
