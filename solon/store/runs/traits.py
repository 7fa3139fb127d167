"""What is known of items besides their votes: what a field of the seed says, and how the two texts of a pair differ.

Reads only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from solon.consensus.traits import Traits, compare_scores, compare_texts
from solon.store.runs.verdicts import shortlisted
from solon.store.tables import candidates, items, seeds, texts

COLUMNS = ("specialty", "lang", "source", "licence")
"""Fields that every seed may have; any other column of a row is in its metadata."""
LONGEST = 80
CHUNK = 500
Shown = tuple[str, ...]


def traits_on(
    connection: Connection, wanted: Iterable[tuple[str, Sequence[str]]], *, segment: str, texts: bool
) -> dict[Shown, Traits]:
    """Return the traits of items where they are asked about the candidates shown, by these.

    Args:
        wanted: (id of the item, ids of the candidates shown).
        segment: field of the seed that tells segments apart; empty for none.
        texts: compare the texts of pairs.
    """
    item_of = {tuple(shown): item_id for item_id, shown in wanted if segment or (texts and len(shown) == 2)}
    asked = list(item_of.items())
    found: dict[Shown, Traits] = {}
    for start in range(0, len(asked), CHUNK):  # so that few texts are held at once
        found |= _traits_of(connection, asked[start : start + CHUNK], segment, texts)
    return found


def _traits_of(
    connection: Connection, asked: Sequence[tuple[Shown, str]], segment: str, with_texts: bool
) -> dict[Shown, Traits]:
    seeds_of = _seeds_of(connection, [item_id for _, item_id in asked])
    pairs = [name for shown, _ in asked for name in shown if with_texts and len(shown) == 2]
    bodies, scores = _bodies(connection, pairs), shortlisted(connection, pairs)
    found: dict[Shown, Traits] = {}
    for shown, item_id in asked:
        seed = seeds_of.get(item_id, {})
        pair = [bodies[name] for name in shown if name in bodies]
        compared = compare_pair(seed.get("content", {}), *pair) if len(pair) == 2 else {}
        if compared:
            compared |= compare_scores(*(scores.get(name, ()) for name in shown))
        found[shown] = Traits(segment_of(seed, segment), compared)
    return found


def compare_pair(content: Mapping[str, Any], first: Sequence[str], second: Sequence[str]) -> dict[str, float]:
    """Return how two candidates differ, see ``compare_texts``.

    Args:
        content: of the seed.
        first, second: text, and instruction and input of its own, empty where the candidate has none.
    """
    own = first[1:] if first[1] else (content.get("prompt") or "", content.get("input") or "")
    return compare_texts(" ".join(own), first[0], second[0])


def segment_of(seed: Mapping[str, Any], field: str) -> str:
    """Return the segment that a field of a seed states; empty where it states none.

    A value that is no text, number or truth, or is longer than a name, is no segment.

    Args:
        seed: its ``COLUMNS``, and its ``content``.
    """
    known = seed if field in COLUMNS else seed.get("content", {}).get("metadata") or {}
    value = known.get(field) if field else None
    name = str(value).strip() if isinstance(value, str | int | float) else ""
    return name if len(name) <= LONGEST else ""


def segments_of(connection: Connection, item_ids: Sequence[str], field: str) -> dict[str, str]:
    """Return item -> the segment that a field of its seed states; empty where it states none."""
    found: dict[str, str] = {}
    for start in range(0, len(item_ids), CHUNK):
        seeds_of = _seeds_of(connection, item_ids[start : start + CHUNK])
        found |= {item: segment_of(seed, field) for item, seed in seeds_of.items()}
    return found


def _seeds_of(connection: Connection, item_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    query = select(items.c.id, *(seeds.c[name] for name in COLUMNS), texts.c.body)
    query = query.join(seeds, seeds.c.id == items.c.seed_id).join(texts, texts.c.id == seeds.c.text_id)
    rows = connection.execute(query.where(items.c.id.in_(item_ids))).mappings()
    return {row["id"]: {**row, "content": json.loads(row["body"] or "{}")} for row in rows}


def _bodies(connection: Connection, candidate_ids: Sequence[str]) -> dict[str, tuple[str, str, str]]:
    """Text, and instruction and input of its own, of each candidate."""
    own, prompt, given = texts.alias("own"), texts.alias("prompt"), texts.alias("given")
    query = (
        select(candidates.c.id, own.c.body, prompt.c.body.label("prompt"), given.c.body.label("input"))
        .join(own, own.c.id == candidates.c.text_id)
        .join(prompt, prompt.c.id == candidates.c.prompt_text_id, isouter=True)
        .join(given, given.c.id == candidates.c.input_text_id, isouter=True)
        .where(candidates.c.id.in_(candidate_ids))
    )
    rows = connection.execute(query) if candidate_ids else ()
    return {row.id: (row.body or "", row.prompt or "", row.input or "") for row in rows}
