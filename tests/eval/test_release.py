"""Releases: rebuilt to the byte whatever the store did since, and honest about what cannot be rebuilt."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib import import_module, metadata
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from solon.errors import SolonError, UsageError
from solon.eval.releases.benchmark import Contaminated, Gate
from solon.eval.releases.diff import diff_releases
from solon.eval.releases.releases import create_release, read_manifest, read_rows, verify_release
from solon.store.database.store import Store
from solon.store.records.exporting import export_rows
from solon.store.records.releasing import find_release, releases_of

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
    for file in folder.iterdir():
        whole = file.read_bytes()
        file.write_bytes(whole + b" ")
        assert failed(mine, folder), f"{file.name} is sealed, as is all that a release writes"
        file.write_bytes(whole)
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


class Killed(BaseException):
    """The end of a process at a moment, as far as a test can do it in its own."""


MOMENTS: dict[str, tuple[str, str]] = {
    "nothing written": ("solon.eval.releases.releases._freeze", "before"),
    "in the middle of the rows": ("solon.eval.releases.releases.freeze_row", "third"),
    "the files written": ("solon.eval.releases.releases._lock", "before"),
    "no manifest yet": ("solon.eval.releases.releases._environment", "before"),
    "the manifest written": ("solon.eval.releases.releases._sync", "before"),
    "synced": ("solon.store.records.releasing.mark_release", "before"),
    "some records noted": ("solon.store.records.releasing.insert_rows", "after"),
    "all records noted": ("solon.store.database.audit_log.append", "before"),
    "the seal not committed": ("solon.store.database.audit_log.append", "after"),
    "sealed": ("solon.store.records.releasing.mark_release", "after"),
    "before it is in its place": ("solon.eval.releases.releases._put", "before"),
}
SEALED = ("sealed", "before it is in its place")


def end_at(patch: pytest.MonkeyPatch, name: str, when: str) -> None:
    """Let a function end all work before it does anything, at its third call, or after it is done."""
    room, _, function = name.rpartition(".")
    module = import_module(room)
    own, calls = getattr(module, function), count(1)

    def ending(*arguments: Any, **options: Any) -> Any:
        if when == "before" or (when == "third" and next(calls) == 3):
            raise Killed
        found = own(*arguments, **options)
        if when == "after":
            raise Killed
        return found

    patch.setattr(module, function, ending)


def marks(store: Store, rows: Iterable[dict[str, Any]]) -> set[tuple[str, ...]]:
    with store.connect() as connection:
        found = releases_of(connection, [row["id"] for row in rows])
    return {tuple(names) for names in found.values()}


@pytest.mark.parametrize("cleaning", [True, False], ids=["raised", "killed"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_release_ended_at_any_moment_is_none_or_sealed_and_goes_on(
    mine: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, cleaning: bool
) -> None:
    folder, rows = tmp_path / "out" / "one", list(export_rows(mine)[1])
    ids = [{"id": row.id} for row in rows]
    with monkeypatch.context() as patch:
        end_at(patch, *MOMENTS[moment])
        if not cleaning:  # what is killed cleans up nothing
            patch.setattr("solon.eval.releases.releases.shutil.rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            create_release(mine, "one", folder, format="trl-preference")
    assert not folder.exists()
    with mine.connect() as connection:
        assert (find_release(connection, "one") is not None) == (moment in SEALED)
    assert marks(mine, ids) == ({("one",)} if moment in SEALED else set())
    left = list(folder.parent.iterdir()) if folder.parent.exists() else []
    assert len(left) == (moment in SEALED or not cleaning)
    manifest = create_release(mine, "one", folder, format="trl-preference")
    assert manifest == read_manifest(folder)
    assert manifest["rows"]["records"] == len(rows)
    assert verify_release(mine, folder).passed
    assert marks(mine, ids) == {("one",)}
    assert list(folder.parent.iterdir()) == [folder]
    with pytest.raises(UsageError, match="there is a release 'one' already"):
        create_release(mine, "one", folder, format="trl-preference")


def test_what_was_sealed_is_not_passed_off_as_a_release_with_other_options(
    mine: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        end_at(patch, *MOMENTS["sealed"])
        with pytest.raises(Killed):
            create_release(mine, "one", tmp_path / "one", min_margin=0.1)
    with pytest.raises(UsageError, match="sealed by an earlier command with other options"):
        create_release(mine, "one", tmp_path / "one")
    assert read_manifest(tmp_path / "one")["options"]["min_margin"] == 0.1
    assert verify_release(mine, tmp_path / "one").passed


def test_one_process_at_a_time_makes_a_release(
    mine: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from solon.eval.releases import releases

    own = releases._freeze

    def again(*arguments: Any) -> Any:
        monkeypatch.setattr(releases, "_freeze", own)
        with pytest.raises(UsageError, match="another process is making this release"):
            create_release(mine, "one", tmp_path / "one")
        return own(*arguments)

    monkeypatch.setattr(releases, "_freeze", again)
    create_release(mine, "one", tmp_path / "one")
    assert verify_release(mine, tmp_path / "one").passed


def test_a_place_that_is_taken_meanwhile_loses_no_release(
    mine: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from solon.eval.releases import releases

    own = releases._put

    def occupied(scratch: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "mine.txt").write_text("in the way")
        own(scratch, folder)

    with monkeypatch.context() as patch:
        patch.setattr(releases, "_put", occupied)
        with pytest.raises(SolonError, match=r"is sealed, but .* cannot be put in its place"):
            create_release(mine, "one", tmp_path / "one")
    (tmp_path / "one").rename(tmp_path / "away")
    create_release(mine, "one", tmp_path / "one")
    assert verify_release(mine, tmp_path / "one").passed


KILLING = """
import importlib, os, signal, sys
from solon.cli import main

room, _, function = sys.argv[1].rpartition(".")
module = importlib.import_module(room)
own = getattr(module, function)

def ending(*arguments, **options):
    if sys.argv[2] == "after":
        own(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(module, function, ending)
main(sys.argv[3:])
"""


def files_named_by_forget(solon: Cli, store: str) -> list[str]:
    """The files that a look at what would be forgotten with one item names."""
    with Store(store) as opened:
        item = next(iter(list(export_rows(opened)[1]))).lineage["item"]
    code, out, err = solon("forget", item, "--dry-run", "--store", store, "--json")
    assert code == 0, err
    return [file for export in json.loads(out.splitlines()[-1])["exports"] for file in export["files"]]


@pytest.mark.parametrize("moment", ["the files written", "some records noted", "sealed"])
def test_a_release_whose_process_is_killed_goes_on(
    solon: Cli, copied: str, tmp_path: Path, moment: str
) -> None:
    command = ("release", "create", "v1", "--store", copied, "--format", "trl-preference")
    ended = subprocess.run(
        [sys.executable, "-c", KILLING, *MOMENTS[moment], *command], cwd=tmp_path, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert not (tmp_path / "releases" / "v1").exists()
    left = str(tmp_path / "releases" / ".v1.making")
    assert left in files_named_by_forget(solon, copied), "it holds their words"
    code, _, err = solon(*command)
    assert code == 0, err
    assert left not in files_named_by_forget(solon, copied)
    assert [path.name for path in (tmp_path / "releases").iterdir()] == ["v1"]
    assert solon("release", "verify", "v1", "--store", copied)[0] == 0
