"""Deterministic identifiers: the same thing always gets the same id. Imports nothing of Solon."""

from __future__ import annotations

import hashlib
import secrets
import time


def hash_id(*parts: str | int) -> str:
    """A 24 hex digit id of the parts; the separator cannot be forged by a part."""
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "big"))
        digest.update(data)
    return digest.hexdigest()


def keyed_hash(key: str, *parts: str) -> str:
    """Like `hash_id`, but not guessable without the store's own key: for ids that outlive erased texts."""
    digest = hashlib.blake2b(digest_size=12, key=bytes.fromhex(key))
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "big"))
        digest.update(data)
    return digest.hexdigest()


def new_id() -> str:
    """A fresh, roughly time-ordered id for things that happen once (runs, events)."""
    return f"{int(time.time() * 1000):011x}{secrets.token_hex(5)}"
