"""A tie in the whole record: both texts, who wrote them, and what was said of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from solon.eval.releases.diff import diff_releases
from solon.eval.releases.releases import TEXTS, create_release, freeze_row, read_rows, verify_release
from solon.store.database.store import Store
from solon.store.records.exporting import export_rows
from solon.store.tables import decisions, records

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


def test_a_release_has_the_texts_of_a_tie_from_the_store_only(
    tie: Callable[..., Any], solon: Cli, tmp_path: Path
) -> None:
    tie(TIED, {"id": "z", "prompt": "Name a river."})
    folder = tmp_path / "one"
    with Store(f"sqlite:///{tmp_path}/solon.db") as store:
        create_release(store, "one", folder)
        assert "Wren." in (folder / "one.jsonl").read_text()
        frozen = next(row for row in read_rows(folder) if row["seed_id"] == "t")
        assert "Wren." not in json.dumps(frozen)
        assert frozen["given"]["B"] == {"text": None, "source": "book"}
        row = next(row for row in export_rows(store)[1] if row.seed_id == "t")
        row.given["A"]["text"] = "Owl."
        assert freeze_row(row)["texts_sha256"] != frozen["texts_sha256"]
        row.given.clear()  # as in releases that were made before ties had texts
        before = json.dumps([getattr(row, name) for name in TEXTS], sort_keys=True)
        assert freeze_row(row)["texts_sha256"] == sha256(before.encode()).hexdigest()
        assert verify_release(store, folder).passed
        assert diff_releases(store, folder).same == 2
        older = (folder / "rows.jsonl").read_text().splitlines()
        stripped = [{**json.loads(line), "given": {}, "texts_sha256": "older"} for line in older]
        (earlier := tmp_path / "earlier").mkdir()
        (earlier / "release.json").write_text((folder / "release.json").read_text())
        (earlier / "rows.jsonl").write_text("\n".join(map(json.dumps, stripped)))
        assert diff_releases(store, earlier).same == 2
        with store.transaction() as connection:  # a second opinion flags both
            for item, shown in connection.execute(select(records.c.item_id, records.c.shown)).all():
                flags = {name: ["unsafe"] for name in shown}
                connection.execute(update(decisions).where(decisions.c.item_id == item).values(flags=flags))
        assert verify_release(store, folder).passed
    code, _, err = solon("forget", frozen["lineage"]["item"], "--yes")
    assert code == 0, err
    with Store(f"sqlite:///{tmp_path}/solon.db") as store:
        failed = {one.name: one.told for one in verify_release(store, folder).checks if not one.passed}
    assert "1 records with erased texts" in failed["rebuilt"]
