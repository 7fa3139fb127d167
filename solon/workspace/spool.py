"""Rows on their way into a run, set aside on the disk, so that a file is read once and none of it stays in memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from solon.errors import StoreError


class Spool:
    """Rows in their order, each with a note that is found by its name; a context manager. They lie in a file without a
    name in the folder for temporary files, which is gone with the process, however that ends.

    Raises:
        StoreError: from every method: there is no room for them, or one is larger than SQLite takes.
    """

    def __init__(self) -> None:
        with _room():
            self._rows = sqlite3.connect("", check_same_thread=False, isolation_level=None)
            for statement in (
                "PRAGMA journal_mode = OFF",
                "CREATE TABLE rows (place INTEGER PRIMARY KEY, name TEXT, row BLOB, note BLOB)",
                "CREATE INDEX names ON rows (name)",
                "BEGIN",  # never committed: nobody else reads it, and a commit for each row costs
            ):
                self._rows.execute(statement)
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._rows.close()

    def add(self, row: Mapping[str, Any], *, name: str | None = None, note: Any = None) -> None:
        """Set a row aside behind the others. It and its note are values that JSON has words for."""
        # as bytes: half a surrogate pair is no text of SQLite's, and escapes would take more room than the file
        texts = (
            json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") for value in (row, note)
        )
        with _room():
            self._rows.execute("INSERT INTO rows (name, row, note) VALUES (?, ?, ?)", (name, *texts))
        self._number += 1

    def note_of(self, name: str) -> Any:
        """Return the note beside the row of this name; None where there is no such row."""
        with _room():
            found = self._rows.execute("SELECT note FROM rows WHERE name = ? LIMIT 1", (name,)).fetchone()
        return json.loads(found[0]) if found else None

    def __getitem__(self, place: int) -> dict[str, Any]:
        """Return the row at this place, from 0."""
        if not 0 <= place < self._number:
            raise IndexError(f"row {place} of {self._number}")
        with _room():
            [row] = self._rows.execute("SELECT row FROM rows WHERE place = ?", (place + 1,)).fetchone()
        found: dict[str, Any] = json.loads(row)
        return found

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with _room():
            for (row,) in self._rows.execute("SELECT row FROM rows ORDER BY place"):
                yield json.loads(row)


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.DataError as error:
        raise StoreError(
            f"a row is too large to be set aside: {error}", next_step="shorten or split it"
        ) from None
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"rows cannot be set aside in the folder for temporary files: {error}",
            next_step="make room there, or name another folder in the variable SQLITE_TMPDIR",
        ) from None
