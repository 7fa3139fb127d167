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
    content, found = read(rows, tmp_path)
    assert content.format == name
    assert [bool(one.said) for one in found] == [True, False, True]
    assert content.skipped == {f"without_{column}": 1}
    assert not content.bad


def read(rows: list[Row], folder: Path, name: str = importing.AUTO, limit: int | None = None) -> Any:
    """What was read, with the seeds as `found`."""
    (file := folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    content: Any = importing._Read(name)
    found = [one for one, _ in importing._read(content, file, limit, Config())]
    return content, found


TWO: Row = {"answer_a": "a", "answer_b": "b"}


@pytest.mark.parametrize(("column", "other"), [("winner", "label"), ("preference", "winner")])
@pytest.mark.parametrize("place", [10, 50])
def test_no_other_column_decides_where_the_first_is_empty(
    column: str, other: str, place: int, tmp_path: Path
) -> None:
    rows = [{"prompt": f"q{n}", **TWO, column: "a", other: ""} for n in range(50)]
    rows.insert(place, {"prompt": "hole", **TWO, column: "", other: "b"})
    content, found = read(rows, tmp_path, "choice")
    assert [one.seed["messages"][-1]["content"] for one in found if not one.said] == ["hole"]
    assert content.skipped == {f"without_{column}": 1}


def test_answers_of_other_columns_are_read_in_the_same_file(tmp_path: Path) -> None:
    turns = {"messages": [{"role": "user", "content": "m"}, {"role": "assistant", "content": "x"}]}
    short = {"prompt": "m", "completion": "x"}
    rows = [*([turns] * 20), turns | short, *([short] * 15)]
    rows = [row | {"number": n} for n, row in enumerate(rows)]
    for label in ({}, {"label": True}):
        content, found = read([row | label for row in rows], tmp_path)
        assert content.format == ("trl-unpaired-preference" if label else "trl-sft")
        assert (len(found), content.bad) == (36, [])


def test_a_layout_of_the_minority_is_not_that_of_the_file(tmp_path: Path) -> None:
    plain = [{"prompt": f"q{n}", "completion": "a"} for n in range(30)]
    pairs = [{"prompt": f"p{n}", "chosen": "a", "rejected": "b"} for n in range(16)]
    content, found = read([*plain, *pairs], tmp_path)
    assert (content.format, len(found)) == ("trl-sft", 30)


def test_only_rows_that_wait_are_counted_each_once(tmp_path: Path) -> None:
    scores = {"score_chosen": 5, "score_rejected": 2}
    pairs = [
        {"prompt": f"p{n}", "chosen": "a", "rejected": "b", **(scores if n % 5 < 3 else {})}
        for n in range(20)
    ]
    content, found = read(pairs, tmp_path)
    assert content.format == "ultrafeedback-binarized"
    assert all(one.said for one in found)
    assert content.skipped == {}
    rated = [
        {"instruction": f"q{n}", "completions": [completion("a", 1.0), completion("b", 2.0)]}
        for n in range(3)
    ]
    rated[1]["completions"] = [completion(text, None) for text in "abc"]  # two pairs of one row
    content, found = read(rated, tmp_path)
    assert [bool(one.said) for one in found] == [True, False, False, True]
    assert content.skipped == {"without_overall_score": 1}


@pytest.mark.parametrize("key", ["text", "content", "value", "message"])
def test_messages_of_a_tree_have_their_text_under_any_usual_name(key: str, tmp_path: Path) -> None:
    def node(who: str, said: str, *replies: Row, **more: Any) -> Row:
        return {"role": who, "text": "", key: said, "replies": [*replies], **more}

    tree = node(
        "prompter",
        "Q?",
        node("assistant", "x", rank=1),
        node("assistant", "y", rank=0),
        node("assistant", " "),
    )
    content, (pair,) = read([{"message_tree_id": "t", "prompt": tree}], tmp_path, "oasst")
    assert content.skipped == {"empty_message": 1}
    assert sorted(one["text"] for one in pair.seed["responses"]) == ["x", "y"]
    assert pair.metadata == {"message_tree_id": "t", "message": {}}


def test_a_limit_counts_the_trees_that_it_allows(tmp_path: Path) -> None:
    rows = [
        {"message_id": f"{n}{part}", "parent_id": f"{n}" if part else None, "role": who, "text": f"{part}?"}
        for n in range(3)
        for part, who in (("", "prompter"), ("a", "assistant"), ("b", "assistant"))
    ]
    assert [read(rows, tmp_path, "oasst", limit)[0].rows for limit in (1, None)] == [1, 9]


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
    settled = FORMATS["ultrafeedback"].settled
    assert settled is not None
    *_, pair = settled([*rows, hole])(hole)
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
