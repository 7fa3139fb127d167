"""The segment of an item: what one field of its seed says. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection, select

from solon.store.tables import items, seeds, texts

COLUMNS = ("specialty", "lang", "source", "licence")
"""Fields that every seed may have; any other column of a row is in its metadata."""
LONGEST = 80
CHUNK = 500


def segments_on(connection: Connection, field: str, item_ids: Iterable[str]) -> dict[str, str]:
    """Return the segment of each item whose seed states one, by the item's id; nothing where no field is named.

    A value that is no text, number or truth, or is longer than a name, is no segment.
    """
    ids = sorted(set(item_ids)) if field else []
    found: dict[str, str] = {}
    for start in range(0, len(ids), CHUNK):
        part = items.c.id.in_(ids[start : start + CHUNK])
        query = select(items.c.id, *(seeds.c[name] for name in COLUMNS), texts.c.body)
        query = query.join(seeds, seeds.c.id == items.c.seed_id).join(texts, texts.c.id == seeds.c.text_id)
        for row in connection.execute(query.where(part)).mappings():
            if field in COLUMNS:
                value = row[field]
            else:
                value = (json.loads(row["body"] or "{}").get("metadata") or {}).get(field)
            name = str(value).strip() if isinstance(value, str | int | float) else ""
            if 0 < len(name) <= LONGEST:
                found[row["id"]] = name
    return found
