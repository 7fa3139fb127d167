"""One real step of TRL's DPO and reward trainers over an export, on a tiny model of random weights.

It shows that the files train, never that they train well. `make trainers` runs it in an environment of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon.formats.exports import export
from solon.formats.records import ExportRow

pytestmark = [pytest.mark.trainer, pytest.mark.filterwarnings("default")]
TEMPLATE = (
    "{% for turn in messages %}<|{{ turn['role'] }}|>{{ turn['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is not installed (make trainers)")
    pytest.importorskip("trl", reason="trl is not installed (make trainers)")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def tokenizer() -> Any:
    """Byte-level, so that every text has tokens; no file of anyone's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    marks = ["<pad>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: number for number, name in enumerate([*marks, *alphabet])}
    plain = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    found = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", eos_token="<|end|>", additional_special_tokens=marks[2:]
    )
    found.chat_template = TEMPLATE
    return found


def _config(tokenizer: Any) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip


def _pairs(tmp_path: Path, *extra: str) -> Any:
    import datasets

    datasets.disable_progress_bars()
    rows = [
        ExportRow(
            id=f"r{n}",
            recipe="preference",
            seed_id=f"s{n}",
            prompt=f"What is {n} + {n}?",
            messages=[{"role": "user", "content": f"What is {n} + {n}?"}],
            chosen=f"It is {2 * n}.",
            rejected=f"Perhaps {2 * n + 1}; who knows?",
            margin=0.5 + n / 100,
        )
        for n in range(4)
    ]
    path = tmp_path / "pairs.jsonl"
    export(rows, format="trl-preference", path=path, extra_columns=extra)
    assert len(path.read_text().splitlines()) == 4
    return datasets.load_dataset(
        "json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )


_COMMON: dict[str, Any] = {
    "per_device_train_batch_size": 4,
    "max_steps": 1,
    "learning_rate": 0.01,
    "report_to": [],
    "save_strategy": "no",
    "logging_steps": 1,
    "use_cpu": True,
    "bf16": False,
    "max_length": 128,
    "disable_tqdm": True,
}


def _moved(model: Any, before: dict[str, Any]) -> bool:
    import torch

    return any(not torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_one_step_of_dpo(tmp_path: Path, tokenizer: Any) -> None:
    from transformers import LlamaForCausalLM
    from trl import DPOConfig, DPOTrainer

    model = LlamaForCausalLM(_config(tokenizer))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer = DPOTrainer(
        model=model,
        ref_model=LlamaForCausalLM(_config(tokenizer)),
        args=DPOConfig(output_dir=str(tmp_path / "dpo"), **_COMMON),
        train_dataset=_pairs(tmp_path),
        processing_class=tokenizer,
    )
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert len(logged) == 1
    assert logged[0]["loss"] > 0
    assert _moved(trainer.model, before)


def test_one_step_of_a_reward_model_uses_the_margin(tmp_path: Path, tokenizer: Any) -> None:
    from transformers import LlamaForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    config = _config(tokenizer)
    config.num_labels = 1
    model = LlamaForSequenceClassification(config)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = _pairs(tmp_path, "margin")
    assert json.loads(json.dumps(data[0]["margin"])) == pytest.approx(0.5)
    trainer = RewardTrainer(
        model=model,
        args=RewardConfig(output_dir=str(tmp_path / "reward"), **_COMMON),
        train_dataset=data,
        processing_class=tokenizer,
    )
    trainer.train()
    assert "margin" in trainer.train_dataset.column_names
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert logged[0]["loss"] > 0
    assert _moved(trainer.model, before)
