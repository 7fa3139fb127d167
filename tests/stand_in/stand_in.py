"""PostgreSQL in the place of SQLite: for each store file that a test names, a database of a private server.

The file itself becomes a note of its database's name, so that `exists` tells the truth and a copied file is a copied
database. `Store` is the one seam: whatever is opened through it gets the database's URL.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

MAGIC = "this file stands for the PostgreSQL database "
SERVER, UNDER = "STAND_IN_SERVER", "STAND_IN_UNDER"
"""Variables that tell processes which tests start; none begins with SOLON_, which many tests clear away."""
_SEAMS = ("solon.store.database.store", "solon.store.upkeep.copying")


class StandIn:
    """Databases in the place of the files below one folder.

    Args:
        server: URL of a database on the server, by a role that may create databases.
        template: an empty store's database, copied for each new one.
        under: files elsewhere (a scratch store of Solon's own) stay SQLite.
    """

    def __init__(self, server: str, template: str, under: Path) -> None:
        self._server, self._template, self._under = server, template, under.resolve()

    def make_template(self) -> None:
        """Migrate the template once; every store is a copy of it."""
        from langgraph.checkpoint.postgres import PostgresSaver

        from solon.store.database.engine import make_engine
        from solon.store.migrations import upgrade

        self._run(f"CREATE DATABASE {self._template}")
        url = self.url_of(self._template)
        engine = make_engine(url)
        upgrade(engine)
        engine.dispose()
        with PostgresSaver.from_conn_string(url) as saver:
            saver.setup()

    def url_of(self, database: str) -> str:
        from sqlalchemy import make_url

        return make_url(self._server).set(database=database).render_as_string(hide_password=False)

    def url(self, url: str, *, create: bool) -> str:
        """The URL to open: a database's where `url` names a file below the folder, else the same."""
        path = _file_of(url)
        if path is None or not path.parent.is_dir() or self._under not in path.parents:
            return url
        if not path.exists():
            return self.url_of(self._make(path)) if create else url
        noted = _note(path)
        if noted is None:
            return url  # not one of ours: what Solon says of it is the test
        database, owner = noted
        if owner != str(path):
            database = self._copy(database, path)
        return self.url_of(database)

    def drop_under(self, folder: Path) -> None:
        """Drop the databases of every note in a folder."""
        for path in folder.rglob("*"):
            if path.is_file() and (noted := _note(path)) is not None and noted[1] == str(path.resolve()):
                self._run(f"DROP DATABASE IF EXISTS {noted[0]} WITH (FORCE)")

    def _make(self, path: Path) -> str:
        database = self._clone(self._template)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".note-") as note:
            note.write(f"{MAGIC}{database}\n{path}\n")
            note.flush()
            try:
                os.link(note.name, path)
            except FileExistsError:  # another thread or process was first
                self._run(f"DROP DATABASE {database}")
                noted = _note(path)
                assert noted is not None
                return noted[0]
        return database

    def _copy(self, database: str, path: Path) -> str:
        copied = self._clone(database)
        path.write_text(f"{MAGIC}{copied}\n{path}\n")
        return copied

    def _clone(self, database: str) -> str:
        made = f"store_{uuid.uuid4().hex}"
        self._run(f"CREATE DATABASE {made} TEMPLATE {database} STRATEGY FILE_COPY")
        return made

    def _run(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement)


def _file_of(url: str) -> Path | None:
    from solon.errors import ConfigError
    from solon.store.database.engine import sqlite_path

    try:
        path = sqlite_path(url)
    except (ConfigError, Exception):
        return None
    return None if path is None else path.resolve()


def _note(path: Path) -> tuple[str, str] | None:
    """Database and own path of a note."""
    if path.stat().st_size > 4096:
        return None
    text = path.read_bytes().decode("utf-8", "replace")
    if not text.startswith(MAGIC):
        return None
    database, owner = text.removeprefix(MAGIC).splitlines()
    return database, owner


def from_environment() -> StandIn:
    return StandIn(os.environ[SERVER], "solon_template", Path(os.environ[UNDER]))


def patch(module: ModuleType, stand_in: StandIn) -> None:
    """Put the stand-in before what opens databases in one of the two modules that do."""
    if module.__name__ == "solon.store.database.store":
        opened = module.Store.__init__

        def __init__(self: Any, url: str, *, create: bool = False, **how: Any) -> None:
            opened(self, stand_in.url(url, create=create), create=create, **how)

        module.Store.__init__ = __init__
    else:
        make_engine = module.make_engine
        module.make_engine = lambda url: make_engine(stand_in.url(url, create=True))


def install() -> None:
    """Patch the modules in this process: now where they are loaded, else when they come to be loaded."""
    stand_in = from_environment()
    for name in _SEAMS:
        if name in sys.modules:
            patch(sys.modules[name], stand_in)
    sys.meta_path.insert(0, _Patching(stand_in))


class _Patching(importlib.abc.MetaPathFinder):
    """Patches a module as soon as it was executed, so that a process that opens no store imports nothing for it."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in _SEAMS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_patch(module: ModuleType) -> None:
                execute(module)
                patch(module, self._stand_in)

            spec.loader.exec_module = execute_and_patch  # type: ignore[method-assign]
        return spec
