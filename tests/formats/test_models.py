"""Names of models as others may read them."""

from __future__ import annotations

import pytest

from solon.formats.records import plain_model


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("gguf:/home/someone/models/small.gguf", "gguf:small.gguf"),
        ("gguf:~/small.gguf", "gguf:small.gguf"),
        (r"gguf:C:\models\small.gguf", "gguf:small.gguf"),
        ("vllm:Qwen/Qwen3-8B", "vllm:Qwen/Qwen3-8B"),
        ("openai:gpt-4o", "openai:gpt-4o"),
        ("scripted:default", "scripted:default"),
    ],
)
def test_folders_of_local_models_stay_at_home(name: str, plain: str) -> None:
    assert plain_model(name) == plain
