"""The principles by which texts were made: those that a critic cited before a revision, and the one that an answer was
written to follow or to break. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, select

from solon.store.tables import calls, candidates, critiques

CONTRAST = "contrast"
"""The generator's seat begins so where it writes by a principle or against it."""


def contrast_seat(principle: str, *, breaks: bool) -> str:
    """The generator's seat for an answer that follows a principle, or breaks it."""
    return f"{CONTRAST}:{principle}:{'break' if breaks else 'follow'}"


def principles_of(connection: Connection, names: Collection[str]) -> dict[str, list[str]]:
    """candidate id -> ids of the principles that it was made by, sorted; only of those that were.

    Of a revision these are what critics cited of the text that it revises, and of those before it.
    """
    cited = {name: {asked["principle"]} for name, asked in contrasts_of(connection, names).items()}
    behind = {name: name for name in names}  # a text that was revised -> the candidate asked for
    while behind:
        behind = _revised_by(connection, behind)
        query = select(critiques.c.candidate_id, critiques.c.principles).where(
            critiques.c.candidate_id.in_(behind), critiques.c.abstained.is_(None)
        )
        for row in connection.execute(query) if behind else ():
            cited.setdefault(behind[row.candidate_id], set()).update(row.principles or ())
    return {name: sorted(found) for name, found in cited.items() if found}


def contrasts_of(connection: Connection, names: Collection[str]) -> dict[str, dict[str, str]]:
    """candidate id -> `principle` and whether the answer was `asked_to` follow or to break it; only of those that
    were."""
    query = (
        select(candidates.c.id, calls.c.seat)
        .join(calls, calls.c.id == candidates.c.call_id)
        .where(
            candidates.c.id.in_(names), calls.c.role == "generator", calls.c.seat.startswith(f"{CONTRAST}:")
        )
    )
    asked = {row.id: row.seat.split(":") for row in connection.execute(query)}
    return {name: {"principle": seat[1], "asked_to": seat[2]} for name, seat in asked.items()}


def compared_in(record: Mapping[str, Any]) -> list[str]:
    """The candidates that a record speaks of: the chosen and the rejected one, or of a tie those that were shown."""
    return [record[side] for side in ("chosen_id", "rejected_id") if record[side]] or list(
        record["shown"] or ()
    )


def _revised_by(connection: Connection, revisions: dict[str, str]) -> dict[str, str]:
    """The texts that these are revisions of -> the candidate asked for, as it stands with the revision."""
    query = select(candidates.c.id, candidates.c.parent_id).where(
        candidates.c.id.in_(revisions), candidates.c.kind == "revision", candidates.c.parent_id.is_not(None)
    )
    return {row.parent_id: revisions[row.id] for row in connection.execute(query)}
