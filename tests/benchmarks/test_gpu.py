"""Solon beside the bare engine on the CPU build of vLLM; needs vLLM and SOLON_VLLM_MODEL: `make test-vllm`."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

ON_CPU = '{"enforce_eager": true, "enable_chunked_prefill": false, "max_num_seqs": 16}'


@pytest.mark.skipif(
    not os.environ.get("SOLON_VLLM_MODEL") or importlib.util.find_spec("vllm") is None,
    reason="needs vLLM: make test-vllm",
)
def test_the_bare_engine_gets_the_same_requests() -> None:
    """It fails by itself where the two did not make the same number of tokens."""
    small = ["--random", "2x128", "--items", "4", "--tokens", "8", "--repeats", "1", "--options", ON_CPU]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *small], stdout=subprocess.PIPE, text=True, check=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["items"], told["calls"]) == (4, 24)
    assert told["answer_tokens"] == 4 * (4 * 8 + 2)
    assert told["ratio"] > 0
