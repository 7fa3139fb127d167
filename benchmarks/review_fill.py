"""A store with a long queue: copies of one item that waits, written straight to the tables as the graph leaves them.

The copies share one seed and its candidates and have no checkpoints: this measures the queue, not the panel, and a
server over it must run with `--no-work`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select, text

from solon.project import Project
from solon.store.database.writer import insert_rows
from solon.store.tables import table_of
from solon.store.tables.people import Assignment, Decision, Review
from solon.store.tables.runs import Item

CONFIG = {"models": {"default": {"model": "scripted:split"}}, "routing": {"policy": "always"}}
FIELDS: tuple[tuple[str | None, str | None], ...] = (
    ("medicine", "en"), ("medicine", "de"), ("law", "en"), ("law", "sv"), ("teaching", "en"), (None, "en"),
    (None, None),
)  # fmt: skip
PEOPLE = 20
CHUNK = 5000
SEED = {
    "id": "one",
    "prompt": "A patient on warfarin asks whether she may take ibuprofen for a sprained ankle. What do you tell her?",
    "responses": [
        {"text": "Better not: together they raise the risk of bleeding. Paracetamol is usual.", "source": "a"},
        {"text": "Ibuprofen is fine for a few days if she takes it with food.", "source": "b"},
    ],
}  # fmt: skip


def open_project(url: str) -> Project:
    """A new store with one review that waits."""
    project = Project(url, config=CONFIG)
    project.run("preference", [SEED])
    return project


def fill(project: Project, waiting: int, *, decided: int = 0, fields: bool = True) -> None:
    """Add reviews that wait, and others that people have decided before, each about a question of its own.

    Args:
        fields: spread them over specialties and languages; else they have those of the first review.
    """
    items, reviews = table_of(Item), table_of(Review)
    with project.store.connect() as connection:
        item = dict(connection.execute(select(items).limit(1)).mappings().one())
        query = select(reviews).where(reviews.c.item_id == item["id"])
        review = dict(connection.execute(query).mappings().one())
    rows: list[tuple[type, dict[str, Any]]] = []
    for i in range(waiting + decided):
        rows += _copy(item, review, i, fields, decided=i >= waiting)
        if len(rows) >= CHUNK:
            with project.store.transaction() as connection:
                insert_rows(connection, rows)
            rows = []
    with project.store.transaction() as connection:
        insert_rows(connection, rows)
        connection.execute(text("ANALYZE"))


def _copy(
    item: dict[str, Any], review: dict[str, Any], i: int, fields: bool, *, decided: bool
) -> Iterator[tuple[type, dict[str, Any]]]:
    name = f"{i:024x}"
    specialty, lang = FIELDS[i % len(FIELDS)] if fields else (review["specialty"], review["lang"])
    own = {"id": name, "item_id": name, "content_hash": name, "specialty": specialty, "lang": lang}
    at = review["created_at"] + i / 1000
    yield Item, {**item, "id": name, "position": 100 + i, "state": "accepted" if decided else item["state"]}
    if not decided:
        yield Review, {**review, **own, "created_at": at}
        return
    actor = f"expert:{i % PEOPLE:024x}"
    yield (
        Review,
        {**review, **own, "created_at": at, "state": "decided", "decision_id": name, "resolved_at": at},
    )
    yield (
        Assignment,
        {
            "id": name, "review_id": name, "actor": actor, "state": "decided", "token": name, "decision_id": name,
            "opened_at": at, "expires_at": at, "closed_at": at,
        },
    )  # fmt: skip
    yield (
        Decision,
        {
            "id": name, "review_id": name, "item_id": name, "ordinal": review["ordinal"], "actor": actor,
            "channel": "api", "choice": "prefer", "candidate_id": review["candidates"][i % 2], "counts": True,
            "response_schema": review["response_schema"], "content_hash": name, "opened_at": at, "decided_at": at,
            "active_seconds": 20.0,
        },
    )  # fmt: skip
