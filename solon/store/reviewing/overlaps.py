"""Questions that several people are asked, each blind to the others; and the half, seen or held out, of each seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from solon.store.database.ids import hash_id, keyed_hash
from solon.store.database.writer import Row, insert_rows
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.tables import items, reviews, seeds
from solon.store.tables.people import Review


def seed_facts(connection: Connection, item_id: str) -> dict[str, str | None]:
    """Specialty and language of an item's seed, in lower case, by which a review finds its people; None: not stated."""
    facts = connection.execute(
        select(seeds.c.specialty, seeds.c.lang)
        .join(items, items.c.seed_id == seeds.c.id)
        .where(items.c.id == item_id)
    ).one()
    return {"specialty": (facts.specialty or "").lower() or None, "lang": (facts.lang or "").lower() or None}


OVERLAP_ONE_IN = 4
JUST_BEHIND = 1e-3
"""Seconds; reviews of the same priority are handed out by age."""


def is_overlapped(random_seed: int) -> bool:
    """Whether two experts are asked about the item of the pilot with this random seed: a quarter is, to know how far
    they agree with each other. The draw follows from `run.seed` and the seed's name."""
    return int(hash_id("overlap", random_seed)[:8], 16) % OVERLAP_ONE_IN == 0


CERTIFIES = "certify"
"""The rule of the further reviews that the target of a certificate takes, and of probes that wait for a person anyway:
for proven people only, as the pilot is."""


DOUBT = "doubt"
"""The rule of reviews that ask again what a person answered otherwise than a very sure panel."""


def asked_further(connection: Connection, review: Mapping[str, Any], asked: int) -> list[Row]:
    """Rows of the reviews by which further people are asked a question of the pilot; empty where nobody is.

    As many as the target of a certificate takes; where it takes one, a second person on a quarter of them.

    Args:
        review: the row of the first review.
        asked: so many people the target takes, the first included.
    """
    item = connection.execute(select(items.c.random_seed).where(items.c.id == review["item_id"])).one()
    again = overlap_row(review)
    if asked > 1:
        return [{**again, "id": hash_id(again["id"], n), "rule": CERTIFIES} for n in range(1, asked)]
    return [again] if is_overlapped(item.random_seed) else []


def insert_audit(connection: Connection, audit: Row, asked: int = 1) -> None:
    """Insert the blind check of an accepted item, in its seed's field and language, once for each person `asked`; none
    where an audit of an earlier attempt was answered or is in somebody's hands: an item's first audit is what counts,
    and its author would never be handed another of the same texts."""
    earlier = select(reviews.c.id).where(
        reviews.c.item_id == audit["item_id"],
        reviews.c.attempt < audit["attempt"],
        reviews.c.kind == "audit",
        reviews.c.state != "withdrawn",
    )
    if audit["attempt"] and connection.execute(earlier.limit(1)).first() is not None:
        return
    row = {**audit, **seed_facts(connection, audit["item_id"])}
    again = [{**row, "id": hash_id("audit", row["id"], n)} for n in range(1, asked)]
    insert_rows(connection, [(Review, one) for one in (row, *again)])


def half_of(key: str, group: str) -> str:
    """The half that decisions on a seed's group are in: `seen` teaches, `held_out` only ever tests."""
    return "held_out" if int(keyed_hash(key, "half", group)[:8], 16) % 2 else "seen"


def overlap_row(review: Mapping[str, Any]) -> Row:
    """The row of a review that asks a second person the same question; they cannot tell, and no graph waits for it.

    It stands just behind the first: who works alone would otherwise be handed this one, and never the one that a graph
    waits for.
    """
    second = {name: review[name] for name in ReviewRow.__dataclass_fields__}
    return {
        **second,
        "id": hash_id("overlap", review["id"]),
        "kind": "overlap",
        "state": "waiting",
        "ordinal": -2 - review["ordinal"],
        "created_at": review["created_at"] + JUST_BEHIND,
        "interrupt_id": None,
        "prefer_actor": None,
        "decision_id": None,
        "resolved_at": None,
        "leased": False,
        "escalated": False,
    }
