"""Tombstones: keyed hashes of what was forgotten, so that nothing of it comes back by import, run, preview or restore.

They stand in the store, and once more in a file beside it: a store that is put back from an older copy lacks the
tombstones that were set since, and is refused until they were obeyed again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection, select

from solon.dialogues import spell_turn
from solon.errors import StoreError
from solon.observers import warn
from solon.store.database import clock
from solon.store.database.engine import sqlite_path
from solon.store.database.ids import keyed_hash
from solon.store.database.writer import insert_rows
from solon.store.tables import tombstones
from solon.store.tables.privacy import Tombstone

if TYPE_CHECKING:
    from solon.formats.seed_rows import SeedRow


KINDS = ("seed", "text", "id", "group", "subject")


@dataclass(frozen=True, slots=True)
class Stone:
    """One tombstone.

    Attributes:
        id: the keyed hash of kind and value, see `stone_id`.
        kind: one of `KINDS`: what the value is.
        act: id of the forgetting that set it.
        created_at: when it was set, epoch seconds.
    """

    id: str
    kind: str
    act: str
    created_at: float


def make_stone(key: str, kind: str, value: str, act: str) -> Stone:
    """A new tombstone against a value; `key` is the store's, `act` names the forgetting that sets it."""
    return Stone(stone_id(key, kind, value), kind, act, round(clock.now(), 3))


def stone_id(key: str, kind: str, value: str) -> str:
    """The id of the tombstone against a value: without the store's key it cannot be guessed from the value."""
    return keyed_hash(key, "tombstone", kind, value)


def words_of(content: Mapping[str, Any]) -> str:
    """The words of a seed's request without roles, white space or case, so that two spellings of it have one
    tombstone.
    """
    turns = [spell_turn(turn) for turn in content.get("messages") or ()]
    parts = [*(turns or [str(content.get("prompt") or "")]), str(content.get("input") or "")]
    return " ".join(" ".join(parts).casefold().split())


class KeyedStore(Protocol):
    """What tombstones ask of a store: its key, where it lies, and a connection."""

    key: str
    url: str

    def connect(self) -> AbstractContextManager[Connection]:
        """A connection for reading."""


class Tombstones:
    """The tombstones of one store, read once."""

    def __init__(self, store: KeyedStore, connection: Connection) -> None:
        self._key = store.key
        self._ids = set(connection.execute(select(tombstones.c.id)).scalars())

    def __bool__(self) -> bool:
        return bool(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def refuse(self, seed: SeedRow, seed_id: str) -> str:
        """The kind of the tombstone that stands against a seed; empty where none does."""
        if not self._ids:
            return ""
        content = {"prompt": seed.prompt, "messages": seed.messages, "input": seed.input}
        values = {"seed": seed_id, "text": words_of(content), "id": seed.id}
        return self._find({**values, "group": seed.group, "subject": seed.subject})

    def marks(self, seed_id: str, seed: Mapping[str, Any], content: Mapping[str, Any]) -> str:
        """The kind of the tombstone that stands against a stored seed, by its columns and content; empty where none
        does.
        """
        values = {"seed": seed_id, "text": words_of(content), "id": seed["external_id"]}
        return self._find({**values, "group": seed["group"], "subject": seed["subject"]})

    def has_seed(self, seed_id: str) -> bool:
        """Whether a tombstone stands against this very seed."""
        return stone_id(self._key, "seed", seed_id) in self._ids

    def _find(self, values: Mapping[str, str | None]) -> str:
        for kind, value in values.items():
            if value and stone_id(self._key, kind, value) in self._ids:
                return kind
        return ""


def read_tombstones(store: KeyedStore) -> Tombstones:
    """The tombstones of a store, read over a connection of their own."""
    with store.connect() as connection:
        return Tombstones(store, connection)


def add_stones(connection: Connection, stones: Iterable[Stone]) -> None:
    """Insert tombstones in the caller's transaction; those that are there already stay as they are."""
    rows = [{name: getattr(stone, name) for name in Stone.__slots__} for stone in stones]
    insert_rows(connection, [(Tombstone, row) for row in rows])


def tombstones_file(url: str) -> Path:
    """Path of the file with the tombstones: beside a SQLite store, in the working folder for a database on a server."""
    path = sqlite_path(url)
    return path.with_name(f"{path.stem}.tombstones.jsonl") if path else Path.cwd() / "solon.tombstones.jsonl"


def name_of_key(key: str) -> str:
    """A name by which a file of tombstones tells its stores apart; the key cannot be guessed from it."""
    return hashlib.sha256(f"tombstones:{key}".encode()).hexdigest()[:16]


def write_stones(store: KeyedStore, stones: Iterable[Stone], file: Path | None = None) -> None:
    """Add tombstones to the file, and have them on disk before the store changes: a crash in between leaves a
    forgetting that can be repeated.

    Args:
        file: default: the one beside the store.
    """
    own = {"store": name_of_key(store.key)}
    rows = [{**{name: getattr(stone, name) for name in Stone.__slots__}, **own} for stone in stones]
    add_lines(file or tombstones_file(store.url), map(json.dumps, rows))


def add_lines(path: Path, lines: Iterable[str]) -> None:
    """Append lines to a file of tombstones which it has not yet, on disk when this returns; it is made if need be.

    Where its last line is torn, they begin behind that line.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        with path.open("a+b") as stream:
            stream.seek(0)
            held = stream.read()
            known = set(held.splitlines())
            new = [
                line + b"\n" for line in dict.fromkeys(text.encode() for text in lines) if line not in known
            ]
            torn = bool(new and held and not held.endswith(b"\n"))
            stream.write(b"\n" * torn + b"".join(new))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise StoreError(
            f"tombstones cannot be written to {path}: {error.strerror or error}",
            next_step="free some space or make the file and its folder writable, and ask again",
        ) from error


def stones_in_file(store: KeyedStore, file: Path | None = None) -> dict[str, Stone]:
    """The tombstones that a file holds for this store, by their ids; default: the file beside the store.

    Warns of lines that cannot be read.
    """
    path = file or tombstones_file(store.url)
    if not path.is_file():
        return {}
    own, stones = name_of_key(store.key), {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            row = json.loads(line)
            if row.pop("store") == own:
                stones[row["id"]] = Stone(**row)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            warn(
                f"{path}, line {number} is no whole tombstone, so what it stands against may come back: put an "
                "undamaged copy of the file there; or, where `solon forget` was interrupted, forget again and delete "
                "the line"
            )
    return stones


def stones_in_store(store: KeyedStore) -> dict[str, Stone]:
    """The tombstones that stand in the store, by their ids."""
    columns = [tombstones.c[name] for name in Stone.__slots__]
    with store.connect() as connection:
        return {row.id: Stone(*row) for row in connection.execute(select(*columns))}


def missing_stones(store: KeyedStore, file: Path | None = None) -> list[Stone]:
    """Tombstones that the file holds for this store and the store lacks; where there are any, it is an older copy."""
    stones = stones_in_file(store, file)
    known = stones_in_store(store).keys() if stones else ()
    return [stone for name, stone in stones.items() if name not in known]
