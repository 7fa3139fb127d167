"""A run under another recipe of the same name, where somebody says so: its identity is exchanged, nothing else."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, update

from solon.store.database import clock
from solon.store.database.events import event
from solon.store.database.ids import hash_id
from solon.store.database.writer import insert_rows
from solon.store.runs.run_row import RunRow
from solon.store.runs.runs import set_run
from solon.store.tables import items
from solon.store.tables.runs import ConfigVersion

ADOPTED = "run.recipe_adopted"
FINAL = ("accepted", "rejected", "failed", "forgotten")


def adopt_recipe(
    connection: Connection,
    run: RunRow,
    config: dict[str, Any],
    fingerprint: str,
    identity: str,
    *,
    actor: str,
) -> None:
    """Put a run, and its items that are not final, under a configuration that names another identity of its recipe.

    What was learned and certified of the run spoke of the recipe before: it is a scope of its own from now on.

    Args:
        config: the effective configuration from now on.
        fingerprint: its hash, of what shapes the data.
        identity: of the recipe; empty of a shipped one.
        actor: who wanted it.
    """
    config_id = hash_id(json.dumps(config, sort_keys=True), fingerprint)
    row = {"id": config_id, "payload": {**config, "fingerprint": fingerprint}, "created_at": clock.now()}
    insert_rows(connection, [(ConfigVersion, row)])
    set_run(connection, run.id, config_id=config_id, scope=hash_id("adopted", run.scope, identity))
    open_items = items.c.state.not_in(FINAL) & (items.c.run_id == run.id)
    connection.execute(update(items).where(open_items).values(config_id=config_id, certificate_id=None))
    detail = {"from": run.config_id, "to": config_id, "recipe": identity}
    insert_rows(connection, [event(actor, ADOPTED, run.id, detail)])
