"""Schema migrations, run by alembic from inside the package. Imports tables only, and what a version needs to compute
new columns."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Engine, text

_one_at_a_time = threading.Lock()
"""Alembic keeps the migration under way in globals of its own."""
POSTGRES_LOCK = 0x536F6C6F6E
"""Key of the advisory lock under which processes migrate one after the other; SQLite locks the whole file."""


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to `revision`, in one transaction and one process at a time."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    with (
        _one_at_a_time,
        engine.connect().execution_options(solon_write=True) as connection,
        connection.begin(),
    ):
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
