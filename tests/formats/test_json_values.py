"""What JSON can say twice or cannot say at all: refused by name, or kept as text, and never lost in silence."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from solon.eval.importing import import_file
from solon.formats.json_values import show
from solon.formats.seed_files import BadRow
from solon.formats.seed_rows import SeedRow
from solon.formats.seeds import read_seed_rows, read_seeds
from solon.project import Project


def read(tmp_path: Path, line: str) -> SeedRow | BadRow:
    path = tmp_path / "seeds.jsonl"
    path.write_text(line)
    (row,) = read_seeds(path)
    return row


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('{"prompt": "a", "prompt": "b"}', "prompt"),
        ('{"prompt": "a", "x": 1, "x": 1}', "x"),
        ('{"prompt": "a", "more": {"deep": [{"y": 1, "y": 2}]}}', "y"),
        ('{"prompt": "a", "responses": "[{\\"text\\": \\"s\\", \\"text\\": \\"t\\"}]"}', "text"),
    ],
)
def test_a_key_that_stands_twice_is_named(tmp_path: Path, line: str, name: str) -> None:
    row = read(tmp_path, line)
    assert isinstance(row, BadRow)
    assert f"the key '{name}' stands twice" in row.reason


def test_an_import_refuses_such_a_row_and_takes_the_others(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    twice = '{"prompt": "p", "chosen": "x", "chosen": "z", "rejected": "y"}'
    file.write_text(f'{twice}\n{{"prompt": "q", "chosen": "x", "rejected": "y", "score": Infinity}}\n')
    config = {"models": {"default": {"model": "scripted:default"}}}
    with Project(f"sqlite:///{tmp_path / 'store.db'}", config=config) as project:
        found = import_file(project, "auto", file)
        (record,) = project.records()
    assert found.seeds == 1
    (refusal,) = found.refusals
    assert refusal.startswith("line 1: ")
    assert "'chosen' stands twice" in refusal
    assert record.metadata == {"score": "Infinity"}


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_not_finite_is_kept_as_text_in_metadata(tmp_path: Path, word: str) -> None:
    row = read(tmp_path, f'{{"prompt": "a", "score": {word}, "more": [{word}]}}')
    assert isinstance(row, SeedRow)
    assert row.metadata == {"score": word, "more": [word]}


def test_in_a_column_of_a_seed_it_is_missing_or_refused(tmp_path: Path) -> None:
    row = read(tmp_path, '{"prompt": "a", "lang": NaN}')
    assert isinstance(row, SeedRow)
    assert row.lang is None
    row = read(tmp_path, '{"prompt": "a", "lang": Infinity}')
    assert isinstance(row, BadRow)
    assert row.reason == "lang is Infinity, which is no value of it"


def test_so_it_is_in_rows_of_python_where_nan_is_a_gap_in_a_table() -> None:
    (row,) = read_seed_rows([{"prompt": "a", "x": math.inf, "y": -math.inf, "gap": math.nan}])
    assert isinstance(row, SeedRow)
    assert row.metadata == {"x": "Infinity", "y": "-Infinity", "gap": None}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"messages": [{"role": None, "content": "x"}]}, "messages[0].role is null;"),
        ({"messages": [{"role": True, "content": "x"}]}, "messages[0].role is true;"),
        ({"prompt": "a", "verdicts": [{"judge": "j", "verdict": False}]}, "verdicts[0].verdict is false;"),
        ({"prompt": [None, True]}, "prompt is a list, not text: [null, true]"),
    ],
)
def test_refusals_use_the_words_of_json(row: dict[str, Any], told: str) -> None:
    (found,) = read_seed_rows([row])
    assert isinstance(found, BadRow)
    assert told in found.reason


def test_a_line_that_is_no_object_is_told_by_what_json_calls_it(tmp_path: Path) -> None:
    kinds = {"null": "null", "[1]": "a list", '"x"': "a text", "3": "a number", "true": "true/false"}
    for line, kind in kinds.items():
        row = read(tmp_path, f"[{line}]")
        assert isinstance(row, BadRow)
        assert row.reason == f"not a JSON object but {kind}"


def test_a_value_is_shown_in_part_whatever_it_is() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert show(deep) == "a list"
    assert show("x" * 100, 5) == "'xxxx"
    assert (show(math.nan), show(math.inf), show(0.5)) == ("NaN", "Infinity", "0.5")
