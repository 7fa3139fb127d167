"""`solon eval labels` on the command line: what it prints, writes and opens, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


@pytest.fixture
def file(folder: Path) -> Path:
    words = {"card": ("card chip pin", "contactless card"), "fee": ("fee charge price", "charge cost")}
    rows = [
        {"body": f"{words[label][i % 2]} {'abcdefghij'[i]} {'klmnopqrst'[i]}", "topic": label}
        for label in words
        for i in range(10)
    ]
    rows[2]["topic"], rows[3]["topic"] = "fee", "Card"
    name = folder / "rows.jsonl"
    name.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return name


def test_a_file_is_checked_without_a_store(solon: Cli, folder: Path, file: Path) -> None:
    arguments = ("eval", "labels", str(file), "--text", "body", "--label", "topic", "--features", "words")
    told = solon(*arguments, "--output", "suspects.jsonl")
    assert told.code == 0
    assert "line 4: label 'Card' differs from 'card'" in told.out
    assert "with --review" in told.out
    first, *_ = (folder / "suspects.jsonl").read_text(encoding="utf-8").splitlines()
    assert (json.loads(first)["line"], json.loads(first)["suggested"]) == (3, "card")
    assert not list(folder.glob("*.db")), "no store was begun"
    assert solon(*arguments, "--json").json["suspects"][0]["line"] == 3


def test_reviews_are_opened_and_shown_without_the_label(solon: Cli, file: Path) -> None:
    columns = ("--text", "body", "--label", "topic", "--features", "words")
    arguments = ("eval", "labels", str(file), *columns, "--top", "1")
    opened = solon(*arguments, "--review", "--json").json
    assert opened["opened"] == opened["waiting"] == 1
    [review] = solon("review", "list", "--json").json["reviews"]
    shown = solon("review", "show", review["id"], "--json").out
    assert "topic" not in shown
    assert solon("review", "decide", review["id"], "card", "--rationale", "so").code in (0, 3)
    found = solon(*arguments, "--json").json
    assert (found["reviewed"]["value"], found["reviewed"]["n"]) == (1.0, 1)
    assert found["suspects"][0]["decided"] == "card"


def test_wrong_options_are_named(solon: Cli, file: Path) -> None:
    solon("eval", "labels", str(file)).fails(2, "no column of texts", "--text")
    solon("eval", "labels", "nowhere.jsonl").fails(2, "there is no file nowhere.jsonl")
    solon("eval", "labels", str(file), "--output", "x.txt").fails(2, ".jsonl or .csv")
