"""Answers that one person gave to the same question at different times: golden items asked again, overlaps, audits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from solon.store.tables import Candidate, Decision, Item

decisions = Decision.__table__  # type: ignore[attr-defined]
candidates = Candidate.__table__  # type: ignore[attr-defined]
items = Item.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A later answer of the same person on the same request and candidates; `same` as their first."""

    actor: str
    at: float
    same: bool


def repeated_answers(connection: Connection, run_ids: Sequence[str]) -> list[Repeat]:
    """Every counted answer on what its author had answered before, in the order of time.

    Candidates have other ids in every attempt and run: what is compared is the text that was chosen.
    """
    query = (
        select(
            decisions.c.actor,
            decisions.c.content_hash,
            decisions.c.choice,
            decisions.c.decided_at,
            candidates.c.text_id,
        )
        .join(items, items.c.id == decisions.c.item_id)
        .join(candidates, candidates.c.id == decisions.c.candidate_id, isouter=True)
        .where(decisions.c.counts, decisions.c.undone_at.is_(None), items.c.run_id.in_(run_ids))
        .order_by(decisions.c.decided_at, decisions.c.id)
    )
    first: dict[tuple[str, str], tuple[str, str | None]] = {}
    found = []
    for row in connection.execute(query):
        said = (row.choice, row.text_id)
        key = (row.actor, row.content_hash)
        if key in first:
            found.append(Repeat(row.actor, row.decided_at, first[key] == said))
        else:
            first[key] = said
    return found
