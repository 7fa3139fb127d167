"""Rows in which the column that tells the better answer is empty: nothing else decides them, and the layout stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon.config import Config
from solon.eval import importing
from solon.formats.imports import FORMATS, read_mapped
from solon.formats.layouts import maps_in_use
from solon.formats.presets import ALIKE, COMMON, SETS
from tests.exchange.reading import read_import

Row = dict[str, Any]
SAFER: Row = {"is_response_0_safe": True, "is_response_1_safe": False, "safer_response_id": 0}
PARTS = {"annotations": {"helpfulness": {"Rating": "5"}}}
FILES: list[tuple[str, str, list[Row]]] = [
    (
        "pku-saferlhf",
        "better_response_id",
        [
            {"prompt": f"q{n}", "response_0": "a", "response_1": "b", **SAFER, "better_response_id": 1}
            for n in range(3)
        ],
    ),
    (
        "helpsteer",
        "helpfulness",
        [
            {"prompt": f"q{n}", "response": "a", "helpfulness": 4, "correctness": 4, "coherence": 4}
            for n in range(3)
        ],
    ),
    (
        "choice",
        "winner",
        [
            {
                "prompt": f"q{n}",
                "answer_a": "a",
                "answer_b": "b",
                "winner": "a",
                "preference": "b",
                "answer": "x",
            }
            for n in range(3)
        ],
    ),
]


@pytest.mark.parametrize("hole", [None, "", "absent"])
@pytest.mark.parametrize(("name", "column", "rows"), FILES, ids=[name for name, _, _ in FILES])
def test_a_row_with_a_hole_is_undecided(
    name: str, column: str, rows: list[Row], hole: str | None, tmp_path: Path
) -> None:
    rows = [dict(row) for row in rows]
    rows[1][column] = hole
    if hole == "absent":
        del rows[1][column]
    (file := tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    content = importing._Read(importing.AUTO)
    said = [one.said for one, _ in importing._read(content, file, None, Config())]
    assert content.format == name
    assert [bool(each) for each in said] == [True, False, True]
    assert content.skipped == {f"without_{column}": 1}
    assert not content.bad


def completion(text: str, overall: float | None) -> Row:
    return {"response": text, "model": text, "overall_score": overall, "fine-grained_score": 5, **PARTS}


def test_a_score_of_another_name_never_decides() -> None:
    rows = [
        {"instruction": f"q{n}", "completions": [completion("a", score), completion("b", 2.0)]}
        for n, score in enumerate((1.0, 3.0))
    ]
    hole: Row = {
        "instruction": "q",
        "completions": [
            {**completion("a", None), "fine-grained_score": 1},
            {**completion("b", None), "fine-grained_score": 2},
        ],
    }
    read = FORMATS["ultrafeedback"].settled
    assert read is not None
    *_, pair = read([*rows, hole])(hole)
    assert pair.said == ()  # type: ignore[union-attr]


def test_maps_of_rows_that_no_row_shares_stay() -> None:
    pairs = next(one for one in COMMON if one.name == "trl-preference")
    rows = [{"prompt": "q", "chosen": "a", "rejected": "b"}, {"prompt": "q", "winner": "a", "loser": "b"}]
    used = maps_in_use(pairs.maps, rows)
    assert all(list(read_mapped(used, row)) for row in rows)


@pytest.mark.parametrize("preset", [*SETS, *COMMON, *ALIKE], ids=lambda preset: preset.name)
def test_every_layout_keeps_a_map_for_rows_not_seen(preset: Any) -> None:
    assert maps_in_use(preset.maps, []) == preset.maps


def test_a_rating_that_is_no_number_is_refused_by_its_name(tmp_path: Path) -> None:
    rated = {"prompt": "q", "response": "a", "correctness": 4, "coherence": 4}
    rows = [
        {**rated, "response": str(n), "helpfulness": rating} for n, rating in enumerate((4, "high", "N/A"))
    ]
    (file := tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = read_import("helpsteer", file)
    assert [bool(one.said) for one in found.seeds] == [True, False]
    assert [bad.reason for bad in found.bad] == ["helpfulness is 'high'; it must be a number"]
