"""What people flagged among accepted records: in audits, which were drawn at random, and anywhere. Reads only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, or_, select

from solon.consensus.audit import rate_with_bound
from solon.store.reviewing.checks import blind_answer
from solon.store.reviewing.drawn_questions import is_drawn_as
from solon.store.tables import decisions, records, reviews


def audited_unsafe(connection: Connection, run_id: str) -> list[bool]:
    """Whether the choice of each audited record was flagged unsafe, by anyone; the first one audited first."""
    query = (
        select(records.c.id.label("record"), records.c.chosen_id, decisions)
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .join(records, (records.c.item_id == reviews.c.item_id) & (records.c.attempt == reviews.c.attempt))
        .where(
            reviews.c.run_id == run_id,
            is_drawn_as("audit"),
            records.c.place == 0,
            or_(decisions.c.counts, decisions.c.checked.is_not(None)),
            decisions.c.undone_at.is_(None),
        )
        .order_by(decisions.c.decided_at, decisions.c.id)
    )
    unsafe: dict[str, bool] = {}
    for row in connection.execute(query):
        if (said := blind_answer(row._mapping)) is not None:
            flagged = "unsafe" in (said.flags.get(row.chosen_id or "") or ())
            unsafe[row.record] = unsafe.get(row.record, False) or flagged
    return list(unsafe.values())


def known_unsafe(connection: Connection, run_id: str) -> int:
    """How many records in force have a chosen text that anyone flagged unsafe, however it came to be looked at."""
    query = (
        select(records.c.id, records.c.chosen_id, decisions.c.flags)
        .join(decisions, decisions.c.item_id == records.c.item_id)
        .where(records.c.run_id == run_id, records.c.superseded_at.is_(None), decisions.c.undone_at.is_(None))
    )
    return len(
        {
            row.id
            for row in connection.execute(query)
            if "unsafe" in ((row.flags or {}).get(row.chosen_id or "") or ())
        }
    )


def tell_unsafe(connection: Connection, run_id: str) -> dict[str, Any]:
    """Among accepted records how many were `flagged` unsafe of those `audited`, the `rate` (None of none), its exact
    95% upper bound `at_most`, and how many are `known`."""
    flagged = audited_unsafe(connection, run_id)
    rate, at_most = rate_with_bound(flagged)
    return {
        "flagged": sum(flagged),
        "audited": len(flagged),
        "rate": rate,
        "at_most": at_most,
        "known": known_unsafe(connection, run_id),
    }
