"""Sharing finished calls between a project's store and the scratch store of a preview: no equal call is made twice.

A preview leaves in the project's store what it paid for, its finished calls, under one run of status `preview` per
recipe. That run has no reviews, records or verdicts, and stands in no list.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from solon.store.database import clock
from solon.store.database.chunks import chunks
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.database.tombstones import Tombstones
from solon.store.database.writer import Row, insert_rows
from solon.store.runs.runs import PREVIEW, Pins
from solon.store.tables import table_of
from solon.store.tables.law import Certificate, ConsensusVersion, Constitution, Rubric
from solon.store.tables.privacy import Hold
from solon.store.tables.runs import (
    CALL_TEXTS,
    Call,
    ConfigVersion,
    GraphVersion,
    Item,
    PromptSet,
    Run,
    Seed,
    Text,
)

_PINNED: tuple[tuple[str, type], ...] = (
    ("config_id", ConfigVersion),
    ("constitution_id", Constitution),
    ("rubric_id", Rubric),
    ("prompts_id", PromptSet),
    ("graph_version", GraphVersion),
    ("consensus_id", ConsensusVersion),
    ("certificate_id", Certificate),
)


def adopt_key(scratch: Store, home: Store) -> None:
    """Give an empty scratch store the key of the project's store, so that the same seeds and texts have the same
    ids.
    """
    from solon.store.tables import meta as table

    with scratch.transaction() as connection:
        connection.execute(update(table).where(table.c.name == "key").values(value=home.key))
    scratch.key = home.key


def copy_versions(source: Store, target: Store, pins: Pins) -> None:
    """Copy the versions that items are pinned to into another store: config, law, prompts, graph, consensus,
    certificate.
    """
    rows: list[tuple[type, Row]] = []
    with source.connect() as connection:
        if pins.certificate_id:
            from solon.store.tables import certificates as table

            query = select(table.c.consensus_id).where(table.c.id == pins.certificate_id)
            rows += _rows(connection, ConsensusVersion, connection.execute(query).scalars().all())
        for name, table_class in _PINNED:
            wanted = getattr(pins, name)
            rows += _rows(connection, table_class, [wanted] if wanted else [])
        for version in pins.tagged:
            law = Constitution if version.kind == "constitution" else Rubric
            rows += _rows(connection, law, [version.id])
    with target.transaction() as connection:
        insert_rows(connection, rows)


def open_preview_run(connection: Connection, recipe: str, pins: Pins, name: str) -> str:
    """The id of the run under which shared calls stand, which is made where it is missing.

    Args:
        name: noted as the name of its seeds: what the calls belong to.
    """
    run_id = preview_run_id(recipe)
    row = {
        "id": run_id,
        "recipe": recipe,
        "status": PREVIEW,
        "config_id": pins.config_id,
        "seeds_name": name,
        "seeds_fingerprint": "",
        "scope": "",
        "random_seed": 0,
        "bad_rows": 0,
        "actor": "system",
        "created_at": clock.now(),
        "active_seconds": 0.0,
    }
    insert_rows(connection, [(Run, row)])
    return run_id


def preview_run_id(recipe: str) -> str:
    """The id of the run that holds the calls of a recipe's previews, the same in every store."""
    return hash_id(PREVIEW, recipe)


def find_preview_run(store: Store, recipe: str) -> str | None:
    """The id of the run with the calls of a recipe's previews, None where there were none."""
    from solon.store.tables import runs

    with store.connect() as connection:
        query = select(runs.c.id).where(runs.c.id == preview_run_id(recipe))
        return connection.execute(query).scalar_one_or_none()


def share_calls(
    source: Store, target: Store, items: Mapping[str, str], run_id: str, *, of_run: str | None = None
) -> int:
    """Copy the finished calls of seeds into another store with the same key.

    Args:
        of_run: only the calls of this run of `source`; default: of all.
        items: id of a seed -> id of the item in `target` under which its calls shall stand.
        run_id: the run in `target` under which they shall stand.

    Returns:
        How many different calls there were.
    """
    from solon.store.tables import calls, runs

    copies: dict[tuple[str, str], Row] = {}
    texts: set[str] = set()
    with source.connect() as connection:
        every = [of_run] if of_run else connection.execute(select(runs.c.id)).scalars().all()
        for seeds in chunks(items):
            query = select(calls).where(calls.c.run_id.in_(every), calls.c.seed_id.in_(seeds))
            for call in connection.execute(query.order_by(calls.c.created_at)).mappings():
                place = {"id": hash_id(run_id, call["content_key"]), "run_id": run_id}
                row = {**call, **place, "item_id": items[call["seed_id"]], "reused_from": call["id"]}
                copies.setdefault((call["seed_id"], call["content_key"]), row)
                texts.update(call[name] for name in (*CALL_TEXTS, "opening_id") if call[name])
                texts.update(text_id for _, text_id in call["quoted"] or ())
        rows = _rows(connection, Text, texts)
    kept = {row["id"] for _, row in rows if row["body"] is not None}
    whole = [
        row
        for row in copies.values()
        if kept >= {row["answer_id"], row["prompt_id"], *(text_id for _, text_id in row["quoted"] or ())}
    ]
    with target.transaction() as connection:
        insert_rows(connection, [*(r for r in rows if r[1]["id"] in kept), *((Call, row) for row in whole)])
    return len(whole)


def share_holds(source: Store, target: Store, items: Mapping[str, str], run_id: str) -> None:
    """Copy what named people have decided about held seeds into a preview's store, so that it asks nobody again.

    Args:
        items: id of a seed -> id of the item in `target`.
        run_id: the run in `target`.
    """
    from solon.store.tables import privacy_holds as holds

    hold_rows: list[tuple[type, Row]] = []
    with source.connect() as connection:
        for part in chunks(items):
            query = select(holds).where(holds.c.seed_id.in_(part), holds.c.state != "held")
            for row in connection.execute(query).mappings():
                place = {"item_id": items[row["seed_id"]], "run_id": run_id, "reason_id": None}
                hold_rows.append((Hold, {**row, **place}))
    with target.transaction() as connection:
        insert_rows(connection, hold_rows)


def keep_calls(scratch: Store, home: Store, recipe: str, pins: Pins, scratch_run: str) -> None:
    """Copy the calls that a preview made into the project's store, with the seeds that they belong to.

    Args:
        scratch: the preview's store; home: the project's.
        scratch_run: the preview's run, in `scratch`.
    """
    from solon.store.tables import items, seeds

    run_id = preview_run_id(recipe)
    with scratch.connect() as connection:
        seed_rows = [dict(row) for row in connection.execute(select(seeds)).mappings()]
        bodies = _rows(connection, Text, [row["text_id"] for row in seed_rows])
        by_seed = {row["seed_id"]: dict(row) for row in connection.execute(select(items)).mappings()}
    shared: list[tuple[type, Row]] = [*bodies, *((Seed, row) for row in seed_rows)]
    for seed_id, item in by_seed.items():
        item |= {"id": hash_id(run_id, seed_id), "run_id": run_id, "state": PREVIEW, "reason": None}
        shared.append(
            (Item, item | {"route": None, "pilot": False, "claimed_by": None, "claimed_until": None})
        )
    with home.transaction() as connection:
        open_preview_run(connection, recipe, pins, "previews")
        marks = Tombstones(home, connection)  # what was forgotten meanwhile
        gone = {row["id"] for row in seed_rows if marks.has_seed(row["id"])}
        insert_rows(connection, [(kind, row) for kind, row in shared if not gone & _seeds_named(row)])
    places = {seed: hash_id(run_id, seed) for seed in by_seed if seed not in gone}
    share_calls(scratch, home, places, run_id, of_run=scratch_run)


def _seeds_named(row: Row) -> set[str]:
    return {str(row[name]) for name in ("id", "seed_id") if row.get(name)}


def calls_of(store: Store, ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Role, model, tokens, cost and seconds of the calls with these ids, by the id of their item."""
    from solon.store.tables import calls

    names = (
        "id",
        "role",
        "model",
        "input_tokens",
        "output_tokens",
        "cost",
        "currency",
        "attempts",
        "seconds",
    )
    by_item: dict[str, list[dict[str, Any]]] = {}
    with store.connect() as connection:
        for chunk in chunks(ids):
            query = select(calls.c.item_id, *(calls.c[n] for n in names)).where(calls.c.id.in_(chunk))
            for row in connection.execute(query).mappings():
                by_item.setdefault(row["item_id"], []).append({n: row[n] for n in names})
    return by_item


def _rows(connection: Connection, table_class: type, ids: Collection[str]) -> list[tuple[type, Row]]:
    table = table_of(table_class)
    rows: list[tuple[type, Row]] = []
    for chunk in chunks(ids):
        query = select(table).where(table.c.id.in_(chunk))
        rows += [(table_class, dict(row)) for row in connection.execute(query).mappings()]
    return rows
