"""Runs apart, under which the calls of impact runs stand: nothing of them shows in the lineage of the decided items.

What the panel would say of a held-out precedent under a draft is told to nobody before the draft is ratified, so it
must not stand beside the item, where anybody may read it.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from solon.store.database.ids import keyed_hash
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.runs.run_row import RunRow
from solon.store.runs.runs import PREVIEW
from solon.store.tables import items
from solon.store.tables.runs import Item, Run

BENCH = "bench"
"""Name of the seeds of such a run; its status is that of previews, so that it stands in no list."""


def open_bench(store: Store, connection: Connection, run: RunRow, item_id: str) -> tuple[str, str]:
    """Ids of the run apart, and of the item in it, for calls about an item of `run`; they are made where missing."""
    run_id = keyed_hash(store.key, BENCH, run.id)
    place = {"id": run_id, "status": PREVIEW, "seeds_name": BENCH, "seeds_fingerprint": ""}
    row = {name: getattr(run, name) for name in RunRow.__dataclass_fields__}
    row |= {**place, "reuse_run_id": None, "scope": "", "actor": "system"}
    row |= {"active_seconds": 0.0, "spent": None}
    item = dict(connection.execute(select(items).where(items.c.id == item_id)).mappings().one())
    bench_id = keyed_hash(store.key, BENCH, item_id)
    item |= {"id": bench_id, "run_id": run_id, "state": PREVIEW, "route": None, "reason": None}
    item |= {"pilot": False, "claimed_by": None, "claimed_until": None}
    insert_rows(connection, [(Run, row), (Item, item)])
    return run_id, bench_id
