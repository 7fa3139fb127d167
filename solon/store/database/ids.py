"""Deterministic identifiers: the same thing always gets the same id, which people may abbreviate."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from solon.errors import UsageError
from solon.store.database import clock

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement


def hash_id(*parts: str | int) -> str:
    """An id of 24 hex digits, the same for the same parts; no two lists of parts run together."""
    return hashlib.blake2b(_framed(parts), digest_size=12).hexdigest()


def keyed_hash(key: str, *parts: str) -> str:
    """An id like that of `hash_id` which cannot be guessed without the store's own key: for ids that outlive erased
    texts.
    """
    digest = _keyed(key).copy()
    digest.update(_framed(parts))
    return digest.hexdigest()


def _framed(parts: Iterable[str | int]) -> bytes:
    """Every part behind its length, so that no part can pass for two."""
    framed = []
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        framed += [len(data).to_bytes(4, "big"), data]
    return b"".join(framed)


@lru_cache(maxsize=16)
def _keyed(key: str) -> hashlib.blake2b:
    """Mixing the key in costs as much as hashing a short text: done once a store."""
    return hashlib.blake2b(digest_size=12, key=bytes.fromhex(key))


def new_id() -> str:
    """A fresh id for things that happen once (runs, events); ids made later sort after it, to the millisecond."""
    return f"{int(clock.now() * 1000):011x}{secrets.token_hex(5)}"


def begins(column: Column[str], given: str, what: str) -> ColumnElement[bool]:
    """The condition that the id in a column is the one given or begins with it; `what` names the thing in the error.

    Raises:
        UsageError: nothing is given: every id begins with nothing.
    """
    if not given.strip():
        raise UsageError(
            f"the id of {what} is blank",
            next_step="give an id or its beginning, or leave it out where that is allowed",
        )
    return column.startswith(given, autoescape=True)
