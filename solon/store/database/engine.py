"""Connections: engines for SQLite and PostgreSQL, their pragmas, and third-party errors mapped once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy
from sqlalchemy import URL, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from solon.errors import ConfigError, StoreError

BUSY_SECONDS = 30

Connection: TypeAlias = sqlalchemy.Connection
"""A connection to the database, for annotations where nothing else of the database is known."""


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite URL, or None for another database."""
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def spell_place(url: str) -> str:
    """A store's place as messages tell it: its file, or its address without the password."""
    return str(sqlite_path(url) or make_url(url).render_as_string(hide_password=True))


def sqlite_uri(path: Path) -> str:
    """The URI by which sqlite3 opens a file (with `uri=True`): for reading only, where its folder cannot be written.

    A reader needs a log and its index beside the file. Where it can make neither and there are none, nobody writes,
    and the file is read as it lies.
    """
    uri = path.absolute().as_uri()
    if not path.exists() or os.access(path.parent, os.W_OK):
        return uri
    return f"{uri}?mode=ro" if log_of(path).exists() else f"{uri}?mode=ro&immutable=1"


def log_of(path: Path) -> Path:
    """The path of the write-ahead log of a SQLite file."""
    return path.with_name(f"{path.name}-wal")


def file_identity(path: Path | None) -> tuple[int, int] | None:
    """Device and inode of a file, which no other one has while it is open; None where there is no file."""
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found is not None else None


def checkpoint_location(url: str) -> str:
    """The place of the graphs' checkpoints: a SQLite file beside the store, or the same PostgreSQL database."""
    path = sqlite_path(url)
    if path is not None:
        return str(path.with_name(f"{path.stem}.checkpoints{path.suffix or '.db'}"))
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def make_engine(url: str, *, read_only: bool = False) -> Engine:
    """An SQLAlchemy engine for the store at a URL; write transactions on SQLite wait for their turn instead of
    failing.

    Args:
        read_only: let the database itself refuse every write.

    Raises:
        ConfigError: the URL is not one of SQLite or PostgreSQL, or its driver is not installed.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            return _sqlite_engine(url, read_only)
        if backend == "postgresql":
            return _postgres_engine(parsed, read_only)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(
            f"{url!r} is not a store URL: {error}", next_step="write sqlite:///file.db or postgresql://..."
        ) from None
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"PostgreSQL needs the package {error.name}", next_step="pip install 'solon[postgres]'"
        ) from None
    raise ConfigError(
        f"{backend} is not supported as a store", next_step="use sqlite:///file.db or postgresql://..."
    )


def _postgres_engine(url: URL, read_only: bool) -> Engine:
    given = {"options": "-c default_transaction_read_only=on"} if read_only else {}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), pool_size=4, max_overflow=12, connect_args=given
    )
    from psycopg.types.string import StrDumperUnknown

    class WithoutNul(StrDumperUnknown):
        """What is searched for may hold a NUL, which no text of PostgreSQL does: nothing is found, as in SQLite."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\x00", "\ufffd"))

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.adapters.register_dumper(str, WithoutNul)

    return engine


def _sqlite_engine(url: str, read_only: bool) -> Engine:
    path = sqlite_path(url)
    if path is None:
        raise ConfigError(
            f"{url!r} names no file; a store outlives the process", next_step="write sqlite:///solon.db"
        )
    # The connection that was used last is taken again: the pages that it keeps are those of the last commit, while each
    # other connection has to read them anew.
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_use_lifo=True,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "do_connect")
    def _on_do_connect(_dialect: Any, _record: Any, cargs: list[Any], cparams: dict[str, Any]) -> None:
        cargs[:] = [sqlite_uri(path)]
        cparams["uri"] = True

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA secure_delete = ON")  # what is erased or moved leaves no bytes where it was
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.execute("PRAGMA cache_size = -32000")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # A deferred BEGIN that later upgrades to a write cannot wait for its turn: it fails with "locked".
        immediate = connection.get_execution_options().get("solon_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


@contextmanager
def mapped_errors(url: str, again: str = "solon resume") -> Iterator[None]:
    """A context in which errors of the database, also the drivers' own, become one `StoreError` that names cause and
    next step.

    Args:
        again: the command that goes on once the cause is mended.
    """
    try:
        yield
    except DBAPIError as error:
        raise explain(error.orig or error, url, again) from error
    except Exception as error:
        if not isinstance(error, sqlite3.Error) and type(error).__module__.split(".")[0] != "psycopg":
            raise
        raise explain(error, url, again) from error


def explain(error: BaseException, url: str, again: str = "solon resume") -> StoreError:
    """The `StoreError` that tells a driver's error with what to do about it."""
    message = str(error)
    place = spell_place(url)
    hints = {
        "readonly database": "make the file and its folder writable; nothing was changed",
        "disk is full": f"free some space and continue with `{again}`; what was stored is intact",
        "disk I/O error": f"check the disk and its free space; what was stored before is intact; then `{again}`",
        "unable to open database file": "check that the folder exists and is writable",
        "No space left": f"free some space and continue with `{again}`; what was stored is intact",
        "database is locked": "another process holds a long transaction; try again",
        "no such table": "this file is no Solon store; check --store",
        "file is not a database": "this file is no SQLite database; check --store",
        "starting up": "the database server is starting; try again in a moment",
        "not yet accepting connections": "the database server recovers from a crash; try again in a moment",
        "connection": "check that the database server runs and that the URL is right",
    }
    for part, hint in hints.items():
        if part in message:
            return StoreError(f"store {place}: {message}", next_step=hint)
    return StoreError(f"store {place}: {message}")
