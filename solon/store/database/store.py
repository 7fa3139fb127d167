"""The store: one project's data in SQLite or PostgreSQL, opened, prepared and closed here."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, inspect, select, text
from tenacity import Retrying, retry_if_exception_message, stop_after_delay, wait_random

from solon import __version__
from solon.errors import NewerStore, NoStore, StoreError
from solon.store.database.claims import find_lost
from solon.store.database.engine import (
    BUSY_SECONDS,
    checkpoint_location,
    file_identity,
    make_engine,
    mapped_errors,
    spell_place,
    sqlite_path,
)
from solon.store.database.ids import keyed_hash
from solon.store.database.storable import storable
from solon.store.database.writer import Row, Writer
from solon.store.tables.runs import Meta, Text

SCHEMA = "0063"
"""The migration that this version of Solon wants."""
MOST_SHARED = 64
"""Texts of no seed whose rows are kept at hand, see `Store.shared_row`."""
CLEAN = "secure_delete"
"""Name of the row in `meta` that says: everything erased in the files of this store, since they were made or were last
rewritten, was overwritten. Stores of a Solon that did not overwrite yet lack the row."""


class Store:
    """An open store. Reads go through `connect`, writes through `transaction` or the group-commit `writer`.

    Attributes:
        url: the SQLAlchemy URL.
        read_only: whether every write is refused, here and by the database.
        key: secret of this store; ids of texts are hashed with it, so that they tell nothing once erased.
    """

    def __init__(
        self, url: str, *, create: bool = False, restoring: bool = False, read_only: bool = False
    ) -> None:
        """Open the store at `url`; with `create`, make it or bring it to the current schema.

        Args:
            restoring: open it also where it lacks tombstones that lie beside it, in order to obey them.
            read_only: let the database itself refuse every write; nothing is made then, whatever `create` says.

        Raises:
            StoreError: it is missing, of another version, or cannot be written.
            ConfigError: the URL is no store URL.
        """
        self.url, self.read_only = url, read_only
        self.engine = make_engine(url, read_only=read_only)
        self.writer = Writer(self, find_lost)
        path = sqlite_path(url)
        self._path = path.absolute() if path is not None else None
        self._file: tuple[int, int] | None = None
        self._shared: dict[str, tuple[str, tuple[type, Row]]] = {}
        try:
            with mapped_errors(url):
                self._prepare(create and not read_only)
                if not read_only:
                    _use_wal(self.engine)
                self._file = file_identity(self._path)
                self.key = self._key()
                if not restoring:
                    self._check_tombstones()
        except BaseException:
            self.engine.dispose()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Commit what is under way and release every connection; what asks for another one gets a `StoreError`."""
        self.writer.close()
        self.engine.dispose()
        event.listen(self.engine, "do_connect", self._refuse_closed)

    def _refuse_closed(self, *_of_connection: object) -> None:
        raise StoreError(
            f"the store {spell_place(self.url)} was closed here",
            next_step="open it anew, or close it (leave its `with`) only after the last use",
        )

    @property
    def checkpoints(self) -> str:
        """The file (SQLite) or URL (PostgreSQL) that holds the graphs' checkpoints."""
        return checkpoint_location(self.url)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection that reads one consistent snapshot; a context manager."""
        options: dict[str, Any] = {}
        if self.engine.dialect.name == "postgresql":
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with mapped_errors(self.url), self.engine.connect().execution_options(**options) as connection:
            yield connection

    @contextmanager
    def transaction(self, within: Connection | None = None) -> Iterator[Connection]:
        """A connection in a short write transaction, committed at the end of the context. Never hold it across a
        model call or an await.

        Args:
            within: the connection of a transaction under way, which is given instead, and commits itself.

        Raises:
            StoreError: the store was opened for reading only, or its file is another one by now.
        """
        if within is not None:
            yield within
            return
        if self.read_only:
            raise StoreError(
                "this store was opened for reading only; nothing was changed",
                next_step="open it without `read_only` in order to write",
            )
        self.check_file()
        with (
            mapped_errors(self.url),
            self.engine.connect().execution_options(solon_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    def check_file(self) -> None:
        """Check that the store's place still holds the SQLite file that was opened: one that was deleted or replaced
        still takes what is written into it, and is gone once it is closed.

        Raises:
            StoreError: it holds none, or another one.
        """
        if self._file is None or file_identity(self._path) == self._file:
            return
        raise StoreError(
            f"{spell_place(self.url)} is not the file any more that was opened here: it was deleted, moved or "
            "replaced; nothing was stored",
            next_step="stop this process (server, worker or run) and start it again; stop it first, the next time, "
            "before you delete or restore a store",
        )

    def text_row(self, body: str, seed_id: str | None) -> tuple[str, tuple[type, Row]]:
        """The id of a text and the row to insert for it. A text belongs to one seed, so that it can be forgotten
        with it.
        """
        clean = storable(body)
        text_id = keyed_hash(self.key, seed_id or "", clean)
        return text_id, (Text, {"id": text_id, "seed_id": seed_id, "body": clean})

    def shared_row(self, body: str) -> tuple[str, tuple[type, Row]]:
        """As `text_row`, of a text that belongs to no seed and comes again and again: what it gave for the latest ones
        is kept."""
        if body not in self._shared:
            if len(self._shared) >= MOST_SHARED:
                self._shared.clear()
            self._shared[body] = self.text_row(body, None)
        return self._shared[body]

    def _prepare(self, create: bool) -> None:
        path = sqlite_path(self.url)
        if path is not None and not path.exists():
            if not create:
                raise NoStore(
                    f"there is no store {path}",
                    next_step="start one with `solon run`, put a backup back with `solon restore`, or name it "
                    "with --store",
                )
            check_folder(path)
        with self.engine.connect() as connection:
            schema = read_schema(connection)
        if schema == SCHEMA:
            return
        if schema is None and not create:
            raise NoStore(
                f"{path or self.engine.url} holds no Solon store",
                next_step="check --store, or start one with `solon run`",
            )
        if schema is not None and not create:
            raise StoreError(
                f"the store has schema {schema}, this version of Solon wants {SCHEMA}",
                next_step="run `solon doctor --migrate` (make a copy of the file first)",
            )
        bring_up(self.engine, schema)

    def _check_tombstones(self) -> None:
        """A store that was put back from an older copy holds again what was forgotten since."""
        from solon.store.database.tombstones import missing_stones, tombstones_file

        missing = missing_stones(self)
        if missing:
            raise StoreError(
                f"{tombstones_file(self.url)} has {len(missing)} tombstones that this store lacks: it is an older "
                "copy, in which what was forgotten since stands again",
                next_step="run `solon forget --again`",
            )

    def _key(self) -> str:
        with self.engine.connect() as connection:
            from solon.store.tables import meta

            query = select(meta.c.value).where(meta.c.name == "key")
            key = connection.execute(query).scalar_one_or_none()
        if key is not None:
            return str(key)
        with self.transaction() as connection:
            from solon.store.database.writer import insert_rows

            facts = {"key": secrets.token_hex(32), CLEAN: "1"}
            insert_rows(connection, [(Meta, {"name": name, "value": value}) for name, value in facts.items()])
        return self._key()


def _use_wal(engine: Engine) -> None:
    """Readers and the writer of a SQLite file do not block each other. A file that is in this mode stays in it."""
    if engine.dialect.name != "sqlite":
        return
    # SQLite does not wait for its turn when the mode is changed: it says "locked" at once, so it is asked again.
    again = Retrying(
        retry=retry_if_exception_message(match=r"(?s).*database is locked"),
        stop=stop_after_delay(BUSY_SECONDS),
        wait=wait_random(0.01, 0.1),
        reraise=True,
    )
    again(_set_wal, engine)


def _set_wal(engine: Engine) -> None:
    with engine.connect() as connection:
        if connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")


def check_folder(path: Path) -> None:
    """Check that the folder of a SQLite file is there, before the file is made.

    Raises:
        StoreError: the folder is missing.
    """
    folder = path.parent
    if not folder.is_dir():
        raise StoreError(f"the folder {folder} of the store does not exist", next_step=f"mkdir -p {folder}")


def bring_up(engine: Engine, schema: str | None) -> None:
    """Bring a database to the newest schema from the one that it has, as `read_schema` tells it; None: it is empty."""
    from solon.store.migrations import create, upgrade

    if schema is None:
        create(engine, SCHEMA)
    else:
        upgrade(engine)


def read_schema(connection: Connection) -> str | None:
    """The number of the schema in this database, e.g. `0026`; None where there is none yet and one may be made.

    Raises:
        NewerStore: a newer Solon made it.
        StoreError: another program that keeps its migrations with alembic made it.
    """
    if not inspect(connection).has_table("alembic_version"):
        return None
    schema = max(connection.execute(text("SELECT version_num FROM alembic_version")).scalars(), default=None)
    place = sqlite_path(connection.engine.url.render_as_string()) or connection.engine.url
    if schema is not None and not re.fullmatch(r"\d{4}", schema):
        raise StoreError(
            f"{place} belongs to another program (its schema is {schema!r})",
            next_step="check --store, or name an empty database",
        )
    if schema is not None and schema > SCHEMA:
        raise NewerStore(
            f"{place} was made by a newer Solon: it has schema {schema}, and this one, {__version__}, knows {SCHEMA}",
            next_step="upgrade with `pip install --upgrade solon`; the store was not changed",
        )
    return schema
