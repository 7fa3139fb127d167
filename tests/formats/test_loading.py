"""Every format is read back by the library that will read it: `datasets` or `pandas`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from solon.formats import span_formats
from solon.formats.exports import FORMATS, export
from solon.formats.records import Completion, CritiqueOf, ExportRow, ScoredRow
from solon.formats.tables import disarm

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "And now?"},
]
MARKS = {form.name for form in span_formats.FORMATS}
"""Formats of marked texts, which the records of this file are not: see test_spans."""
JSONL = sorted(name for name, form in FORMATS.items() if form.container == "jsonl" and name not in MARKS)
CRITERIA = [{"id": "C1", "name": "", "text": "Says so.", "weight": 1.0, "scores": []}]
TRICKY = '=1+1, "quoted"\r\nand\ranother\nline; ünï \U0001f600 \u2028 end'


def rows() -> list[ExportRow]:
    """Rows whose optional values come late and whose lineage and metadata change their shape."""
    made = []
    for n in range(60):
        ask = [{"role": "user", "content": f"Question {n}?"}]
        made.append(
            ScoredRow(
                id=f"r{n}",
                recipe="preference" if n % 3 else "instruction",
                seed_id=f"s{n}",
                prompt=f"Question {n}?",
                messages=CHAT if n % 10 == 9 else ask,
                chosen=TRICKY if n % 3 else None,
                rejected=f"Bad {n}" if n % 3 else None,
                response=None if n % 3 else f"Answer {n}",
                margin=0.5 if n > 40 else None,
                lang="en" if n > 30 else None,
                flags=("unsafe",) if n == 50 else (),
                completions=(
                    Completion("k1", "scripted:default", f"Good {n}", 4.5, {"clear": 5.0, "true": 4.0}),
                    Completion("k2", "given", f"Bad {n}", 2.0, {"clear": 2.0, "true": 2.0}),
                ),
                critiques=(CritiqueOf("Bad", ("- minor, clear: Say it.",), revision=f"Good {n}"),),
                faults={"chosen": [[0, 3]], "rejected": []} if n < 50 else {},
                lineage={"calls": ["c"], "criteria": CRITERIA, **({"decision": "d1"} if n > 45 else {})},
                metadata={"k": n if n % 2 else "text"} if n > 20 else {},
            )
        )
    return made


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    loaded = pytest.importorskip("datasets")
    loaded.disable_progress_bars()
    return loaded


@pytest.mark.parametrize("name", JSONL)
def test_datasets_loads(tmp_path: Path, datasets: Any, name: str) -> None:
    path = tmp_path / "out.jsonl"
    summary = export(rows(), format=name, path=path)
    loaded = datasets.load_dataset(
        "json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    written = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    assert len(loaded) == summary.written == len(written) > 0
    for got, want in zip(loaded, written, strict=True):
        assert got == want


def test_datasets_types_of_a_preference_set(tmp_path: Path, datasets: Any) -> None:
    export(rows(), format="trl-preference", path=tmp_path / "p.jsonl", test_fraction=0.3)
    files = {split: str(tmp_path / f"p.{split}.jsonl") for split in ("train", "test")}
    loaded = datasets.load_dataset("json", data_files=files, cache_dir=str(tmp_path / "cache"))
    turn = [{"role": datasets.Value("string"), "content": datasets.Value("string")}]
    for split in ("train", "test"):
        assert loaded[split].num_rows > 0
        for column in ("prompt", "chosen", "rejected"):
            assert loaded[split].features[column] == datasets.List(turn[0])


def test_parquet_loads_with_datasets_and_pandas(tmp_path: Path, datasets: Any) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "out.parquet"
    summary = export(rows(), format="parquet", path=path)
    loaded = datasets.load_dataset(
        "parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    frame = pandas.read_parquet(path)
    assert len(loaded) == len(frame) == summary.written == 60
    assert loaded[1]["chosen"] == frame["chosen"][1] == TRICKY
    assert loaded[9]["messages"] == CHAT
    assert json.loads(loaded[59]["lineage"]) == {"calls": ["c"], "criteria": CRITERIA, "decision": "d1"}
    assert loaded[50]["withheld"] == ["chosen"]
    assert loaded[50]["chosen"] is None
    assert loaded.features["margin"].dtype == "float64"


def test_an_empty_parquet_table_has_the_same_columns(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    export([], format="parquet", path=tmp_path / "none.parquet")
    export(rows(), format="parquet", path=tmp_path / "some.parquet")
    none, some = (parquet.read_schema(tmp_path / f"{name}.parquet") for name in ("none", "some"))
    assert none.equals(some)


def test_csv_loads_with_pandas_and_the_csv_module(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "out.csv"
    summary = export(rows(), format="csv", path=path)
    frame = pandas.read_csv(path, keep_default_na=False)
    assert len(frame) == summary.written == 60
    assert frame["chosen"][1] == TRICKY
    assert json.loads(frame["messages"][9]) == CHAT
    assert json.loads(frame["metadata"][21]) == {"k": 21}
    with path.open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert table[1]["chosen"] == TRICKY
    assert table[0]["margin"] == ""
    assert table[59]["margin"] == "0.5"


def test_no_cell_of_the_spreadsheet_form_is_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    export(rows(), format="csv-spreadsheet", path=path)
    with path.open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert table[1]["chosen"] == "'" + TRICKY
    assert not any(
        cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in table for cell in row.values()
    )


@pytest.mark.parametrize(
    "cell", ["=1", "\n=1", " \n+1", "\u00a0-1", "\uff1d1", "\ufeff\uff20x", "\tq", "\rq"]
)
def test_what_a_spreadsheet_may_run_is_disarmed(cell: str) -> None:
    assert disarm(cell) == f"'{cell}"
    assert disarm(f"x{cell}") == f"x{cell}"


def test_trl_recognises_its_own_types(tmp_path: Path, datasets: Any) -> None:
    trl = pytest.importorskip("trl.data_utils", reason="trl is not installed")

    def load(name: str) -> Any:
        path = tmp_path / f"{name}.jsonl"
        export([row for row in rows() if row.has_pair and not row.flags], format=name, path=path)
        return datasets.load_dataset(
            "json", data_files=str(path), split="train", cache_dir=str(tmp_path / "c")
        )

    for name in (name for name in JSONL if name.startswith("trl-")):
        plain = name.endswith("-standard") or name == "trl-stepwise"  # TRL knows steps as texts only
        assert trl.is_conversational(load(name)[0]) == (not plain)
    unpaired = trl.unpair_preference_dataset(load("trl-preference"))
    ours = load("trl-unpaired-preference")
    both = [sorted(json.dumps(row, sort_keys=True) for row in data) for data in (unpaired, ours)]
    assert both[0] == both[1]
