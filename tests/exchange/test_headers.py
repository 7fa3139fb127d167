"""Headers are understood whatever their capitals and blanks; refusals and unused columns are summed up in lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project
from solon.formats.seed_files import BadRow, sum_up

Cli = Callable[..., tuple[int, str, str]]
STORE = "sqlite:///imported.db"


def records() -> list[tuple[str, str | None, str | None]]:
    with Project(STORE, create=False) as project:
        return [(row.prompt, row.chosen, row.rejected) for row in project.records()]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Prompt,Chosen,Rejected", "p,x,y"),
        (" PROMPT , chosen ,REJECTED", "p,x,y"),
        ("Prompt,Response A,Response B,Winner", "p,x,y,A"),
        ("prompt,response_A,response_B,Winner", "p,y,x,response_B"),
        ("Instruction,Chosen Response,Rejected Response", "p,x,y"),
    ],
)
def test_a_table_is_imported_whatever_its_headers_look_like(
    solon: Cli, tmp_path: Path, header: str, row: str
) -> None:
    (tmp_path / "table.csv").write_text(f"{header}\n{row}\n")
    code, _, err = solon("import", "auto", "table.csv", "--store", STORE)
    assert code == 0, err
    assert records() == [("p", "x", "y")]


@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_so_are_keys_of_json_and_other_columns_keep_their_names(
    solon: Cli, tmp_path: Path, ending: str
) -> None:
    row = {" Prompt": "p", "Chosen ": "x", "Rejected": "y", "Topic Area": "nuts", "rejected ": "z"}
    (tmp_path / f"rows.{ending}").write_text(json.dumps([row]) if ending == "json" else json.dumps(row))
    code, out, err = solon("import", "auto", f"rows.{ending}", "--store", STORE)
    assert code == 0, err
    assert records() == [("p", "x", "y")]
    assert "columns not used, kept as metadata: Topic Area, rejected " in out


def test_a_map_of_ones_own_names_columns_with_capitals(solon: Cli, tmp_path: Path) -> None:
    (tmp_path / "solon.toml").write_text(
        '[models.default]\nmodel = "scripted:default"\n'
        '[import]\nmap = { prompt = "Question", chosen = "Good", rejected = "Bad" }\n'
    )
    (tmp_path / "table.csv").write_text("question,GOOD,Bad\np,x,y\n")
    code, _, err = solon("import", "map", "table.csv", "--store", STORE)
    assert code == 0, err
    assert records() == [("p", "x", "y")]


def labelled(*labels: Any, name: str = "label") -> str:
    rows = [{"prompt": f"p{n}", "completion": "x", name: label} for n, label in enumerate(labels)]
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_many_rows_that_are_refused_for_one_cause_are_one_line(solon: Cli, tmp_path: Path) -> None:
    (tmp_path / "kto.jsonl").write_text(labelled(True, *["maybe"] * 30))
    code, out, _ = solon("import", "auto", "kto.jsonl", "--store", STORE)
    assert code == 0
    assert "refused: 30 rows" in out
    assert "30 rows (lines 2, 3, 4, ...): label is 'maybe'" in out
    assert out.count("maybe") == 1


def test_where_every_row_is_refused_the_error_counts_them(solon: Cli, tmp_path: Path) -> None:
    (tmp_path / "kto.jsonl").write_text(labelled(*["maybe"] * 30))
    code, _, err = solon("import", "auto", "kto.jsonl", "--store", STORE)
    assert code != 0
    assert "30 rows (lines 1, 2, 3, ...): label is 'maybe'" in err
    assert err.count("maybe") == 1


def test_a_label_under_a_name_that_is_not_known_is_said_not_to_be_used(solon: Cli, tmp_path: Path) -> None:
    (tmp_path / "kto.jsonl").write_text(labelled(True, False, name="thumbs"))
    code, out, _ = solon("import", "auto", "kto.jsonl", "--store", STORE)
    assert code == 0
    assert "columns not used, kept as metadata: thumbs" in out


def test_reasons_are_summed_up_the_commonest_first() -> None:
    rows = [BadRow(n, f"reason {n % 5 if n < 20 else 9}", "") for n in range(1, 25)]
    assert sum_up(rows) == [
        "5 rows (lines 20, 21, 22, ...): reason 9",
        "4 rows (lines 1, 6, 11, ...): reason 1",
        "4 rows (lines 2, 7, 12, ...): reason 2",
        "11 rows for 3 other reasons",
    ]
    assert sum_up([BadRow(7, "empty", "")]) == ["line 7: empty"]
