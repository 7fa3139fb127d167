"""What judges scored single answers on the criteria of a rubric. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from solon.store.tables import verdicts

CHUNK = 500


def scores_on(connection: Connection, candidate_ids: Sequence[str]) -> dict[str, list[dict[str, float]]]:
    """What each judge who saw a candidate alone scored it by criterion, by the candidate's id."""
    scores: dict[str, list[dict[str, float]]] = {}
    for start in range(0, len(candidate_ids), CHUNK):
        part = candidate_ids[start : start + CHUNK]
        query = (
            select(verdicts.c.a_id, verdicts.c.scores)
            .where(verdicts.c.a_id.in_(part), verdicts.c.b_id.is_(None), verdicts.c.scores.is_not(None))
            .order_by(verdicts.c.id)
        )
        for row in connection.execute(query):
            scores.setdefault(row.a_id, []).append(row.scores)
    return scores
