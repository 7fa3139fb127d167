"""The audit log: an append-only chain, each entry sealed with HMAC over itself and the seal before it.

Entries hold ids, numbers and keyed hashes, never texts, so that the chain still verifies after texts were erased.
Without the key nobody can change, drop or insert an entry unseen; with the last seal noted elsewhere (`--head`),
cutting off the end is seen too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Connection, desc, insert, literal, select, text

from solon.errors import StoreError
from solon.store.database import clock
from solon.store.database.store import Store
from solon.store.tables import audit_log as entries

START = "0" * 64
KEY_VARIABLE = "SOLON_SECRET_KEY"
LOCK = 0x50_10_4E
"""PostgreSQL advisory lock: one transaction at a time adds to the chain."""


def sealing_key(store: Store, purpose: str = "audit") -> bytes:
    """The key for a purpose, derived from SOLON_SECRET_KEY, or from the store's own key where that is not set: then
    it guards only against those who cannot read the store.
    """
    secret = os.environ.get(KEY_VARIABLE) or store.key
    return hmac.new(secret.encode(), f"solon:{purpose}".encode(), hashlib.sha256).digest()


def key_id(key: bytes) -> str:
    """A short name of a key, from which the key cannot be guessed."""
    return hashlib.sha256(b"id:" + key).hexdigest()[:16]


def append(
    store: Store,
    connection: Connection,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
) -> str:
    """Add an entry in the caller's write transaction; returns its seal."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    last = connection.execute(
        select(entries.c.seq, entries.c.hash).order_by(desc(entries.c.seq)).limit(1)
    ).first()
    key = sealing_key(store)
    row = {
        "seq": last.seq + 1 if last else 1,
        "at": round(clock.now(), 3),
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": dict(detail or {}),
        "key_id": key_id(key),
        "previous": last.hash if last else START,
    }
    row["hash"] = _seal(key, row)
    connection.execute(insert(entries), [row])
    return str(row["hash"])


def note_reading(
    store: Store, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Add an entry about something read, in a transaction of its own. A store that cannot be written can still be
    read: then there is no entry.
    """
    try:
        with store.transaction() as connection:
            append(store, connection, actor, action, subject, detail)
    except StoreError:
        return


def _seal(key: bytes, row: Mapping[Any, Any]) -> str:
    content = [
        row[name] for name in ("seq", "at", "actor", "action", "subject", "detail", "key_id", "previous")
    ]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key, canonical.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a check of the chain found.

    Attributes:
        entries: number of entries that verified, from the first on.
        head: the last seal that verified: note it elsewhere to prove later that nothing was cut off.
        problem: what is wrong, in words; empty where the chain is intact.
        at_entry: `seq` of the first bad entry; None where the chain is intact or its end is missing.
    """

    entries: int
    head: str
    problem: str = ""
    at_entry: int | None = None

    @property
    def intact(self) -> bool:
        """Whether nothing wrong was found."""
        return not self.problem


def verify(store: Store, head: str | None = None) -> AuditReport:
    """Check every seal of the chain in order, and report what is wrong with the first bad entry, if any.

    Args:
        head: a seal noted earlier, which must still be in the chain.
    """
    key = sealing_key(store)
    own = key_id(key)
    previous, expected, seen_head = START, 1, head is None
    query = select(entries).order_by(entries.c.seq)
    with (
        store.connect() as connection,
        connection.execution_options(stream_results=True).execute(query) as result,
    ):
        for row in result.mappings():
            problem = _problem(row, key, own, previous, expected)
            if problem:
                return AuditReport(expected - 1, previous, problem, int(row["seq"]))
            previous, expected = row["hash"], expected + 1
            seen_head = seen_head or hmac.compare_digest(previous.encode(), (head or "").encode())
    if not seen_head:
        return AuditReport(
            expected - 1, previous, "the given head is not in the chain: its end was cut off", None
        )
    return AuditReport(expected - 1, previous)


def _problem(row: Mapping[Any, Any], key: bytes, own: str, previous: str, expected: int) -> str:
    if row["seq"] != expected:
        return f"entry {expected} is missing"
    if row["previous"] != previous:
        return "it does not follow the entry before it"
    if row["key_id"] != own:
        return f"it was sealed with another key ({row['key_id']}); set the {KEY_VARIABLE} of then"
    if not hmac.compare_digest(_seal(key, row), row["hash"]):
        return "its content was changed after it was sealed"
    return ""


def list_entries(
    connection: Connection,
    *,
    before: int | None = None,
    actor: str | None = None,
    subject: str | None = None,
    action: str | None = None,
    since: float | None = None,
    until: float | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Entries, the newest first; `before` continues after the lowest `seq` seen.

    Args:
        since: only entries of this time and later, in epoch seconds.
        until: only entries before this time.
    """
    query = select(entries).order_by(desc(entries.c.seq)).limit(limit)
    for column, wanted in (("actor", actor), ("subject", subject), ("action", action)):
        if wanted is not None:
            query = query.where(entries.c[column] == wanted)
    if since is not None:
        query = query.where(entries.c.at >= since)
    if until is not None:
        query = query.where(entries.c.at < until)
    if before is not None:
        query = query.where(
            entries.c.seq < literal(before, BigInteger())
        )  # it may be beyond the column's own range
    return [dict(row) for row in connection.execute(query).mappings()]


def list_actions(connection: Connection, among: int = 10_000) -> list[str]:
    """What was done of late, such as `item.read`, in the order of the alphabet.

    Args:
        among: so many of the newest entries are looked at.
    """
    newest = select(entries.c.action).order_by(desc(entries.c.seq)).limit(among).subquery()
    return sorted(connection.execute(select(newest.c.action).distinct()).scalars())


def has_read(connection: Connection, actor: str, action: str, subject: str) -> bool:
    """Whether the log holds that this person ever did this to that, e.g. read an item."""
    query = select(entries.c.seq).where(
        entries.c.subject == subject, entries.c.actor == actor, entries.c.action == action
    )
    return connection.execute(query.limit(1)).first() is not None


def unread(connection: Connection, actor: str, action: str, subjects: Sequence[str]) -> list[str]:
    """Those of the subjects to which this person never did this, each once, in their order."""
    query = select(entries.c.subject).where(
        entries.c.subject.in_(subjects), entries.c.actor == actor, entries.c.action == action
    )
    known = set(connection.execute(query).scalars())
    return [subject for subject in dict.fromkeys(subjects) if subject not in known]
