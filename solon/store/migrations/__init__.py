"""Schema migrations, run by alembic from inside the package."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to `revision` in one transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    with engine.connect().execution_options(solon_write=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
