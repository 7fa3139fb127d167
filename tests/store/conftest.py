"""Stores with a run, items and reviews in them, made without any graph or model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from solon.formats.seed_rows import SeedRow
from solon.formats.seeds import read_seed_rows
from solon.project import Project
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.runs import runs
from solon.store.runs.run_row import RunRow
from solon.store.tables.people import Review
from solon.store.tables.work import Candidate


@dataclass(frozen=True)
class Seeded:
    """A store with one run of queued items."""

    store: Store
    run: RunRow
    items: list[str]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store(store_url, create=True) as opened:
        yield opened


@pytest.fixture
def seed_store(store: Store) -> Callable[[int], Seeded]:
    """Adds a run over so many seeds."""

    def make(n: int) -> Seeded:
        rows = [{"id": f"s{i}", "prompt": f"Question {i}?", "group": f"g{i // 2}"} for i in range(n)]
        project = Project(store.url, config={"models": {"default": {"model": "scripted:default"}}})
        run, pins = project.prepare_run("preference", rows, new_run=False, reuse=None)
        seeds = (row for row in read_seed_rows(rows) if isinstance(row, SeedRow))
        assert runs.add_items(store, run, pins, enumerate(seeds)) == n
        with store.transaction() as connection:
            runs.set_run(connection, run.id, status="running")
        project.close()
        items = [hash_id(run.id, seed) for seed in _seed_ids(store, run.id)]
        return Seeded(store, run, items)

    return make


def _seed_ids(store: Store, run_id: str) -> list[str]:
    from sqlalchemy import select

    from solon.store.tables import items

    with store.connect() as connection:
        query = select(items.c.seed_id).where(items.c.run_id == run_id).order_by(items.c.position)
        return list(connection.execute(query).scalars())


@pytest.fixture
def open_review(store: Store) -> Callable[..., str]:
    """Writes two candidates of an item and a review of them that waits; returns the review's id."""

    def make(seeded: Seeded, index: int = 0, *, state: str = "waiting", schema: str = "pair@1") -> str:
        item_id = seeded.items[index]
        now = time.time()
        rows: list[tuple[type, dict[str, object]]] = []
        ids = [hash_id(item_id, name) for name in ("a", "b")]
        for ordinal, candidate in enumerate(ids):
            text_id, row = store.text_row(f"answer {ordinal} of {item_id}", None)
            rows.append(row)
            made = {
                "id": candidate,
                "item_id": item_id,
                "attempt": 0,
                "round": 0,
                "ordinal": ordinal,
                "kind": "draft",
                "text_id": text_id,
                "author": "fake",
                "created_at": now,
            }
            rows.append((Candidate, made))
        review_id = hash_id(item_id, "review")
        review = {
            "id": review_id,
            "item_id": item_id,
            "run_id": seeded.run.id,
            "recipe": "preference",
            "attempt": 0,
            "ordinal": 0,
            "kind": "interrupt",
            "state": state,
            "response_schema": schema,
            "candidates": ids if schema == "pair@1" else ids[:1],
            "reasons": [{"code": "split", "text": "judges split"}],
            "rule": "threshold",
            "thread_id": f"{item_id}:0",
            "interrupt_id": "interrupt",
            "content_hash": hash_id(item_id, "content"),
            "created_at": now,
        }
        rows.append((Review, review))
        with store.transaction() as connection:
            insert_rows(connection, rows)
            from solon.store.tables import items

            connection.execute(items.update().where(items.c.id == item_id).values(state="waiting"))
        return review_id

    return make
