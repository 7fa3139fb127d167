"""A set to learn from never holds a pair and its opposite, nor an answer that is accepted and rejected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon import Project
from solon.eval.importing import import_file
from solon.eval.releases.releases import create_release, read_rows, verify_release
from solon.formats.exports import FORMATS

PAIRS = [
    ("p", "x", "y"),
    ("p", "y", "x"),
    ("p", "x", "z"),
    ("q", "y", "x"),
    ("r", "a\nb", "c"),
    ("r", "c", "a\r\nb"),
    ("s", "x", "y"),
    ("s", "x", "y"),
]
SINGLES = [("p", "x", True), ("p", "x", False), ("p", "y", False), ("q", "x", True)]
LEARNED = [name for name in sorted(FORMATS) if not FORMATS[name].whole and "prompt-only" not in name]


def make(url: str, folder: Path, name: str, rows: list[dict[str, Any]]) -> Any:
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps({**row, "id": f"{name}{n}"}) + "\n" for n, row in enumerate(rows)))
    with Project(url, config={"models": {"default": {"model": "scripted:default"}}}) as project:
        return import_file(project, "auto", file)


@pytest.fixture
def settled(store_url: str, tmp_path: Path) -> str:
    """A store in which people settled the pairs and the single answers."""
    pairs = [{"prompt": p, "chosen": chosen, "rejected": rejected} for p, chosen, rejected in PAIRS]
    found = make(store_url, tmp_path, "pairs", pairs)
    assert found.contradictions == [2, 6]
    singles = [{"prompt": p, "completion": text, "label": label} for p, text, label in SINGLES]
    assert make(store_url, tmp_path, "singles", singles).contradictions == [2]
    return store_url


def exported(url: str, path: Path, name: str, **which: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    with Project(url) as project:
        summary = project.export(name, path, **which)
    return [json.loads(line) for line in path.read_text().splitlines()], summary.left_out


def test_neither_a_pair_nor_its_opposite_is_a_pair_to_learn_from(settled: str, tmp_path: Path) -> None:
    rows, left_out = exported(settled, tmp_path / "o.jsonl", "trl-preference-standard")
    kept = [(row["prompt"], row["chosen"], row["rejected"]) for row in rows]
    assert kept == [PAIRS[2], PAIRS[3], PAIRS[6], PAIRS[7]]
    assert left_out["contradicted"] == 4 + 2


def test_every_format_leaves_both_out_under_a_reason_of_its_own(settled: str, tmp_path: Path) -> None:
    files = {name: tmp_path / ("o.conll" if name == "conll" else "o.jsonl") for name in LEARNED}
    found = {name: exported(settled, files[name], name)[1]["contradicted"] for name in LEARNED}
    assert found == dict.fromkeys(LEARNED, 4 + 2)


def test_an_answer_that_is_accepted_and_rejected_has_neither_label(settled: str, tmp_path: Path) -> None:
    rows, _ = exported(
        settled, tmp_path / "o.jsonl", "trl-unpaired-preference-standard", recipe="instruction"
    )
    kept = {(row["prompt"], row["completion"], row["label"]) for row in rows}
    assert kept == set(SINGLES[2:])


def test_whole_records_say_so_and_prompts_are_kept(settled: str, tmp_path: Path) -> None:
    rows, left_out = exported(settled, tmp_path / "o.jsonl", "jsonl")
    assert sum(row["outcome"] == "contradicted" for row in rows) == 4 + 2
    assert left_out == {}
    rows, left_out = exported(settled, tmp_path / "p.jsonl", "trl-prompt-only", recipe="preference")
    assert (len(rows), left_out) == (len(PAIRS), {})


def test_what_is_not_exported_contradicts_nothing(settled: str, tmp_path: Path) -> None:
    again = [{"prompt": "s", "chosen": "y", "rejected": "x"}]
    make(settled, tmp_path, "later", again)
    with Project(settled) as project:
        [first] = {row.lineage["run"] for row in project.records(all_runs=True) if row.seed_id == "pairs0"}
    rows, left_out = exported(settled, tmp_path / "o.jsonl", "trl-preference", run_id=first)
    assert (len(rows), left_out["contradicted"]) == (4, 4)


def test_a_release_leaves_them_out_and_is_rebuilt(settled: str, tmp_path: Path) -> None:
    with Project(settled) as project:
        manifest = create_release(project.store, "one", tmp_path / "one", format="trl-preference")
        assert manifest["export"]["left_out"]["contradicted"] == 4
        assert sum(row["outcome"] == "contradicted" for row in read_rows(tmp_path / "one")) == 4
        assert verify_release(project.store, tmp_path / "one").passed


@pytest.mark.parametrize(
    ("again", "chosen", "rejected"),
    [
        ("p", "y ", "x"),
        ("p", "\n\ny", "x\t"),
        (" p\n", "y", "\u00a0x"),
        ("p", "y", "x\u3000"),
        ("p", "\u2028y", "\x1fx"),
    ],
)
def test_white_space_around_a_text_makes_no_other_pair(
    store_url: str, tmp_path: Path, again: str, chosen: str, rejected: str
) -> None:
    pairs = [
        {"prompt": "p", "chosen": "x", "rejected": "y"},
        {"prompt": again, "chosen": chosen, "rejected": rejected},
        {"prompt": "q", "chosen": "x", "rejected": "y"},
    ]
    assert make(store_url, tmp_path, "pairs", pairs).contradictions == [2]
    rows, left_out = exported(store_url, tmp_path / "o.jsonl", "trl-preference-standard")
    assert ([row["prompt"] for row in rows], left_out) == (["q"], {"contradicted": 2})
    whole, _ = exported(store_url, tmp_path / "all.jsonl", "jsonl")
    assert [row["chosen"] for row in whole] == ["x", chosen, "x"]


def test_white_space_around_a_single_answer_makes_no_other_answer(store_url: str, tmp_path: Path) -> None:
    singles = [("p", "x", True), ("p", "x\n", False), ("p", "y", False)]
    rows = [{"prompt": p, "completion": text, "label": label} for p, text, label in singles]
    assert make(store_url, tmp_path, "singles", rows).contradictions == [2]
    kept, left_out = exported(store_url, tmp_path / "o.jsonl", "trl-unpaired-preference-standard")
    assert [row["completion"] for row in kept] == ["y"]
    assert left_out == {"contradicted": 2}
