"""The task folder of `lm-eval`: read by the harness itself where it is installed, else by its keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from solon.errors import UsageError
from solon.formats.folder import export_folder
from solon.formats.records import ExportRow

HOSTILE = "42 {{ 7 * 7 }} {% raw %} ['x'"
"""What a template would render, and what Python would read."""


def pair(n: int, prompt: str) -> ExportRow:
    asked = [{"role": "user", "content": prompt}]
    return ExportRow(
        id=f"r{n}", recipe="preference", seed_id=f"s{n}", prompt=prompt, messages=asked,
        chosen=f"Good {HOSTILE} {n}", rejected=f"Bad {n}: " + "x" * n * 60, label="prefer",
    )  # fmt: skip


@pytest.fixture
def task_folder(tmp_path: Path) -> Path:
    rows = [pair(0, HOSTILE), pair(1, "42"), pair(2, "Why?")]
    export_folder(rows, format="lm-eval", path=tmp_path / "set")
    return tmp_path / "set"


def test_a_folder_holds_a_task_that_names_its_columns(task_folder: Path) -> None:
    task = yaml.safe_load((task_folder / "set.yaml").read_text("utf-8"))
    file = task_folder / task["dataset_kwargs"]["data_files"][task["test_split"]]
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert {task[key] for key in ("doc_to_text", "doc_to_choice", "doc_to_target")} == set(rows[0])
    assert [row["choices"][row["answer"]] for row in rows] == [f"Good {HOSTILE} {n}" for n in range(3)]


def test_the_share_for_tests_is_what_is_tested(tmp_path: Path) -> None:
    rows = [pair(n, f"Why {n}?") for n in range(20)]
    export_folder(rows, format="lm-eval", path=tmp_path / "a: b!", test_fraction=0.3)
    task = yaml.safe_load((tmp_path / "a: b!" / "a_b.yaml").read_text("utf-8"))
    assert task["dataset_kwargs"] == {"data_files": {"test": "data/records.test.jsonl"}}


def test_a_share_for_tests_without_a_pair_is_refused(tmp_path: Path) -> None:
    rows = [pair(n, f"Why {n}?") for n in range(2)]
    with pytest.raises(UsageError, match="raise the share"):
        export_folder(rows, format="lm-eval", path=tmp_path / "set", test_fraction=0.001)
    assert not (tmp_path / "set").exists()


def test_the_harness_runs_the_task(task_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a model to which the shorter answer is the likelier one, which is right in two of three."""
    pytest.importorskip("lm_eval", reason="lm-eval is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(task_folder)
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    asked: list[tuple[str, str]] = []

    class Shorter(LM):
        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            asked.extend(request.args for request in requests)
            return [(-(float(len(request.args[1])) ** 2), False) for request in requests]

        def loglikelihood_rolling(self, requests: list[Any]) -> list[Any]:
            raise NotImplementedError

        def generate_until(self, requests: list[Any]) -> list[Any]:
            raise NotImplementedError

    manager = TaskManager(include_path=str(task_folder), include_defaults=False)
    results = simple_evaluate(Shorter(), tasks=["set"], task_manager=manager, bootstrap_iters=0)
    found = results["results"]["set"]
    assert found["acc,none"] == pytest.approx(2 / 3)
    assert found["acc_norm,none"] == pytest.approx(2 / 3)
    assert {context for context, _ in asked} == {HOSTILE, "42", "Why?"}
    assert (HOSTILE, f"\n\nGood {HOSTILE} 0") in asked
