"""The principles by which texts were made: those that a critic cited before a revision, and the one that an answer was
written to follow or to break. Reads only."""

from __future__ import annotations

from collections.abc import Collection

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
    cited = _contrasted(connection, names)
    behind = {name: name for name in names}  # a text that was revised -> the candidate asked for
    while behind:
        behind = _revised_by(connection, behind)
        query = select(critiques.c.candidate_id, critiques.c.principles).where(
            critiques.c.candidate_id.in_(behind), critiques.c.abstained.is_(None)
        )
        for row in connection.execute(query) if behind else ():
            cited.setdefault(behind[row.candidate_id], set()).update(row.principles or ())
    return {name: sorted(found) for name, found in cited.items() if found}


def _contrasted(connection: Connection, names: Collection[str]) -> dict[str, set[str]]:
    query = (
        select(candidates.c.id, calls.c.seat)
        .join(calls, calls.c.id == candidates.c.call_id)
        .where(
            candidates.c.id.in_(names), calls.c.role == "generator", calls.c.seat.startswith(f"{CONTRAST}:")
        )
    )
    return {row.id: {row.seat.split(":")[1]} for row in connection.execute(query)}


def _revised_by(connection: Connection, revisions: dict[str, str]) -> dict[str, str]:
    """The texts that these are revisions of -> the candidate asked for, as it stands with the revision."""
    query = select(candidates.c.id, candidates.c.parent_id).where(
        candidates.c.id.in_(revisions), candidates.c.kind == "revision", candidates.c.parent_id.is_not(None)
    )
    return {row.parent_id: revisions[row.id] for row in connection.execute(query)}
