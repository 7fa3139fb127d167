"""distilabel: a pipeline of steps, each a process of its own, through which batches of 64 go."""

from __future__ import annotations

import os

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

from itertools import pairwise
from typing import Any

from distilabel.models.llms import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration

from benchmarks.peers.task import LETTER, TEMPERATURES, Prompts, Row, main
from benchmarks.work import IN_FLIGHT


def run(seeds: list[Row], url: str, prompts: Prompts, folder: str) -> list[Row]:
    def step(name: str, template: str, places: dict[str, str], **params: Any) -> Any:
        system, user = prompts.template(template, **{k: f"{{{{ {v} }}}}" for k, v in places.items()})
        llm = OpenAILLM(model="fake", base_url=url, api_key="none", generation_kwargs=params)
        return TextGeneration(
            name=name.replace("_", "-"),
            llm=llm,
            system_prompt=system,
            template=user,
            columns=list(places.values()),
            output_mappings={"generation": name},
            input_batch_size=IN_FLIGHT,
            add_raw_output=False,
            add_raw_input=False,
        )

    with Pipeline(name="bench", cache_dir=folder) as pipeline:
        steps = [LoadDataFromDicts(data=seeds, batch_size=IN_FLIGHT)]
        for i, temperature in enumerate(TEMPERATURES, 1):
            params = {"temperature": temperature, "max_new_tokens": 512}
            steps.append(step(f"draft_{i}", "generator.draft", {"prompt": "prompt"}, **params))
        for i in (1, 2):
            places = {"prompt": "prompt", "first": f"draft_{i}"}
            params = {"max_new_tokens": 320, "response_format": {"type": "json_object"}}
            steps.append(step(f"critique_{i}", "critic.critique", places, **params))
        for name, a, b in (("judge_ab", 1, 2), ("judge_ba", 2, 1)):
            places = {"prompt": "prompt", "first": f"draft_{a}", "second": f"draft_{b}"}
            params = {"max_new_tokens": 1, "temperature": 0.0, **LETTER}
            steps.append(step(name, "judge.pair", places, **params))
        for one, following in pairwise(steps):
            one.connect(following)
    found = pipeline.run(use_cache=False)
    return [dict(row) for row in found["default"]["train"]]


if __name__ == "__main__":
    main("distilabel", run)
