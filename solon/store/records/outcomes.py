"""Where the items of a run stand and what they are made of, as two runs are compared by it. Reads only."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, select

from solon.store.database.store import Store
from solon.store.runs.items import name_of
from solon.store.tables import candidates, items, records, reviews, seeds, texts

CHUNK = 400
_FIRST = (records.c.superseded_at.is_(None), records.c.place == 0)
"""The record in force of an item, of a ranking the first."""


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """Where one seed came out in one run.

    Attributes:
        seed: its name in the seed file.
        prompt: its request; empty where it was forgotten.
        state: state of the item.
        route: how it got there; empty where it is on its way.
        rule: what sent it to an expert; empty where nothing did, or where the review was taken back before anybody
            answered (as the policy `budget` does with what it does not pick).
        answers: the texts that were judged or put before a person last, sorted: no order is better than another.
        chosen: text that the record chose; None without one.
        rejected: text that the record rejected; None without one.
        kind: of the record: prefer, tie, edit, accept, label; empty without one.
        label: that the record gave; None where none was asked for.
        confidence: of the record, else of the last review; None where neither has one.
        margin: of the record, else of the last review; None where neither has one.
    """

    seed: str
    prompt: str
    state: str
    route: str
    rule: str
    answers: tuple[str, ...]
    chosen: str | None
    rejected: str | None
    kind: str
    label: str | None
    confidence: float | None
    margin: float | None

    @property
    def result(self) -> str:
        """What the record came to: its label, else the text chosen, else its kind; empty without one."""
        return self.label or self.chosen or self.kind


def item_outcomes(
    store: Store, run_id: str, *, only: Collection[str] | None = None
) -> dict[str, ItemOutcome]:
    """The outcomes of a run's items by the names of their seeds; `only`: those of these seeds."""
    outcomes: dict[str, ItemOutcome] = {}
    with store.connect() as connection:
        for rows in _chunks(connection, run_id, only):
            for outcome in _outcomes(connection, rows):
                outcomes[outcome.seed] = outcome
    return outcomes


def seed_names(connection: Connection, run_id: str) -> set[str]:
    """The names of a run's seeds in their file."""
    query = (
        select(seeds.c.external_id).join(items, items.c.seed_id == seeds.c.id).where(items.c.run_id == run_id)
    )
    return set(connection.execute(query).scalars())


def _chunks(
    connection: Connection, run_id: str, only: Collection[str] | None
) -> Iterator[list[dict[str, Any]]]:
    query = (
        select(
            items.c.id,
            items.c.attempt,
            items.c.number,
            items.c.state,
            items.c.route,
            seeds.c.external_id,
            texts.c.body,
            records.c.chosen_id,
            records.c.rejected_id,
            records.c.shown,
            records.c.kind,
            records.c.label,
            records.c.confidence,
            records.c.margin,
        )
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .join(records, and_(records.c.item_id == items.c.id, *_FIRST), isouter=True)
        .where(items.c.run_id == run_id)
        .order_by(items.c.position)
    )
    wanted = None if only is None else set(only)
    result = connection.execute(query).mappings()
    while chunk := result.fetchmany(CHUNK):
        yield [dict(row) for row in chunk if wanted is None or row["external_id"] in wanted]


def _outcomes(connection: Connection, rows: Sequence[dict[str, Any]]) -> Iterator[ItemOutcome]:
    last = _last_reviews(connection, rows)
    shown = {row["id"]: row["shown"] or last.get(row["id"], {}).get("candidates") or [] for row in rows}
    wanted = {name for names in shown.values() for name in names}
    wanted |= {row[key] for row in rows for key in ("chosen_id", "rejected_id") if row[key]}
    body = _answers(connection, sorted(wanted))
    for row in rows:
        review = last.get(row["id"], {})
        content = json.loads(row["body"]) if row["body"] else {}
        yield ItemOutcome(
            seed=name_of(row["external_id"], row["number"]),
            prompt=content.get("prompt") or "",
            state=row["state"],
            route=row["route"] or "",
            rule=review.get("rule") or "" if review.get("state") != "withdrawn" else "",
            answers=tuple(sorted(body.get(name, "") for name in shown[row["id"]])),
            chosen=body.get(row["chosen_id"]) if row["chosen_id"] else None,
            rejected=body.get(row["rejected_id"]) if row["rejected_id"] else None,
            kind=row["kind"] or "",
            label=row["label"],
            confidence=row["confidence"] if row["kind"] else review.get("confidence"),
            margin=row["margin"] if row["kind"] else review.get("margin"),
        )


def _last_reviews(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    attempts = {row["id"]: row["attempt"] for row in rows}
    query = (
        select(
            reviews.c.item_id,
            reviews.c.attempt,
            reviews.c.candidates,
            reviews.c.state,
            reviews.c.rule,
            reviews.c.confidence,
            reviews.c.margin,
        )
        .where(reviews.c.item_id.in_(list(attempts)), reviews.c.kind == "interrupt")
        .order_by(reviews.c.ordinal)
    )
    found = {}
    for row in connection.execute(query).mappings():
        if row["attempt"] == attempts[row["item_id"]]:
            found[row["item_id"]] = dict(row)
    return found


def _answers(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Text of candidates by id; the request with its input first, where the candidate has its own."""
    own, inputs = texts.alias("own"), texts.alias("inputs")
    found: dict[str, str] = {}
    for start in range(0, len(ids), CHUNK):
        query = (
            select(candidates.c.id, own.c.body, inputs.c.body, texts.c.body)
            .join(texts, texts.c.id == candidates.c.text_id)
            .join(own, own.c.id == candidates.c.prompt_text_id, isouter=True)
            .join(inputs, inputs.c.id == candidates.c.input_text_id, isouter=True)
            .where(candidates.c.id.in_(ids[start : start + CHUNK]))
        )
        for name, *parts in connection.execute(query):
            found[name] = "\n\n".join(part for part in parts if part)
    return found


@dataclass(frozen=True, slots=True)
class ItemRoute:
    """Where an item went.

    Attributes:
        item_id: the item.
        external_id: name of its seed in the seed file.
        attempt: its present attempt.
        shown: ids of the candidates that were shown.
        route: `accept`, or `review` where it waits for a person.
    """

    item_id: str
    external_id: str
    attempt: int
    shown: tuple[str, ...]
    route: str


def item_routes(connection: Connection) -> list[ItemRoute]:
    """Every item of the store that has a record in force or waits, with what was shown and where it went."""
    columns = (items.c.id, seeds.c.external_id, items.c.attempt)
    base = select(*columns).join(seeds, seeds.c.id == items.c.seed_id)
    accepted = base.add_columns(records.c.shown).join(records, records.c.item_id == items.c.id)
    waiting = base.add_columns(reviews.c.candidates).join(reviews, reviews.c.item_id == items.c.id)
    routes = [
        ItemRoute(row[0], row[1], row[2], tuple(row[3]), "accept")
        for row in connection.execute(accepted.where(*_FIRST, records.c.shown.is_not(None)))
    ]
    routes += [
        ItemRoute(row[0], row[1], row[2], tuple(row[3]), "review")
        for row in connection.execute(
            waiting.where(items.c.state == "waiting", reviews.c.kind == "interrupt")
        )
    ]
    return routes
