"""Near-duplicates among instructions: MinHash bands in the store, so that every process and later run sees them
(Broder, "On the resemblance and containment of documents", 1997).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from rensa import RMinHash
from sqlalchemy import Connection, select

from solon.store.database.ids import hash_id
from solon.store.database.writer import insert_rows
from solon.store.tables import candidates, fingerprints, items
from solon.store.tables.work import Fingerprint

PERMUTATIONS = 128
ROWS = 4
"""Rows a band: 32 bands of 4 rows find a pair of Jaccard similarity .5 with probability .87, of .7 with > .999."""


def shingles(text: str) -> list[str]:
    """The word trigrams of a text (all words where there are fewer than three)."""
    words = re.findall(r"\w+", text.lower())
    return [" ".join(words[i : i + 3]) for i in range(len(words) - 2)] or words or [text]


def signature(text: str) -> list[int]:
    """The MinHash of a text's shingles: `PERMUTATIONS` integers."""
    minhash = RMinHash(num_perm=PERMUTATIONS, seed=42)
    minhash.update(shingles(text))
    return list(minhash.digest())


def similarity(one: Sequence[int], other: Sequence[int]) -> float:
    """An estimate, from 0 to 1, of the Jaccard similarity of two texts from their signatures."""
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def register(
    connection: Connection,
    scope: str,
    candidate_id: str,
    item_id: str,
    text: str,
    threshold: float,
    kind: str = "duplicate",
    *,
    standing: bool = False,
) -> str | None:
    """Register a text, unless one of another item is too similar: then the id of the candidate that it repeats is
    returned.

    Looking and registering are one transaction, so that of two alike in flight only the first goes on. Asking again
    for the same candidate gives the same answer.

    Args:
        scope: name of the recipe, or of the run, within which texts must differ.
        threshold: the Jaccard similarity from which two texts are too similar.
        kind: as which a candidate is kept that repeats another.
        standing: texts of items that were rejected or failed may be repeated.
    """
    known = connection.execute(
        select(candidates.c.kind).where(candidates.c.id == candidate_id)
    ).scalar_one_or_none()
    if known is not None:
        return candidate_id if known == kind else None
    own = signature(text)
    bands = [hash_id(i, *own[i * ROWS : (i + 1) * ROWS]) for i in range(PERMUTATIONS // ROWS)]
    suspects = (
        select(fingerprints.c.candidate_id, fingerprints.c.signature)
        .where(
            fingerprints.c.scope == scope, fingerprints.c.band.in_(bands), fingerprints.c.item_id != item_id
        )
        .distinct()
    )
    if standing:
        suspects = suspects.join(items, items.c.id == fingerprints.c.item_id).where(
            items.c.state.not_in(("rejected", "failed"))
        )
    for other_id, other in connection.execute(suspects):
        if similarity(own, json.loads(other)) >= threshold:
            return str(other_id)
    stored = json.dumps(own)
    rows = [
        (
            Fingerprint,
            {
                "id": hash_id(candidate_id, band),
                "scope": scope,
                "band": band,
                "candidate_id": candidate_id,
                "item_id": item_id,
                "signature": stored,
            },
        )
        for band in bands
    ]
    insert_rows(connection, rows)
    return None
