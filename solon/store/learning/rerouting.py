"""A run under another policy: each item that nobody has decided, and nobody has in hand, is routed again from the
answers that are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, desc, func, select, update

from solon.config.sections import RoutingConfig
from solon.errors import UsageError
from solon.store.database.events import event
from solon.store.database.writer import insert_rows
from solon.store.learning.adoption import send_again
from solon.store.learning.evidence import undecided_items
from solon.store.runs.items import has_lapsed
from solon.store.runs.pilot import count_pilot, draw_pilot, draw_up_to, note_pilot
from solon.store.runs.run_row import RunRow
from solon.store.runs.runs import set_run
from solon.store.tables import events, items

REROUTED = "run.rerouted"


def reroute(
    connection: Connection, run: RunRow, config_id: str, routing: RoutingConfig, *, actor: str
) -> None:
    """Put a run under a configuration that differs in its routing alone.

    Items that no person has decided or has in hand begin a new attempt, which takes every call that was made from the
    journal; items that were never started follow the new configuration; the rest stays where it is.

    Args:
        config_id: the configuration from now on.
        routing: its routing; a pilot that it wants is drawn among all items.
        actor: who wanted it.

    Raises:
        UsageError: a process is at work on the run, under the old policy.
    """
    own = items.c.run_id == run.id
    if n := at_work(connection, run.id):
        raise UsageError(
            f"run {run.id} cannot be routed otherwise: a process is at work on {n} of its items",
            next_step="let it end, or stop it (Ctrl-C loses nothing), and repeat the command",
        )
    set_run(connection, run.id, config_id=config_id)
    begun = items.c.state.in_(("queued", "running", "parked"))
    connection.execute(update(items).where(own, begun).values(config_id=config_id))
    pins = {"config_id": config_id}
    moved = [
        send_again(connection, item, pins, why="policy changed")
        for item in undecided_items(connection, run.id)
    ]
    detail = {"from": run.config_id, "to": config_id, "items": sum(moved)}
    insert_rows(connection, [event(actor, REROUTED, run.id, detail)])
    if routing.draws_pilot and run.status != "loading":  # else it is drawn once all items are stored
        draw_pilot(connection, run.id, routing, afterwards=True)


def at_work(connection: Connection, run_id: str) -> int:
    """How many items of the run some process has in hand."""
    held = (items.c.run_id == run_id, items.c.state == "running", ~has_lapsed())
    query = select(func.count()).where(*held)
    return int(connection.execute(query).scalar_one())


def grow_pilot(connection: Connection, run: RunRow, size: int, *, interactive: bool) -> int:
    """Draw further items into the pilot, in the random order that was fixed when the run began; returns how many.

    Those that no person has decided or has in hand begin a new attempt, from the calls in the journal, and are asked.

    Args:
        size: that the pilot shall have.
        interactive: items are opened one by one: those to come are drawn.
    """
    if interactive:
        note_pilot(connection, run.id, size)
        return max(0, size - count_pilot(connection, run.id))
    before = count_pilot(connection, run.id)
    undecided = {item.item_id: item for item in undecided_items(connection, run.id) if not item.pilot}
    drawn = draw_up_to(connection, run.id, size, afterwards=True) - before
    query = select(items.c.id).where(items.c.run_id == run.id, items.c.pilot)
    for item_id in connection.execute(query).scalars().all():
        if item_id in undecided:
            send_again(connection, undecided[item_id], {}, why="drawn into the pilot")
    return drawn


def last_rerouting(connection: Connection, run_id: str) -> Mapping[str, Any] | None:
    """Between which configurations (`from`, `to`) a run was moved last, and how many `items` that sent on their way
    again; None where it never was."""
    query = select(events.c.detail).where(events.c.subject == run_id, events.c.kind == REROUTED)
    return connection.execute(query.order_by(desc(events.c.at), desc(events.c.id)).limit(1)).scalar()
