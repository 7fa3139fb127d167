"""What critics found on the texts of records. Reads only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from solon.formats.records import LONGEST_QUOTE, LONGEST_SUGGESTION, CritiqueOf
from solon.store.tables import candidates, critiques, texts


def critiques_of(
    connection: Connection, chunk: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[CritiqueOf, ...]]:
    """record -> what critics found on the text that its chosen one revises, on the chosen and on the rejected one; only
    of those that a critic read as they stand, and whose texts were not erased."""
    names = {row[side] for row in chunk for side in ("chosen_id", "rejected_id") if row[side]}
    parents = select(candidates.c.id, candidates.c.parent_id).where(
        candidates.c.id.in_(names), candidates.c.kind == "revision", candidates.c.parent_id.is_not(None)
    )
    revised = {name: parent for name, parent in connection.execute(parents) if parent}
    bodies = _bodies(connection, names | {*revised.values()})
    found = _findings(connection, list(bodies))
    return {row["id"]: tuple(_of_record(row, revised, bodies, found)) for row in chunk}


def _of_record(
    row: Mapping[str, Any],
    revised: Mapping[str, str],
    bodies: Mapping[str, str],
    found: Mapping[str, tuple[str, ...]],
) -> list[CritiqueOf]:
    chosen = row["chosen_id"]
    before = revised.get(chosen)
    names = dict.fromkeys(name for name in (before, chosen, row["rejected_id"]) if name in found)
    return [
        CritiqueOf(
            bodies[name],
            found[name],
            accepted=name == chosen,
            revision=bodies.get(chosen) if name == before else None,
        )
        for name in names
        if name is not None
    ]


def _bodies(connection: Connection, names: set[str]) -> dict[str, str]:
    query = (
        select(candidates.c.id, texts.c.body)
        .join(texts, texts.c.id == candidates.c.text_id)
        .where(candidates.c.id.in_(names), texts.c.body.is_not(None))
    )
    return {name: body for name, body in connection.execute(query) if body}


def _findings(connection: Connection, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """candidate -> the findings on it, a line each; of several critiques those of the last."""
    query = (
        select(critiques.c.candidate_id, texts.c.body)
        .join(texts, texts.c.id == critiques.c.text_id)
        .where(
            critiques.c.candidate_id.in_(names), critiques.c.abstained.is_(None), texts.c.body.is_not(None)
        )
        .order_by(critiques.c.created_at, critiques.c.id)
    )
    return {name: tuple(map(spell_finding, json.loads(body))) for name, body in connection.execute(query)}


def spell_finding(finding: Mapping[str, Any]) -> str:
    """A finding as a line of training text."""
    quoted = _end_at_word(finding.get("quote") or "", LONGEST_QUOTE)
    quote = f' "{quoted}"' if quoted else ""
    told = _end_at_word(finding["suggestion"], LONGEST_SUGGESTION)
    return f"- {finding['severity']}, {finding.get('principle') or 'general'}:{quote} {told}"


def _end_at_word(text: str, most: int) -> str:
    """The text; where it fills the room that a model was given for it, and so breaks off, up to its last whole word,
    with `...`."""
    if len(text) < most or text.rstrip().endswith((".", "!", "?", "。", "！", "？")):
        return text
    head, space, _ = text.rpartition(" ")
    return f"{head.rstrip(' ,;:')}..." if space else f"{text}..."
