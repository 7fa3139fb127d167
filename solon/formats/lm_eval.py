"""Pairs as a task of EleutherAI's lm-evaluation-harness: is the better answer the likelier one under a model?

Read in code: lm-eval 0.4.13, `api/task.py` (`ConfigurableTask`) and `config/task.py`. The harness renders texts of a
task as Jinja templates and reads what they give as Python; names of columns it takes as they are. So the task names
columns alone. Imports `errors`, `contract` and `records` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import yaml

from solon.errors import UsageError
from solon.formats.contract import Format, Piece, lay_out_texts
from solon.formats.records import ExportRow

TASK = {
    "output_type": "multiple_choice",
    "doc_to_text": "prompt",
    "doc_to_choice": "choices",
    "doc_to_target": "answer",
    "target_delimiter": "\n\n",
    "metric_list": [
        {"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")
    ],
}
"""Keys of the task but its name and files."""
_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def choice(row: ExportRow) -> Iterator[Piece]:
    """Yield the prompt with both answers as choices, or why there are none.

    The better one stands second: of two that are equally likely the harness takes the first, which is then wrong.
    """
    return lay_out_texts(
        row, lambda prompt, chosen, rejected: {"prompt": prompt, "choices": [rejected, chosen], "answer": 1}
    )


def write_task(name: str, files: Mapping[str, str]) -> dict[str, str]:
    """Return the YAML of the task by the name of its file, for a folder that holds the data.

    Args:
        name: of the data set; what stands in it beside letters, digits, `_` and `-` becomes `_`.
        files: split -> path of its file, relative to the folder; empty where no row fell into it. Without a `test`,
            all of `train` is the test.

    Raises:
        UsageError: a share for tests was asked for, and holds no row.
    """
    task, tested = _NAME.sub("_", name).strip("_") or "pairs", files.get("test", files["train"])
    if not tested:
        raise UsageError(
            "no pair fell into the test share, so that the task would test nothing, or what was trained on",
            next_step="raise the share (--test-fraction), or leave it out to test all pairs",
        )
    content = {
        "task": task,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": tested}},
        "test_split": "test",
        **TASK,
        "metadata": {"version": 1.0},
    }
    return {f"{task}.yaml": yaml.safe_dump(content, sort_keys=False, allow_unicode=True)}


FORMATS = (
    Format(
        "lm-eval",
        "prompt and two choices for the lm-evaluation-harness, which answer is likelier",
        choice,
        load=TASK,
        beside=write_task,
    ),
)
