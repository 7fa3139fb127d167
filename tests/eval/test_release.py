"""Releases: rebuilt to the byte whatever the store did since, and honest about what cannot be rebuilt."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from solon.errors import UsageError
from solon.eval.benchmark import Contaminated, Gate
from solon.eval.release import create_release, read_manifest, read_rows, verify_release
from solon.eval.release_diff import diff_releases
from solon.store import Store
from solon.store.records.exporting import export_rows
from solon.store.records.releasing import releases_of

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def mine(copied: str) -> Any:
    with Store(copied) as opened:
        yield opened


def change(store: Store, statement: str, **values: Any) -> None:
    with store.transaction() as connection:
        assert connection.execute(text(statement), values).rowcount > 0


def failed(store: Store, folder: Path) -> dict[str, str]:
    return {check.name: check.told for check in verify_release(store, folder).checks if not check.passed}


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("jsonl", {}),
        ("trl-preference", {"extra_columns": ("id", "margin"), "test_fraction": 0.3}),
        ("csv", {"certified_only": True}),
        ("parquet", {"min_margin": 0.1}),
    ],
)
def test_a_release_is_rebuilt_to_the_byte(
    mine: Store, tmp_path: Path, format: str, options: dict[str, Any]
) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    folder = tmp_path / "out" / "one"
    manifest = create_release(mine, "one", folder, format=format, **options)
    assert manifest["export"]["written"] > 0
    assert manifest["rows"]["records"] == manifest["export"]["read"]
    found = verify_release(mine, folder)
    assert found.passed, found
    assert {check.name for check in found.checks} >= {"seal", "log", "rows", "rebuilt"}
    assert list((tmp_path / "out").iterdir()) == [folder]


def test_it_names_all_that_it_came_from_and_holds_no_text_in_its_rows(mine: Store, tmp_path: Path) -> None:
    manifest = create_release(mine, "one", tmp_path / "one")
    assert manifest["models"] == ["scripted:default", "scripted:split"]
    assert manifest["certificates"]
    assert manifest["certificates"][0]["figures"]
    versions = manifest["versions"]
    assert versions["consensus"]
    assert versions["constitution"][0]["name"]
    assert any("judge" in name for name in versions["prompts"][0]["templates"])
    assert manifest["audit_log"]["intact"]
    assert set(manifest["environment"]) >= {"solon", "sqlalchemy"}
    rows = list(read_rows(tmp_path / "one"))
    assert not {"prompt", "messages", "chosen", "rejected", "response", "metadata"} & set(rows[0])
    with mine.connect() as connection:
        named = releases_of(connection, [row["id"] for row in rows])
    assert named == {row["id"]: ["one"] for row in rows}


def test_later_figures_do_not_touch_it(mine: Store, tmp_path: Path) -> None:
    create_release(mine, "one", tmp_path / "one")
    change(mine, "UPDATE records SET margin = 0.123, confidence = 0.4, provisional = :yes", yes=True)
    change(mine, "UPDATE records SET superseded_at = 1.0 WHERE route = 'decided'")
    assert verify_release(mine, tmp_path / "one").passed
    found = diff_releases(mine, tmp_path / "one")
    assert found.reasons["scored again"] > 0
    assert found.reasons["provisional again"] > 0
    assert len(found.dropped) > 0
    assert found.same == 0


def test_records_whose_law_was_amended_since_are_told(mine: Store, tmp_path: Path) -> None:
    first = create_release(mine, "one", tmp_path / "one", format="trl-preference")
    assert first["rows"]["stale"] == 0
    change(mine, "UPDATE records SET stale_at = 1.0 WHERE superseded_at IS NULL AND decision_id IS NULL")
    second = create_release(mine, "two", tmp_path / "two", format="trl-preference")
    stale = second["rows"]["stale"]
    assert 0 < stale == second["export"]["left_out"]["stale"] < second["rows"]["records"]
    assert diff_releases(mine, tmp_path / "one").reasons == {"stale: its law was amended": stale}
    assert diff_releases(mine, tmp_path / "two", tmp_path / "one").reasons == {"no longer stale": stale}
    change(mine, "UPDATE records SET stale_at = NULL")
    assert verify_release(mine, tmp_path / "two").passed


def test_whatever_was_tampered_with_is_named(mine: Store, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    manifest = create_release(mine, "one", folder)
    data = folder / manifest["export"]["files"][0]["path"]
    good = data.read_bytes()
    data.write_bytes(good.replace(b"s1", b"s2", 1))
    assert list(failed(mine, folder)) == [f"file {data.name}"]
    data.unlink()
    assert failed(mine, folder) == {f"file {data.name}": "not there"}
    data.write_bytes(good)
    rows = (folder / "rows.jsonl").read_bytes()
    (folder / "rows.jsonl").write_bytes(rows[:-5])
    assert list(failed(mine, folder)) == ["rows"]
    (folder / "rows.jsonl").write_bytes(rows)
    text_of_it = (folder / "release.json").read_text()
    (folder / "release.json").write_text(text_of_it.replace('"records"', '"records" '))
    assert list(failed(mine, folder)) == ["seal"]
    (folder / "release.json").write_text(text_of_it)
    assert failed(mine, folder) == {}
    change(mine, "UPDATE audit_log SET detail = '{}' WHERE seq = 1")
    assert "changed after it was sealed" in failed(mine, folder)["log"]


def test_changed_and_erased_texts_are_counted(mine: Store, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    create_release(mine, "one", folder)
    row = next(row for row in read_rows(folder) if not row["flags"])
    chosen = row["lineage"]["chosen"]
    where = "WHERE id = (SELECT text_id FROM candidates WHERE id = :chosen)"
    change(mine, f"UPDATE texts SET body = 'something else' {where}", chosen=chosen)
    assert "1 records with changed texts" in failed(mine, folder)["rebuilt"]
    of_seed = "WHERE id IN (SELECT text_id FROM seeds WHERE external_id = :id)"
    seed = f"UPDATE texts SET body = NULL, erased_at = 1.0 {of_seed}"
    change(mine, seed, id=row["seed_id"])
    assert "1 records with erased texts" in failed(mine, folder)["rebuilt"]
    found = diff_releases(mine, folder)
    assert [(c.seed, c.reasons) for c in found.dropped] == [(row["seed_id"], ("its texts were erased",))]


def test_diff_between_two_releases_gives_reasons(mine: Store, tmp_path: Path) -> None:
    create_release(mine, "one", tmp_path / "one")
    rows = list(read_rows(tmp_path / "one"))
    gone, flagged = rows[0], next(row for row in rows if row["route"] == "decided")
    if gone["id"] == flagged["id"]:
        gone = rows[1]
    change(mine, "UPDATE records SET superseded_at = 1.0 WHERE id = :id", id=gone["id"])
    change(mine, "UPDATE items SET state = 'waiting' WHERE id = :id", id=gone["lineage"]["item"])
    flags = json.dumps({flagged["lineage"]["chosen"]: ["outdated"]})
    change(
        mine,
        "UPDATE decisions SET flags = :flags WHERE id = :id",
        flags=flags,
        id=flagged["lineage"]["decision"],
    )
    create_release(mine, "two", tmp_path / "two")
    found = diff_releases(mine, tmp_path / "one", tmp_path / "two")
    assert (found.a, found.b, found.added) == ("one", "two", ())
    assert [(c.seed, c.reasons) for c in found.dropped] == [
        (gone["seed_id"], ("it waits for an expert now",))
    ]
    assert [(c.before, c.reasons) for c in found.changed] == [(flagged["id"], ("flagged outdated",))]
    assert found.same == len(rows) - 2
    back = diff_releases(mine, tmp_path / "two", tmp_path / "one")
    assert [c.after for c in back.added] == [gone["id"]]
    assert verify_release(mine, tmp_path / "one").passed


def test_names_and_folders_are_taken_once(mine: Store, tmp_path: Path) -> None:
    create_release(mine, "one", tmp_path / "one")
    with pytest.raises(UsageError, match="there is a release 'one' already"):
        create_release(mine, "one", tmp_path / "other")
    with pytest.raises(UsageError, match="exists already"):
        create_release(mine, "two", tmp_path / "one")
    for name in ("../evil", "", "a/b", ".hidden"):
        with pytest.raises(UsageError, match="no name for a release"):
            create_release(mine, name, tmp_path / "x")
    with pytest.raises(UsageError, match="no export format"):
        create_release(mine, "three", tmp_path / "three", format="nothing")
    assert not (tmp_path / "three").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    with pytest.raises(UsageError, match="is no release"):
        read_manifest(tmp_path)


def test_a_release_can_be_required_to_be_clean_of_a_benchmark(mine: Store, tmp_path: Path) -> None:
    create_release(mine, "all", tmp_path / "all")
    lines = [json.loads(line) for line in (tmp_path / "all" / "all.jsonl").read_text().splitlines()]
    held = next(row for row in lines if not row["flags"])
    benchmark = tmp_path / "benchmark.jsonl"
    benchmark.write_text(json.dumps({"question": held["prompt"]}) + "\n")
    with pytest.raises(Contaminated, match=r"holds 100% of line 1 of benchmark\.jsonl"):
        create_release(mine, "strict", tmp_path / "strict", gate=Gate([benchmark]))
    assert not (tmp_path / "strict").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    manifest = create_release(mine, "clean", tmp_path / "clean", gate=Gate([benchmark], drop=True))
    texts = [json.loads(line) for line in (tmp_path / "clean" / "clean.jsonl").read_text().splitlines()]
    left_out = manifest["export"]["left_out"]["contaminated"]
    assert left_out == sum(row["prompt"] == held["prompt"] for row in lines) >= 1
    assert not any(row["prompt"] == held["prompt"] for row in texts)
    assert len(texts) == len(lines) - left_out
    told = manifest["clean_of"][0]
    assert (told["file"], told["texts"], told["contaminated"]) == ("benchmark.jsonl", 1, "left out")
    benchmark.unlink()  # what the gate said is in the release: it is verified without the benchmark
    found = verify_release(mine, tmp_path / "clean")
    assert found.passed, found
    reasons = diff_releases(mine, tmp_path / "all", tmp_path / "clean").reasons
    assert reasons == {"left out now: contaminated": left_out}
    assert diff_releases(mine, tmp_path / "clean").reasons == {}


def test_the_gate_of_a_release_from_the_command_line(solon: Cli, copied: str, tmp_path: Path) -> None:
    (tmp_path / "far.txt").write_text(
        "Nothing that any of the records could possibly hold as it stands here.\n"
    )
    code, out, err = solon(
        "release", "create", "far", "--require-clean", "far.txt", "--store", copied, "--json"
    )
    assert code == 0, err
    assert json.loads(out)["clean_of"][0]["contaminated"] == "none"
    with Store(copied) as opened:
        row, *_ = export_rows(opened)[1]
    (tmp_path / "near.txt").write_text(f"{row.prompt}\n")
    code, _, err = solon("release", "create", "near", "--require-clean", "near.txt", "--store", copied)
    assert code == 1
    assert "nothing was written" in err
    assert not (tmp_path / "releases" / "near").exists()
    code, _, err = solon("release", "create", "x", "--drop-contaminated", "--store", copied)
    assert code == 2
    assert "--require-clean" in err


def test_the_libraries_are_frozen_with_it(mine: Store, tmp_path: Path) -> None:
    create_release(mine, "one", tmp_path / "one")
    lock = (tmp_path / "one" / "lock.txt").read_text()
    assert lock.startswith("# Python 3.")
    assert f"\nsqlalchemy=={metadata.version('sqlalchemy')}\n" in lock
    (tmp_path / "one" / "lock.txt").write_text("sqlalchemy==0\n")
    assert failed(mine, tmp_path / "one") == {"file lock.txt": "changed"}


def test_a_copy_in_another_store_is_not_sealed(mine: Store, known: Any, tmp_path: Path) -> None:
    create_release(mine, "one", tmp_path / "one")
    with Store(known.url) as other:
        found = failed(other, tmp_path / "one")
    assert found == {"seal": "this store's log knows no release of this name"}


def test_the_commands(solon: Cli, copied: str, tmp_path: Path) -> None:
    code, out, err = solon(
        "release", "create", "v1", "--store", copied, "--format", "trl-preference", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["name"] == "v1"
    assert (tmp_path / "releases" / "v1" / "v1.jsonl").is_file()
    code, out, _ = solon("release", "verify", "v1", "--store", copied)
    assert code == 0
    assert "ok      rebuilt: the same bytes, from the store" in out
    code, out, _ = solon("release", "diff", "v1", "--store", copied)
    assert code == 0
    assert "v1 -> the store now: 0 added, 0 dropped, 0 changed" in out
    (tmp_path / "releases" / "v1" / "v1.jsonl").write_text("")
    code, out, _ = solon("release", "verify", "releases/v1", "--store", copied, "--json")
    assert code == 1
    assert json.loads(out)["passed"] is False
    code, _, err = solon("release", "verify", "none", "--store", copied)
    assert code == 2
    assert "is no release" in err
