"""Which precedents an amendment is measured on. Reads only."""

from __future__ import annotations

from sqlalchemy import Connection

from solon.law.casebook import repeats
from solon.store.database.ids import hash_id
from solon.store.lawmaking.amendments import AmendmentRow
from solon.store.lawmaking.precedents import PrecedentRow, precedents_under


def choose_sample(
    connection: Connection, amendment: AmendmentRow, most: int, done: set[str]
) -> tuple[list[tuple[PrecedentRow, str]], int]:
    """Precedents to measure an amendment on, each with its part, in equal shares of parts and outcomes; and how many
    held-out ones measure nothing more, since they are worn.

    What the draft cites counts as seen with all of its group, and so does a request that repeats a seen one; what it
    overrules, and worn held-out ones, are left out.

    Args:
        most: so many precedents at most.
        done: ids of precedents that were tried already, which come first.
    """
    rows = precedents_under(connection, amendment.document)
    held_out = [row for row in rows if row.half == "held_out"]
    again = repeats([row.request for row in held_out], [row.request for row in rows if row.half == "seen"])
    known = {row.id for row, repeated in zip(held_out, again, strict=True) if repeated}
    cited = {row.group or row.seed_id for row in rows if row.decision_id in amendment.cites}
    strata: dict[tuple[str, str], list[tuple[PrecedentRow, str]]] = {}
    worn = 0
    for row in rows:
        left_out = row.overruled_at is not None or row.decision_id in amendment.overrules
        if left_out or not row.question.is_outcome(row.outcome):
            continue
        if row.worn and row.id not in done:
            worn += 1
            continue
        part = "fresh" if row.created_at > amendment.created_at else row.half
        if (row.group or row.seed_id) in cited or (part == "held_out" and row.id in known):
            part = "seen"
        strata.setdefault((part, row.outcome), []).append((row, part))
    for stratum in strata.values():
        stratum.sort(key=lambda pair: (pair[0].id not in done, hash_id(amendment.id, pair[0].id)))
    chosen: list[tuple[PrecedentRow, str]] = []
    # Unseen ones first: where the sample is small, they are what the verdict rests on.
    queues = [strata[key] for key in sorted(strata, key=lambda key: (key[0] == "seen", key))]
    while len(chosen) < most and any(queues):
        for queue in queues:
            if queue and len(chosen) < most:
                chosen.append(queue.pop(0))
    return chosen, worn
