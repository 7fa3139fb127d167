"""Curator: one dataset after another, a request a row; rows are spread so that each of its stages has them all."""

from __future__ import annotations

import os
import tempfile

from benchmarks.peers.task import LETTER, TEMPERATURES, Prompts, Row, Template, find_vocabulary, main

os.environ |= {
    "TELEMETRY_ENABLED": "false",
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
    "OPENAI_API_KEY": "none",
    "TIKTOKEN_CACHE_DIR": find_vocabulary(),
}
os.environ.setdefault("CURATOR_CACHE_DIR", tempfile.mkdtemp(prefix="curator-"))

from typing import Any

from bespokelabs import curator

from benchmarks.work import IN_FLIGHT


class Stage(curator.LLM):  # type: ignore[misc]
    """A prompt over every row; the answer goes into a column of the row's own choice."""

    def prompt(self, input: Row) -> list[dict[str, str]]:
        return [
            {"role": "system", "content": input["system"]},
            {"role": "user", "content": input["user"]},
        ]

    def parse(self, input: Row, response: Any) -> Row:
        return {"row": input["row"], "column": input["column"], "answer": str(response)}


def run(seeds: list[Row], url: str, prompts: Prompts, folder: str) -> list[Row]:
    rows = [dict(seed) for seed in seeds]
    limits = dict.fromkeys(("max_requests_per_minute", "max_tokens_per_minute"), 10**9)
    backend = {"base_url": url, "max_concurrent_requests": IN_FLIGHT, "max_retries": 0, **limits}
    backend["invalid_finish_reasons"] = ["content_filter"]  # a letter ends at its length

    def stage(columns: dict[str, Any], **params: Any) -> None:
        asked = [
            {"row": number, "column": column, "system": system, "user": user}
            for column, fill in columns.items()
            for number, row in enumerate(rows)
            for system, user in [fill(row)]
        ]
        model = Stage(
            model_name="fake", backend="openai", backend_params=dict(backend), generation_params=params
        )
        found = model(asked, working_dir=folder)
        for one in getattr(found, "dataset", found):
            rows[one["row"]][one["column"]] = one["answer"]

    def draft(row: Row) -> Template:
        return prompts.template("generator.draft", prompt=row["prompt"])

    for place, temperature in enumerate(TEMPERATURES, 1):
        stage({f"draft_{place}": draft}, temperature=temperature, max_tokens=512)
    stage(
        {
            f"critique_{i}": lambda row, i=i: prompts.template(
                "critic.critique", prompt=row["prompt"], first=row[f"draft_{i}"]
            )
            for i in (1, 2)
        },
        max_tokens=320,
        response_format=prompts.response_format,
    )
    stage(
        {
            name: lambda row, a=a, b=b: prompts.template(
                "judge.pair", prompt=row["prompt"], first=row[f"draft_{a}"], second=row[f"draft_{b}"]
            )
            for name, a, b in (("judge_ab", 1, 2), ("judge_ba", 2, 1))
        },
        max_tokens=1,
        temperature=0.0,
        **LETTER,
    )
    return rows


if __name__ == "__main__":
    main("curator", run)
