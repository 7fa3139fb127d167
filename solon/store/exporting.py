"""Records as the neutral rows that every export format is written from: streamed from one snapshot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from solon.formats.records import ExportRow
from solon.store.disagreements import contested_shares, text_ids
from solon.store.ids import keyed_hash
from solon.store.store import Store
from solon.store.tables import Call, Candidate, Decision, Item, Record, Seed, Text

records = Record.__table__  # type: ignore[attr-defined]
items = Item.__table__  # type: ignore[attr-defined]
seeds = Seed.__table__  # type: ignore[attr-defined]
texts = Text.__table__  # type: ignore[attr-defined]
decisions = Decision.__table__  # type: ignore[attr-defined]
candidates = Candidate.__table__  # type: ignore[attr-defined]
calls = Call.__table__  # type: ignore[attr-defined]
CHUNK = 200


def export_rows(
    store: Store, *, run_id: str | None = None, recipe: str | None = None
) -> tuple[dict[str, int], Iterator[ExportRow]]:
    """Items that have no record, by state, and every record in force, in a stable order.

    All of it is read in one snapshot, so that a decision in the middle does not tear it.
    """
    rows = _stream(store, run_id, recipe)
    first = next(rows)
    assert isinstance(first, dict)
    return first, rows  # type: ignore[return-value]


def _stream(store: Store, run_id: str | None, recipe: str | None) -> Iterator[dict[str, int] | ExportRow]:
    with store.connect() as connection:
        yield _without_record(connection, run_id, recipe)
        query = (
            select(
                records,
                items.c.seed_id,
                items.c.constitution_id,
                items.c.rubric_id,
                items.c.prompts_id,
                seeds.c.external_id,
                seeds.c.group,
                seeds.c.lang,
                texts.c.body,
            )
            .join(items, items.c.id == records.c.item_id)
            .join(seeds, seeds.c.id == items.c.seed_id)
            .join(texts, texts.c.id == seeds.c.text_id)
            .where(records.c.superseded_at.is_(None))
            .order_by(records.c.run_id, items.c.position, records.c.id)
        )
        if run_id is not None:
            query = query.where(records.c.run_id == run_id)
        if recipe is not None:
            query = query.where(records.c.recipe == recipe)
        result = connection.execution_options(stream_results=True).execute(query).mappings()
        while chunk := [dict(row) for row in result.fetchmany(CHUNK)]:
            yield from _rows(store, connection, chunk)


def _without_record(connection: Connection, run_id: str | None, recipe: str | None) -> dict[str, int]:
    left_out = items.c.state.not_in(("accepted", "preview"))
    query = select(items.c.state, func.count()).where(left_out).group_by(items.c.state)
    if run_id is not None:
        query = query.where(items.c.run_id == run_id)
    if recipe is not None:
        query = query.where(items.c.recipe == recipe)
    names = {"waiting": "pending"}
    return {names.get(state, state): n for state, n in connection.execute(query)}


def _rows(store: Store, connection: Connection, chunk: list[dict[str, Any]]) -> Iterator[ExportRow]:
    answers = _answers(connection, chunk)
    item_ids = [row["item_id"] for row in chunk]
    flags, actors = _flags(connection, item_ids)
    call_ids = _calls(connection, item_ids)
    contested = _contested(connection, chunk)
    for row in chunk:
        content = json.loads(row["body"]) if row["body"] else None
        chosen, rejected = answers.get(row["chosen_id"]), answers.get(row["rejected_id"])
        if content is None or (row["chosen_id"] and (chosen is None or chosen[0] is None)):
            continue  # forgotten
        single = row["rejected_id"] is None and row["kind"] != "tie"
        own_prompt = chosen[1] if chosen else None
        messages = _conversation(content, own_prompt)
        flagged = flags.get(row["item_id"], {})
        actor = actors.get(row["decision_id"])
        yield ExportRow(
            id=row["id"],
            recipe=row["recipe"],
            seed_id=row["external_id"],
            group=row["group"] or "",
            lang=row["lang"],
            prompt=messages[-1]["content"],
            messages=messages,
            chosen=None if single or chosen is None else chosen[0],
            rejected=rejected[0] if rejected else None,
            response=chosen[0] if single and chosen is not None else None,
            label="contested" if row["id"] in contested else row["label"] or row["kind"],
            margin=row["margin"],
            confidence=row["confidence"],
            soft_label=contested.get(row["id"], row["soft_label"]),
            outcome="tie" if row["kind"] == "tie" or row["id"] in contested else "accepted",
            route=row["route"],
            provisional=bool(row["provisional"]),
            flags=tuple(flagged.get(row["chosen_id"], ())),
            flagged_candidates=tuple(sorted(flagged)),
            lineage={
                "run": row["run_id"],
                "item": row["item_id"],
                "attempt": row["attempt"],
                "chosen": row["chosen_id"],
                "rejected": row["rejected_id"],
                "constitution": row["constitution_id"],
                "rubric": row["rubric_id"],
                "prompts": row["prompts_id"],
                "consensus": row["consensus_id"],
                "decision": row["decision_id"],
                "decided_by": keyed_hash(store.key, "actor", actor) if actor else None,
                **call_ids.get(row["item_id"], {}),
            },
            metadata=content.get("metadata") or {},
        )


def _conversation(content: dict[str, Any], own_prompt: str | None) -> list[dict[str, str]]:
    if own_prompt is not None:
        return [{"role": "user", "content": own_prompt}]
    turns = [dict(turn) for turn in content.get("messages") or ()] or [
        {"role": "user", "content": content["prompt"]}
    ]
    if content.get("input"):
        turns[-1]["content"] = f"{turns[-1]['content']}\n\n{content['input']}"
    return turns


def _answers(connection: Connection, chunk: list[dict[str, Any]]) -> dict[str, tuple[str | None, str | None]]:
    """candidate id -> its text and its own prompt."""
    ids = {row[column] for row in chunk for column in ("chosen_id", "rejected_id") if row[column]}
    prompts = texts.alias("prompts")
    query = (
        select(candidates.c.id, texts.c.body, prompts.c.body.label("prompt"))
        .join(texts, texts.c.id == candidates.c.text_id)
        .join(prompts, prompts.c.id == candidates.c.prompt_text_id, isouter=True)
        .where(candidates.c.id.in_(ids))
    )
    return {row.id: (row.body, row.prompt) for row in connection.execute(query)}


def _flags(
    connection: Connection, item_ids: list[str]
) -> tuple[dict[str, dict[str, list[str]]], dict[str, str]]:
    """item -> candidate -> flags, and decision -> actor."""
    flags: dict[str, dict[str, list[str]]] = {}
    actors: dict[str, str] = {}
    query = select(decisions.c.id, decisions.c.item_id, decisions.c.flags, decisions.c.actor).where(
        decisions.c.item_id.in_(item_ids), decisions.c.undone_at.is_(None)
    )
    for row in connection.execute(query):
        actors[row.id] = row.actor
        for candidate, given in (row.flags or {}).items():
            known = flags.setdefault(row.item_id, {}).setdefault(candidate, [])
            known += [flag for flag in given if flag not in known]
    for item_id, known_of_item in flags.items():
        _spread_flags(connection, item_id, known_of_item)
    return flags, actors


def _contested(connection: Connection, chunk: list[dict[str, Any]]) -> dict[str, float]:
    """record -> share of people for its chosen text, where people stay divided: a soft label, and no pair."""
    shares = contested_shares(connection, [row["item_id"] for row in chunk])
    text_of = text_ids(
        connection, [r["chosen_id"] for r in chunk if r["item_id"] in shares and r["chosen_id"]]
    )
    found = {}
    for row in chunk:
        share = shares.get(row["item_id"], {}).get(text_of.get(row["chosen_id"] or "", ""))
        if share is not None:
            found[row["id"]] = share
    return found


def _spread_flags(connection: Connection, item_id: str, flags: dict[str, list[str]]) -> None:
    """A flag is about a text, and the same text has another id in every attempt of its item."""
    query = select(candidates.c.id, candidates.c.text_id).where(candidates.c.item_id == item_id)
    text_of = {row.id: row.text_id for row in connection.execute(query)}
    by_text = {text_of[candidate]: given for candidate, given in flags.items() if candidate in text_of}
    flags.update({c: list(by_text[text_id]) for c, text_id in text_of.items() if text_id in by_text})


def _calls(connection: Connection, item_ids: list[str]) -> dict[str, dict[str, Any]]:
    """item -> its calls, their templates and models."""
    found: dict[str, dict[str, Any]] = {}
    query = (
        select(calls.c.id, calls.c.item_id, calls.c.template, calls.c.model)
        .where(calls.c.item_id.in_(item_ids))
        .order_by(calls.c.item_id, calls.c.id)
    )
    for row in connection.execute(query):
        entry = found.setdefault(row.item_id, {"calls": [], "templates": [], "models": []})
        entry["calls"].append(row.id)
        for name, value in (("templates", row.template), ("models", row.model)):
            if value not in entry[name]:
                entry[name] = sorted([*entry[name], value])
    return found
