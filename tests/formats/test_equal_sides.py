"""Sides that a format makes equal are left out by every format, and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon.formats.contract import Format
from solon.formats.exports import FORMATS, export
from solon.formats.records import ExportRow

ASK = [{"role": "user", "content": "Name a nut."}]
PAIRS = [name for name in sorted(FORMATS) if not FORMATS[name].whole and FORMATS[name].container == "jsonl"]


def pair(chosen: str, rejected: str, **facts: Any) -> ExportRow:
    return ExportRow(
        id="r", recipe="preference", seed_id="s", prompt="Name a nut.", messages=ASK, chosen=chosen, rejected=rejected,
        **facts,
    )  # fmt: skip


def written(tmp_path: Path, name: str, row: ExportRow) -> tuple[list[Any], dict[str, int]]:
    summary = export([row], format=name, path=tmp_path / "o.jsonl")
    return [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()], summary.left_out


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        ("Hazel. ", "Hazel."),
        ("\n\nHazel.", "Hazel.\t"),
        ("Hazel.\r\n", "Hazel."),
        ("\u00a0Hazel.", "Hazel."),
        ("x", "x"),
    ],
)
def test_sides_that_differ_around_their_text_only_are_in_no_set_to_learn_from(
    tmp_path: Path, name: str, chosen: str, rejected: str
) -> None:
    rows, left_out = written(tmp_path, name, pair(chosen, rejected))
    assert not any("rejected" in row or "label" in row for row in rows)
    if "preference" in name or name in ("llama-factory", "axolotl", "openrlhf"):
        assert (rows, left_out) == ([], {"identical": 1})


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    ("chosen", "rejected"), [("Hazel", "hazel"), ("a  b", "a b"), ("a\nb", "a b"), ("\u00e9", "e\u0301")]
)
def test_sides_that_differ_within_are_kept(tmp_path: Path, name: str, chosen: str, rejected: str) -> None:
    assert "identical" not in written(tmp_path, name, pair(chosen, rejected))[1]


@pytest.mark.parametrize("name", ["jsonl", "csv", "csv-spreadsheet", "parquet"])
def test_a_whole_record_is_written_whatever_it_says(name: str) -> None:
    [piece] = FORMATS[name].pieces(pair("Hazel. ", "Hazel."))
    assert isinstance(piece, dict)


def test_the_test_is_of_what_a_format_writes_not_of_the_record() -> None:
    def cut(row: ExportRow) -> Any:
        yield {"chosen": (row.chosen or "")[:5], "rejected": (row.rejected or "")[:5]}

    shortened = Format("cut", "the first five characters", cut)
    assert [getattr(piece, "reason", None) for piece in shortened.pieces(pair("Hazelnut", "Hazel"))] == [
        "identical"
    ]
