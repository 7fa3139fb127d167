"""Opening, creating and migrating a store, on both databases; and what is said where it cannot be opened."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, select, text

from solon.errors import ConfigError, StoreError
from solon.store.database.engine import make_engine
from solon.store.database.store import SCHEMA, Store, read_schema
from solon.store.database.writer import insert_rows
from solon.store.migrations import upgrade
from solon.store.tables import metadata, texts
from solon.store.upkeep.copying import copy_store


def test_a_store_that_is_missing_is_not_made_by_accident(store_url: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store(store_url)
    assert "solon run" in caught.value.next_step


def test_opening_again_keeps_key_and_content(store_url: str) -> None:
    with Store(store_url, create=True) as store:
        key = store.key
        text_id, row = store.text_row("kept", None)
        with store.transaction() as connection:
            insert_rows(connection, [row])
    with Store(store_url) as store, store.connect() as connection:
        assert store.key == key
        assert connection.execute(select(texts.c.body).where(texts.c.id == text_id)).scalar_one() == "kept"


def test_migrations_lead_to_the_tables_that_a_new_store_has(
    store_url: str, request: pytest.FixtureRequest
) -> None:
    """The newest migration and the classes describe the same schema; a new store is made from the classes."""
    engine = make_engine(store_url)
    upgrade(engine, "0001")
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == SCHEMA
    sqlite = engine.dialect.name == "sqlite"
    other = f"{store_url}.new" if sqlite else request.getfixturevalue("new_postgres_database")()
    with Store(other, create=True) as made:
        assert _shape(made.engine) == _shape(engine)
        with made.connect() as connection:
            assert read_schema(connection) == SCHEMA
    engine.dispose()


def _shape(engine: Engine) -> dict[str, Any]:
    """All that SQL holds a row to. What a column has where none is given is left out: migrations need it for the rows
    that are there, Solon gives every column."""
    seen = inspect(engine)
    return {
        table: {
            "columns": {one["name"]: (str(one["type"]), one["nullable"]) for one in seen.get_columns(table)},
            "key": seen.get_pk_constraint(table),
            "refers": sorted(
                (one["constrained_columns"], one["referred_table"], one["referred_columns"], one["name"])
                for one in seen.get_foreign_keys(table)
            ),
            "indexes": sorted(
                (one["name"], one["column_names"], one["unique"], _condition(one))
                for one in seen.get_indexes(table)
            ),
            "unique": sorted(
                (one["column_names"], one["name"]) for one in seen.get_unique_constraints(table)
            ),
            "checked": sorted(one["sqltext"] for one in seen.get_check_constraints(table)),
        }
        for table in seen.get_table_names()
    }


def _condition(index: Any) -> str:
    options = index.get("dialect_options") or {}
    return " ".join(str(value) for name, value in sorted(options.items()) if name.endswith("_where"))


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize(
    ("schema", "part"), [("9999", "made by a newer Solon"), ("ae1027a6acf", "another program")]
)
def test_a_store_of_another_version_is_refused_unchanged(
    store_url: str, schema: str, part: str, create: bool
) -> None:
    with Store(store_url, create=True) as store, store.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :schema"), {"schema": schema})
    with pytest.raises(StoreError, match=part) as caught:
        Store(store_url, create=create)
    assert schema in caught.value.cause
    assert caught.value.next_step


def test_a_store_of_a_newer_version_takes_no_copy(store_url: str, store: Store, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'newer.db'}"
    with Store(target, create=True) as newer, newer.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="made by a newer Solon"):
        copy_store(store, target)


def test_many_threads_may_create_the_same_store(store_url: str) -> None:
    keys: list[str] = []
    errors: list[BaseException] = []
    start = threading.Barrier(4)

    def open_it() -> None:
        start.wait()
        try:
            with Store(store_url, create=True) as store:
                keys.append(store.key)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(keys) == 4
    assert len(set(keys)) == 1


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    text_id, row = store.text_row("never", None)

    def fail() -> None:
        with store.transaction() as connection:
            insert_rows(connection, [row])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.connect() as connection:
        assert connection.execute(select(texts).where(texts.c.id == text_id)).first() is None


def test_what_no_text_can_hold_is_found_nowhere(store: Store) -> None:
    with store.connect() as connection:
        query = select(texts.c.id)
        assert connection.execute(query.where(texts.c.body == "a\x00b")).all() == []
        assert connection.execute(query.where(texts.c.body.contains("a\x00b", autoescape=True))).all() == []


def test_a_closed_store_stays_closed(store_url: str, store: Store) -> None:
    """Reading, writing and the writer's thread say so; whoever opens the place anew is not concerned."""
    _, row = store.text_row("late", None)
    store.close()
    store.close()
    for use in (store.connect, store.transaction):
        with pytest.raises(StoreError, match="was closed here") as caught, use():
            pass
        assert "open it anew" in caught.value.next_step
    with pytest.raises(StoreError, match="was closed here"):
        asyncio.run(store.writer.add([row]))
    store.writer.close()
    with Store(store_url) as again, again.connect() as connection:
        assert connection.execute(select(texts.c.id)).all() == []


def test_a_reader_sees_one_snapshot(store: Store) -> None:
    """What is committed in the middle of a read does not tear it: exports stand on this."""
    _, first = store.text_row("first", None)
    _, second = store.text_row("second", None)
    with store.transaction() as connection:
        insert_rows(connection, [first])
    with store.connect() as reader:
        before = len(reader.execute(select(texts.c.id)).all())
        with store.transaction() as writer:
            insert_rows(writer, [second])
        assert len(reader.execute(select(texts.c.id)).all()) == before
    with store.connect() as reader:
        assert len(reader.execute(select(texts.c.id)).all()) == before + 1


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "nonsense", "sqlite+unknown:///a.db"])
def test_what_is_no_store_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Store(url, create=True)
    assert caught.value.next_step


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="missing") as caught:
        Store(f"sqlite:///{tmp_path / 'missing' / 'a.db'}", create=True)
    assert "mkdir" in caught.value.next_step


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be looked at" * 40, b"\x00" * 4096]
)
def test_a_foreign_file_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(content)
    with pytest.raises(StoreError):
        Store(f"sqlite:///{path}", create=True)
    assert path.read_bytes() == content


def test_a_foreign_database_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (id)")
    connection.close()
    with pytest.raises(StoreError, match="no Solon store"):
        Store(f"sqlite:///{path}")


@pytest.mark.sqlite("its write-ahead log")
def test_sqlite_is_in_wal_mode_even_if_creating_died_before_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    Store(url, create=True).close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    with Store(url) as store, store.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def _create(url: str) -> str:
    with Store(url, create=True) as store:
        return store.key


def test_two_processes_may_create_the_same_store(new_postgres_database: Callable[[], str]) -> None:
    """SQLite locks the whole file; PostgreSQL is where two migrations could meet."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        keys = pool.map(_create, [new_postgres_database()] * 2)
    assert len(set(keys)) == 1
