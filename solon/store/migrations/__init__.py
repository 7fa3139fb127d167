"""Schema migrations, run by alembic from inside the package. Imports tables only, and what a version needs to compute
new columns.

An empty database gets the newest tables at once: the migrations are for stores that hold something.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, PrimaryKeyConstraint, String, Table, insert, text
from sqlalchemy.schema import CreateIndex, CreateTable

from solon.store.tables import metadata

_one_at_a_time = threading.Lock()
"""Alembic keeps the migration under way in globals of its own."""
POSTGRES_LOCK = 0x536F6C6F6E
"""Key of the advisory lock under which processes migrate one after the other; SQLite locks the whole file."""


_alembic_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to `revision`, in one transaction and one process at a time."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    with _alone(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def create(engine: Engine, revision: str) -> None:
    """Make the newest tables, whose schema is `revision`, in an empty database; one that another process has just made
    is left as it is."""
    from alembic.migration import MigrationContext

    with _alone(engine) as connection:
        if MigrationContext.configure(connection).get_current_revision() is None:
            for table in metadata.sorted_tables:
                connection.execute(CreateTable(table))
                # Always in the same order: where two indexes serve as well, SQLite takes the newest.
                for index in sorted(table.indexes, key=lambda one: str(one.name)):
                    connection.execute(CreateIndex(index))
            _alembic_version.create(connection, checkfirst=True)
            connection.execute(insert(_alembic_version).values(version_num=revision))


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other one of these runs beside, in any process."""
    with (
        _one_at_a_time,
        engine.connect().execution_options(solon_write=True) as connection,
        connection.begin(),
    ):
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_LOCK})
        yield connection
