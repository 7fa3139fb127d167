"""Copies of a database that can be put back: SQLite files by SQLite's own backup, PostgreSQL by `pg_dump`."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, make_url, select, update

from solon.errors import StoreError, UsageError
from solon.store.database.engine import make_engine, mapped_errors, sqlite_uri
from solon.store.database.store import Store, read_schema
from solon.store.runs.items import FORGOTTEN
from solon.store.tables import items, metadata, outbox, runs
from solon.store.upkeep.pruning import CHECKPOINT_TABLES

_VERSIONS = ("alembic_version", "checkpoint_migrations")
"""Tables that say which schema the others have, in the store and in the checkpoints."""


def copy_file(source: Path, target: Path) -> None:
    """Copy a SQLite file, as it is at one moment, into a new one; others go on reading and writing the source.

    Raises:
        StoreError: the source cannot be read, or the target cannot be written.
    """
    with (
        mapped_errors(f"sqlite:///{target}", "solon backup"),
        closing(sqlite3.connect(sqlite_uri(source), uri=True)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        # All pages in one step: where others write, SQLite would begin anew after each of several steps.
        reading.backup(writing)


@contextmanager
def only_ours(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a SQLite file that nobody else has open, nor can open until it is closed.

    Raises:
        UsageError: somebody has the file open.
        StoreError: it cannot be read or written.
    """
    with (
        mapped_errors(f"sqlite:///{path}", "solon restore"),
        closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA secure_delete = ON")
        try:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise UsageError(
                f"others have {path} open",
                next_step="stop the runs, servers and workers of this store first; nothing was changed",
            ) from None
        yield connection


def put_file(source: Path | None, target: sqlite3.Connection, path: Path) -> None:
    """Put a copied SQLite file in place of what a connection has open, in one transaction; None leaves it empty.

    Raises:
        StoreError: the file at `path`, which the connection has open, cannot be written; it is as it was.
    """
    uri = f"{source.absolute().as_uri()}?mode=ro&immutable=1" if source is not None else ":memory:"
    with (
        mapped_errors(f"sqlite:///{path}", "solon restore"),
        closing(sqlite3.connect(uri, uri=True)) as reading,
    ):
        reading.backup(target)


def is_empty(path: Path) -> bool:
    """Whether a SQLite file is not there or has no table, as after a restore into it that was cut off."""
    if not path.exists():
        return True
    with (
        mapped_errors(f"sqlite:///{path}", "solon restore"),
        closing(sqlite3.connect(sqlite_uri(path), uri=True)) as connection,
    ):
        return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def schema_at(url: str) -> str | None:
    """The schema of the store at a URL; None where nothing stands there.

    Raises:
        StoreError: a newer Solon made it, another program uses the database, or it cannot be read.
    """
    engine = make_engine(url)
    try:
        with mapped_errors(url), engine.connect() as connection:
            return read_schema(connection)
    finally:
        engine.dispose()


def schema_in(copy: Path) -> str | None:
    """The schema that a copied store says it has: a SQLite file, or one that `dump_postgres` wrote; None where it says
    none.

    Raises:
        UsageError: `pg_restore` is wanted and not on the PATH.
        StoreError: the copy cannot be read.
    """
    if copy.suffix == ".dump":
        told = _call("pg_restore", "--data-only", "--table=alembic_version", "--file=-", str(copy))
        found = re.search(r"^COPY .*\n(\S+)\n\\\.$", told, re.MULTILINE)
        return found and found[1]
    uri = f"{copy.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as reading:
            if not reading.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                return None
            found_row = reading.execute("SELECT max(version_num) FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        told = f"{copy}, of the backup, cannot be read: {error}"
        raise StoreError(told, next_step="fetch the backup once more, or take an earlier one") from error
    return found_row[0]  # type: ignore[no-any-return]


def dump_postgres(url: str, target: Path) -> None:
    """Write the tables of store and checkpoints, as they are at one moment, into a file for `pg_restore`.

    Raises:
        UsageError: `pg_dump` is not on the PATH.
        StoreError: it fails; told in its words.
    """
    tables = (*(table.name for table in metadata.sorted_tables), *CHECKPOINT_TABLES, *_VERSIONS)
    named = [f"--table={name}" for name in tables]
    _call_on(url, "pg_dump", "--format=custom", f"--file={target}", *named)


def load_postgres(url: str, source: Path) -> None:
    """Put tables that `dump_postgres` wrote in place of those of the same names, in one transaction.

    Raises:
        UsageError: `pg_restore` is not on the PATH.
        StoreError: it fails; told in its words. Nothing was changed.
    """
    _call_on(url, "pg_restore", "--clean", "--if-exists", "--single-transaction", str(source))


def _call_on(url: str, name: str, *arguments: str) -> None:
    """Have one of PostgreSQL's programs work on a database."""
    parsed = make_url(url).set(drivername="postgresql")
    place = parsed._replace(password=None).render_as_string()
    secret = {"PGPASSWORD": str(parsed.password)} if parsed.password else {}  # an argument is seen by others
    quiet = ("--no-password", "--no-owner", "--no-privileges", f"--dbname={place}")
    _call(name, *quiet, *arguments, **secret)


def _call(name: str, *arguments: str, **environment: str) -> str:
    program = shutil.which(name)
    if program is None:
        raise UsageError(
            f"{name} is not on the PATH; a store in PostgreSQL is backed up and restored by PostgreSQL's own programs",
            next_step="install them (Debian, Ubuntu: apt install postgresql-client), in the server's version or a "
            "newer one; or let whoever runs the server back up its database, which holds store and checkpoints",
        )
    command = [program, *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise StoreError(
            f"{program} failed: {said[:400]}",
            next_step="mend what it says and try again; nothing was changed",
        )
    return done.stdout


def run_ids(store: Store) -> list[str]:
    """The ids of all runs of a store."""
    with store.connect() as connection:
        return [str(name) for name in connection.execute(select(runs.c.id)).scalars()]


def free_claims(connection: Connection) -> None:
    """Free what workers held when the copy was made: they work on the store that was copied, not on this one."""
    for table, held in ((items, items.c.state == "running"), (outbox, outbox.c.applied_at.is_(None))):
        connection.execute(update(table).where(held).values(claimed_by=None, claimed_until=None))


def forgotten_items(store: Store) -> list[tuple[str, int]]:
    """(item id, attempt) of every item that was forgotten: a copy of the checkpoints may be a moment older."""
    with store.connect() as connection:
        query = select(items.c.id, items.c.attempt).where(items.c.state == FORGOTTEN)
        return [(str(row[0]), int(row[1])) for row in connection.execute(query)]
