"""A store moves to another database, with its questions, and sheds what nothing needs. Scripted models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from solon.cli.app import run_command
from solon.errors import StoreError, UsageError
from solon.graphs.pruning import prune_checkpoints
from solon.project import Project
from solon.store.database.store import Store
from solon.store.records.overview import check_soundness
from solon.store.runs.items import working
from solon.store.tables import metadata
from solon.store.upkeep.copying import copy_store
from solon.sync import run_sync

CONFIG = {
    "models": {"default": {"model": "scripted:split"}},
    "routing": {"policy": "always", "audit_share": 0},
}
SEEDS = [f"Question {n}?" for n in range(4)]


def run_all(url: str) -> Project:
    project = Project(url, config=CONFIG)
    assert project.run("preference", SEEDS).pending_review == 4
    return project


def counts(store: Store) -> dict[str, int]:
    with store.connect() as connection:
        return {
            table.name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            for table in metadata.sorted_tables
        }


def test_what_waits_in_one_database_is_answered_in_another(tmp_path: Path, store_url: str) -> None:
    """One answer was given before the move and not yet delivered, one is given after it; no call is made again."""
    with run_all(f"sqlite:///{tmp_path / 'old.db'}") as old:
        early = old.reviews()[0]
        old.decide(early, "edit", early.candidates[0], text="Better.", rationale="Clearer.")
        copied = copy_store(old.store, store_url)
        assert copied == counts(old.store)
        key = old.store.key
    with Project(store_url, config=CONFIG, create=False) as new:
        assert new.store.key == key
        assert counts(new.store) == copied
        late = new.reviews()[0]
        new.decide(late, "prefer", late.candidates[1], rationale="It answers.")
        summary = new.resume()
        assert (summary.accepted, summary.pending_review) == (2, 2)
        assert counts(new.store)["calls"] == copied["calls"]
        assert new.export("trl-preference", tmp_path / "pairs.jsonl").written == 2
        chain = new.trace(early.id)
        assert "Better." in str(chain)


def test_a_target_that_holds_something_stays_as_it_is(tmp_path: Path) -> None:
    with run_all(f"sqlite:///{tmp_path / 'a.db'}") as project:
        with run_all(f"sqlite:///{tmp_path / 'b.db'}") as other:
            before = counts(other.store)
            with pytest.raises(StoreError, match="holds a store already"):
                copy_store(project.store, other.store.url)
            assert counts(other.store) == before
        with pytest.raises(StoreError, match="does not exist"):
            copy_store(project.store, f"sqlite:///{tmp_path / 'no' / 'c.db'}")


def test_a_copy_that_fails_leaves_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = f"sqlite:///{tmp_path / 'new.db'}"
    with run_all(f"sqlite:///{tmp_path / 'old.db'}") as project:

        def fail(table: str, done: int, total: int) -> None:
            if table == "items":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            copy_store(project.store, target, fail)
        assert copy_store(project.store, target)["items"] == 4


def test_a_store_that_is_worked_on_is_not_moved(tmp_path: Path, seed_store: Callable[[int], object]) -> None:
    from solon.store.runs import items as item_store

    seeded = seed_store(2)
    with working() as me, seeded.store.transaction() as connection:  # type: ignore[attr-defined]
        item_store.claim(connection, seeded.run.id, 1, me)  # type: ignore[attr-defined]
        connection.commit()
        with pytest.raises(UsageError, match="still work on this store"):
            copy_store(seeded.store, f"sqlite:///{tmp_path / 'new.db'}")  # type: ignore[attr-defined]


def test_pruned_checkpoints_are_replayed_when_asked_for(tmp_path: Path, store_url: str) -> None:
    with run_all(store_url) as project:
        first, second, *_ = project.reviews()
        project.decide(first, "prefer", first.candidates[0], rationale="It answers.")
        project.resume()
        plan = run_sync(prune_checkpoints(project.store, dry_run=True))
        done = run_sync(prune_checkpoints(project.store))
        assert (plan.threads, plan.kept) == (done.threads, done.kept)
        assert done.kept == 3
        again = run_sync(prune_checkpoints(project.store))
        assert (again.threads, again.kept) == (0, 3)
        project.decide(second, "prefer", second.candidates[0], rationale="It answers.")
        assert project.resume().accepted == 2


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    run_all(f"sqlite:///{old}").close()
    assert run_command(["migrate", "--store", f"sqlite:///{old}", "--to", f"sqlite:///{new}"]) == 0
    assert "the source was not changed" in capsys.readouterr().out
    assert run_command(["prune", "--store", f"sqlite:///{new}", "--json"]) == 0
    assert '"threads": 0' in capsys.readouterr().out
    with Store(f"sqlite:///{new}") as store:
        assert check_soundness(store) == ""
        with store.connect() as connection:
            if connection.dialect.name == "sqlite":
                assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []
