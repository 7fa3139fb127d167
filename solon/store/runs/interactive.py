"""Interactive runs: items that graphs of one's own open one by one, and find again after a crash."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from solon.config.sections import RoutingConfig
from solon.errors import SeedError
from solon.formats.seed_rows import SeedRow
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.database.tombstones import Tombstones
from solon.store.database.writer import insert_rows
from solon.store.runs.items import FINAL
from solon.store.runs.pilot import count_pilot, wanted_pilot
from solon.store.runs.row_keys import RowKeys
from solon.store.runs.run_row import RunRow
from solon.store.runs.runs import Pins, item_random_seed, seed_and_item, seed_identity
from solon.store.tables import graph_items, items, precedents, runs, seeds, texts
from solon.store.tables.runs import GraphItem

INTERACTIVE = "interactive"
"""What stands for the seeds of a run whose items are opened one by one."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit of a graph at a node that asks for a record.

    Attributes:
        place: where it asks, and for what; see `GraphItem`.
        name: this visit; the same where a crash makes the graph come again, unless it has forgotten all of its steps.
        only: the seed has an id of the caller's own: at this place there is one item of it, however often it is asked
            for.
        replayed: the graph keeps nothing on its way, so that after a crash it comes again under another name; it takes
            the items that it opened then, but those that it was `given` since.
        given: ids of items that this process has given it.
        thread: thread of the graph in the store's own checkpoints, None where it keeps them elsewhere.
    """

    place: str
    name: str
    only: bool = False
    replayed: bool = False
    given: Collection[str] = ()
    thread: str | None = None

    def is_of(self, item_id: str, name: str, state: str) -> bool:
        """Whether an item that was opened at this place is the one that this visit means."""
        again = self.replayed and item_id not in self.given
        return self.only or name == self.name or state not in FINAL or again


def open_item(
    store: Store, run: RunRow, pins: Pins, seed: SeedRow, visit: Visit, routing: RoutingConfig
) -> str:
    """The id of the item of a visit: the one that was opened there before, in whatever run, or a new one that is
    queued in this run.

    Raises:
        SeedError: the seed was forgotten.
    """
    named = seed_identity(store, seed)
    with store.transaction() as connection:
        connection.execute(select(runs.c.id).where(runs.c.id == run.id).with_for_update())
        query = (
            select(graph_items.c.item_id, graph_items.c.visit, items.c.state)
            .join(items, items.c.id == graph_items.c.item_id)
            .where(graph_items.c.place == visit.place)
            .order_by(graph_items.c.ordinal)
        )
        opened = connection.execute(query).all()
        for item_id, name, state in opened:
            if visit.is_of(item_id, name, state):
                return str(item_id)
        kind = Tombstones(store, connection).refuse(seed, named[0])
        if kind:
            raise SeedError(
                f"this seed was forgotten: a tombstone stands against its {kind}; no item was made",
                next_step="ask for another one",
            )
        return _add(store, connection, run, pins, seed, named, visit, len(opened), routing)


def _add(
    store: Store,
    connection: Connection,
    run: RunRow,
    pins: Pins,
    seed: SeedRow,
    named: tuple[str, str],
    visit: Visit,
    ordinal: int,
    routing: RoutingConfig,
) -> str:
    last = select(func.coalesce(func.max(items.c.position), -1)).where(items.c.run_id == run.id)
    position = int(connection.execute(last).scalar_one()) + 1
    key = RowKeys(store.key).of_seed(run.recipe, seed)
    rows = seed_and_item(store, run, pins, position, seed, named, key)
    table, item = rows.pop()
    item_id = hash_id(INTERACTIVE, visit.place, ordinal)
    drawn = item_random_seed(run.random_seed, seed.id if visit.only else item_id)
    own = {
        "id": item_id,
        "random_seed": drawn,
        "pilot": _is_pilot(connection, run.id, drawn, routing),
        "precedents_until": _newest_precedent(connection, run),
    }
    opened = {
        "item_id": item_id,
        "place": visit.place,
        "ordinal": ordinal,
        "visit": visit.name,
        "thread": visit.thread,
    }
    insert_rows(connection, [*rows, (table, {**item, **own}), (GraphItem, opened)])
    return item_id


def _is_pilot(connection: Connection, run_id: str, drawn: int, routing: RoutingConfig) -> bool:
    """Whether an item is in the pilot: by its own hash and a rate, until the pilot is full. Nobody knows how many items
    will come, so that the smallest hashes of all cannot be taken."""
    if not routing.draws_pilot or drawn >= routing.pilot_share * 2**48:
        return False
    return count_pilot(connection, run_id) < (wanted_pilot(connection, run_id) or routing.pilot_size)


def _newest_precedent(connection: Connection, run: RunRow) -> float:
    """Until when precedents are shown: past the newest, so that items which know the same ones share them."""
    newest = func.max(func.coalesce(precedents.c.retrievable_at, precedents.c.created_at))
    last = connection.execute(select(newest).where(precedents.c.recipe == run.recipe)).scalar()
    return float(last) + 1e-3 if last is not None else run.created_at


@dataclass(frozen=True, slots=True)
class FromSource:
    """An item that was opened by itself, as its author sees it.

    Attributes:
        id: its id.
        state: where it stands.
        reason: why it ended; empty while it has not.
        prompt: its request; empty where it was forgotten.
    """

    id: str
    state: str
    reason: str
    prompt: str


def items_from(connection: Connection, source: str, limit: int) -> list[FromSource]:
    """The latest items that were opened by themselves and whose seeds name this source, the newest first."""
    query = (
        select(items.c.id, items.c.state, items.c.reason, texts.c.body)
        .join(graph_items, graph_items.c.item_id == items.c.id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .where(seeds.c.source == source)
        # Not by an index of all items: SQLite would go through them for the few that were opened by themselves.
        .order_by((items.c.run_id + "").desc(), (items.c.position + 0).desc())
        .limit(limit)
    )
    return [
        FromSource(
            row.id,
            row.state,
            row.reason or "",
            str(json.loads(row.body).get("prompt", "")) if row.body else "",
        )
        for row in connection.execute(query)
    ]


def is_interactive(run: RunRow) -> bool:
    """Whether the items of a run are opened one by one."""
    return run.seeds_fingerprint == INTERACTIVE


def threads_of(connection: Connection, item_ids: Collection[str]) -> set[str]:
    """Threads, in the store's own checkpoints, of graphs that opened these items."""
    query = select(graph_items.c.thread).where(graph_items.c.item_id.in_(item_ids))
    return {thread for thread in connection.execute(query).scalars() if thread is not None}
