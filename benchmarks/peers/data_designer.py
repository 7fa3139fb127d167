"""Data Designer: one column a call; its engine runs what does not wait for another column at once."""

from __future__ import annotations

import os

from benchmarks.peers.task import LETTER, TEMPERATURES, Prompts, Row, find_vocabulary, main

os.environ |= {
    "NEMO_TELEMETRY_ENABLED": "false",
    "DATA_DESIGNER_HOME": "/tmp/data-designer-home",
    "TIKTOKEN_CACHE_DIR": find_vocabulary(),
}

from typing import Any

import data_designer.config as dd
import pandas as pd
from data_designer.interface import DataDesigner

from benchmarks.work import IN_FLIGHT


def _model(alias: str, extra_body: dict[str, Any] | None = None, **params: Any) -> Any:
    inference = dd.ChatCompletionInferenceParams(
        max_parallel_requests=IN_FLIGHT, extra_body=extra_body, **params
    )
    return dd.ModelConfig(
        alias=alias, model="fake", provider="fake", inference_parameters=inference, skip_health_check=True
    )


def run(seeds: list[Row], url: str, prompts: Prompts, folder: str) -> list[Row]:
    first, second = TEMPERATURES
    config = dd.DataDesignerConfigBuilder(
        model_configs=[
            _model("draft_1", temperature=first, max_tokens=512),
            _model("draft_2", temperature=second, max_tokens=512),
            _model("critic", {"response_format": prompts.response_format}, max_tokens=320),
            _model("judge", dict(LETTER), temperature=0.0, max_tokens=1),
        ]
    )
    config.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame(seeds)))

    def column(name: str, alias: str, template: str, **places: str) -> None:
        named = {place: f"{{{{ {value} }}}}" for place, value in places.items()}
        system, user = prompts.template(template, **named)
        config.add_column(
            dd.LLMTextColumnConfig(name=name, model_alias=alias, system_prompt=system, prompt=user)
        )

    for i in (1, 2):
        column(f"draft_{i}", f"draft_{i}", "generator.draft", prompt="prompt")
    for i in (1, 2):
        column(f"critique_{i}", "critic", "critic.critique", prompt="prompt", first=f"draft_{i}")
    for name, a, b in (("judge_ab", 1, 2), ("judge_ba", 2, 1)):
        column(name, "judge", "judge.pair", prompt="prompt", first=f"draft_{a}", second=f"draft_{b}")
    provider = dd.ModelProvider(name="fake", endpoint=url, provider_type="openai", api_key="none")
    designer = DataDesigner(artifact_path=folder, model_providers=[provider])
    made = designer.create(config, num_records=len(seeds)).load_dataset()
    return [dict(row) for row in made.to_dict("records")]


if __name__ == "__main__":
    main("data-designer", run)
