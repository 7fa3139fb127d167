"""The event log: what happened to whom, in ids and numbers only."""

from __future__ import annotations

from typing import Any

from solon.store.database import clock
from solon.store.database.ids import new_id
from solon.store.database.writer import Row
from solon.store.tables.people import Event

WAITING, CONTINUED = "run.waiting", "run.continued"
"""A run waits for a server that has answered and does not answer any more; it answers again, or the run has ended."""


def event(
    actor: str, kind: str, subject: str, detail: dict[str, Any], *, at: float | None = None
) -> tuple[type, Row]:
    """The table and the row of an event, to be inserted; `detail` holds ids and numbers only. `at`: default: now."""
    return Event, {
        "id": new_id(),
        "at": clock.now() if at is None else at,
        "actor": actor,
        "kind": kind,
        "subject": subject,
        "detail": detail,
    }
