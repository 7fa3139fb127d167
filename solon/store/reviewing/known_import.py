"""Taking questions in whose answer is known: seeds with their candidates, under a run that stands in no list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select, update

from solon.errors import SeedError
from solon.formats.seed_rows import SeedResponse, SeedRow
from solon.questions import LABELLED, PAIR, question_of
from solon.responses import choices_of
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.database.tombstones import Tombstones
from solon.store.database.writer import Row, insert_rows
from solon.store.runs.run_row import RunRow
from solon.store.runs.runs import (
    KNOWN_RUN,
    PREVIEW,
    Pins,
    create_run,
    find_run,
    seed_and_item,
    seed_identity,
    set_run,
)
from solon.store.tables import known_items as known
from solon.store.tables import runs
from solon.store.tables.disputes import Known
from solon.store.tables.work import Candidate

ANSWER, REASON = "answer", "why"
"""Columns beside those of a seed: what is right (1, 2, or a choice), and the sentence shown as feedback."""


@dataclass(frozen=True, slots=True)
class Imported:
    """How many questions were taken in, and how many were there already."""

    added: int
    known: int


def import_known(
    store: Store, pins: Pins, recipe: str, schema: str, rows: list[tuple[int, SeedRow]], purpose: str, by: str
) -> Imported:
    """Add known questions; the same question for the same purpose is there once.

    Args:
        rows: seeds with their candidates as `responses` (for a label the text itself, where there are none), and in
            column `answer` what is right: the place of the better candidate (1, 2) or a choice that needs no text. Only
            calibration questions may come without it.
        schema: response schema of the recipe.

    Raises:
        SeedError: naming the row and what is wrong; nothing was added.
    """
    checked = [_check(seed, schema, purpose) for _, seed in rows]
    added = 0
    with store.transaction() as connection:
        run = known_run(connection, recipe, pins, by)
        marks = Tombstones(store, connection)
        for (position, _), (seed, choice, place, why) in zip(rows, checked, strict=True):
            kind = marks.refuse(seed, seed_identity(store, seed)[0])
            if kind:
                raise SeedError(
                    f"line {seed.line}: forgotten: a tombstone stands against its {kind}; nothing was added",
                    next_step="take the row out of the file",
                )
            made = _rows(store, run, pins, position, seed, schema, (purpose, choice, place, why))
            there = connection.execute(select(known.c.id).where(known.c.id == made[-1][1]["id"])).first()
            added += there is None
            insert_rows(connection, made)
        append(store, connection, by, "known.imported", run.id, {"purpose": purpose, "added": added})
    return Imported(added, len(rows) - added)


def retire_known(store: Store, purpose: str, by: str) -> int:
    """Ask the questions of a purpose no more. Answers to them stay. Returns how many there were."""
    with store.transaction() as connection:
        statement = (
            update(known)
            .where(known.c.purpose == purpose, known.c.retired_at.is_(None))
            .values(retired_at=clock.now())
        )
        n = int(connection.execute(statement).rowcount)
        append(store, connection, by, "known.retired", purpose, {"n": n})
    return n


def _check(seed: SeedRow, schema: str, purpose: str) -> tuple[SeedRow, str | None, int | None, str]:
    """The seed without its answer; choice, place of the candidate, and why."""
    meta = dict(seed.metadata)
    given, why = meta.pop(ANSWER, None), str(meta.pop(REASON, "") or "")
    question = question_of(schema)
    if question.kind == LABELLED and not seed.responses:  # what gets a label is the seed's own text
        seed = replace(seed, responses=(SeedResponse(seed.input or seed.prompt),))
    bare, where = replace(seed, metadata=meta), f"line {seed.line} ({seed.id})"
    if not question.fits(seed.responses):
        raise SeedError(
            f"{where}: {len(seed.responses)} responses, where a known question needs {question.shown}",
            next_step="give the candidates in the column `responses`",
        )
    said = "" if given is None else str(given).strip()
    told = said.lower()
    if not told and purpose == "calibration":
        return bare, None, None, why
    places = [str(place + 1) for place in range(question.shown)] if question == PAIR else []
    if told in places:
        return bare, "prefer", places.index(told), why
    allowed = [choice for choice in choices_of(schema) if choice not in ("prefer", "edit", "redraft")]
    alike = (choice for choice in allowed if choice.lower() == told)
    choice = said if said in allowed else next(alike, None)
    if choice is None:
        raise SeedError(
            f"{where}: answer {str(given)[:40]!r} is none",
            next_step=f"in the column `{ANSWER}`: {', '.join([*places, *allowed])[:400]}",
        )
    return bare, choice, None, why


def known_run(connection: Connection, recipe: str, pins: Pins, by: str) -> RunRow:
    """The run of a recipe that holds its known questions; it is made where there is none."""
    query = select(runs.c.id).where(runs.c.status == KNOWN_RUN, runs.c.recipe == recipe)
    found = connection.execute(query.limit(1)).scalar_one_or_none()
    if found is None:
        found = create_run(
            connection,
            recipe=recipe,
            pins=pins,
            seeds_name="known questions",
            seeds_fingerprint="",
            random_seed=0,
            actor=by,
        )
        set_run(connection, found, status=KNOWN_RUN)
    return find_run(connection, found)


def _rows(
    store: Store,
    run: RunRow,
    pins: Pins,
    position: int,
    seed: SeedRow,
    schema: str,
    answer: tuple[str, str | None, int | None, str],
) -> list[tuple[type, Row]]:
    purpose, choice, place, why = answer
    rows = seed_and_item(store, run, pins, position, seed, seed_identity(store, seed))
    item: dict[str, Any] = dict(rows[-1][1])
    item["state"] = PREVIEW  # counted nowhere, and claimed by no run
    rows[-1] = (rows[-1][0], item)
    now, ids, texts = clock.now(), [], []
    for ordinal, response in enumerate(seed.responses):
        text_id, text_row = store.text_row(response.text, item["seed_id"])
        candidate_id = hash_id("known", item["id"], ordinal)
        candidate = {
            "id": candidate_id,
            "item_id": item["id"],
            "attempt": 0,
            "round": 0,
            "ordinal": ordinal,
            "kind": "given",
            "text_id": text_id,
            "author": "",
            "created_at": now,
        }
        rows += [text_row, (Candidate, candidate)]
        ids.append(candidate_id)
        texts.append(text_id)
    reason_id = None
    if why.strip():
        reason_id, reason_row = store.text_row(why.strip(), item["seed_id"])
        rows.append(reason_row)
    question = {
        "id": hash_id("known", purpose, item["id"]),
        "item_id": item["id"],
        "purpose": purpose,
        "content_hash": hash_id(run.recipe, item["seed_id"], *sorted(texts)),
        "response_schema": schema,
        "candidates": ids,
        "choice": choice,
        "candidate_id": None if place is None else ids[place],
        "reason_id": reason_id,
        "created_at": now,
    }
    return [*rows, (Known, question)]
