"""A tie in the whole record: both texts, who wrote them, and what was said of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., tuple[int, str, str]]
TIED: dict[str, Any] = {
    "id": "t", "prompt": "Name a bird.",
    "responses": [
        {"text": "Wren.", "model": "m1", "scores": {"score": 4.0}, "rating": 0},
        {"text": "Tit.", "source": "book"},
    ],
}  # fmt: skip


@pytest.fixture
def tie(solon: Cli, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Decides the rows' reviews as a tie, and returns the records that the format has."""

    def decide(*rows: dict[str, Any], form: str = "jsonl", flags: str = "") -> list[dict[str, Any]]:
        (tmp_path / "seeds.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (tmp_path / "solon.toml").write_text(
            '[models.default]\nmodel = "scripted:default"\n[routing]\npolicy = "always"\n'
        )
        solon("run", "preference", "--seeds", "seeds.jsonl")
        _, out, _ = solon("review", "list", "--json")
        for review in json.loads(out)["reviews"]:
            _, out, _ = solon("review", "show", review["id"], "--json")
            more = [f"--flag={one['id']}={flags}" for one in json.loads(out)["candidates"] if flags]
            code, _, err = solon("review", "decide", review["id"], "tie", *more)
            assert code == 0, err
        solon("resume")
        code, _, err = solon("export", "-f", form, "-o", f"out.{form}")
        assert code == 0, err
        if form == "csv":
            with (tmp_path / "out.csv").open() as file:
                return [dict(row) for row in csv.DictReader(file)]
        return [json.loads(line) for line in (tmp_path / f"out.{form}").read_text().splitlines()]

    return decide


def test_a_tie_has_both_texts_in_the_whole_record(tie: Callable[..., Any]) -> None:
    (brought, drafted) = sorted(tie(TIED, {"id": "z", "prompt": "Name a river."}), key=lambda r: r["seed_id"])
    assert brought["outcome"] == drafted["outcome"] == "tie"
    assert brought["given"] == {
        "A": {"text": "Wren.", "model": "m1", "scores": {"score": 4.0}, "rating": 0},
        "B": {"text": "Tit.", "source": "book"},
    }
    assert {side: one["model"] for side, one in drafted["given"].items()} == dict.fromkeys(
        "AB", "scripted:default"
    )
    assert all(one["text"] for one in drafted["given"].values())
    assert (brought["chosen"], brought["rejected"], brought["soft_label"]) == (None, None, 0.5)


def test_a_tie_has_both_texts_in_a_table(tie: Callable[..., Any]) -> None:
    (row,) = tie(TIED, form="csv")
    assert [one["text"] for one in json.loads(row["given"]).values()] == ["Wren.", "Tit."]


def test_flagged_texts_of_a_tie_are_withheld(tie: Callable[..., Any]) -> None:
    first, second = TIED["responses"]
    (row,) = tie({**TIED, "responses": [first, {**second, "withheld": "no"}]}, flags="unsafe")
    assert row["given"] == {
        "A": {"model": "m1", "scores": {"score": 4.0}, "rating": 0, "withheld": True},
        "B": {"source": "book", "withheld": True},
    }
