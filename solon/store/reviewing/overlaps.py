"""Questions that several people are asked, each blind to the others; and the half a question's decisions are in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from solon.store.database.ids import hash_id, keyed_hash
from solon.store.database.writer import Row, insert_rows
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.tables import items, seeds
from solon.store.tables.people import Review


def seed_facts(connection: Connection, item_id: str) -> dict[str, str | None]:
    """What decides whose field a review is in."""
    facts = connection.execute(
        select(seeds.c.specialty, seeds.c.lang)
        .join(items, items.c.seed_id == seeds.c.id)
        .where(items.c.id == item_id)
    ).one()
    return {"specialty": (facts.specialty or "").lower() or None, "lang": (facts.lang or "").lower() or None}


OVERLAP_ONE_IN = 4
JUST_BEHIND = 1e-3
"""Seconds; reviews of the same priority are handed out by age."""


def is_overlapped(item_id: str) -> bool:
    """A quarter of the pilot goes to two experts, so that their agreement with each other is known."""
    return int(hash_id("overlap", item_id)[:8], 16) % OVERLAP_ONE_IN == 0


CERTIFIES = "certify"
"""The rule of further asks that a certificate's target takes: proven people only, as for the pilot."""


def asked_further(connection: Connection, review: Mapping[str, Any], key: str, asked: int) -> list[Row]:
    """Who else is asked a question of the pilot: as many as the target of a certificate takes where the question can
    certify, else a second person on a quarter of them."""
    if asked > 1 and _half_of_item(connection, key, review["item_id"]) == "held_out":
        again = overlap_row(review)
        return [{**again, "id": hash_id(again["id"], n), "rule": CERTIFIES} for n in range(1, asked)]
    return [overlap_row(review)] if is_overlapped(review["item_id"]) else []


def insert_audit(connection: Connection, audit: Row, asked: int = 1) -> None:
    """A blind check of an accepted item, in the field and language of its seed, by so many people apart."""
    row = {**audit, **seed_facts(connection, audit["item_id"])}
    again = [{**row, "id": hash_id("audit", row["id"], n)} for n in range(1, asked)]
    insert_rows(connection, [(Review, one) for one in (row, *again)])


def _half_of_item(connection: Connection, key: str, item_id: str) -> str:
    query = select(seeds.c.id, seeds.c.group).join(items, items.c.seed_id == seeds.c.id)
    seed = connection.execute(query.where(items.c.id == item_id)).one()
    return half_of(key, seed.group or seed.id)


def half_of(key: str, group: str) -> str:
    """The half that decisions on a seed's group are in: `seen` teaches, `held_out` only ever tests."""
    return "held_out" if int(keyed_hash(key, "half", group)[:8], 16) % 2 else "seen"


def overlap_row(review: Mapping[str, Any]) -> Row:
    """The same question for a second expert, who cannot tell; nothing waits for the answer.

    It stands just behind the first: who is alone would else be handed this one, and never the one that is waited for.
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
