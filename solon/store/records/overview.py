"""Figures about a whole store for those who look after it: law in use, failures, waiting threads, soundness."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    TextClause,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from solon.config.sections import FILTERED
from solon.formats.records import plain_model
from solon.store.database.engine import sqlite_path
from solon.store.database.store import Store
from solon.store.runs.holds import is_held
from solon.store.runs.items import FORGOTTEN
from solon.store.tables import (
    calls,
    candidates,
    constitutions,
    items,
    records,
    reviews,
    rubrics,
    rule_books,
    seeds,
    texts,
)
from solon.store.tables.work import UNUSED

_LAW = {"constitution": constitutions, "rubric": rubrics, "rules": rule_books}


def law_versions(store: Store, kind: Literal["constitution", "rubric", "rules"]) -> list[dict[str, Any]]:
    """The versions that runs of this store were pinned to, the oldest first: id, name, version, status."""
    table: Any = _LAW[kind]
    query = select(table.c.id, table.c.name, table.c.version, table.c.status).order_by(
        table.c.created_at, table.c.id
    )
    with store.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


DROPPED = "dropped by filters"
"""How the reason begins where filters left an item without candidates."""
UNJUDGED = (
    "too few usable drafts",
    "all candidates have fatal findings",
    "the pairing finds no candidates to show",
    "verify: the answer breaks",
    DROPPED,
)
"""How the reason begins where an item is rejected before a panel or a person saw it."""


def tell_dropped_seed(name: str) -> str:
    """The reason of an item whose seed's request a filter dropped, before anything was drafted."""
    return f"{DROPPED}: the seed's request, by {name}"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why items came to nothing.

    Attributes:
        state: `failed` (parked ones, too) or `rejected`.
        reason: why, in words.
        count: how many items.
        example: id of one of them.
    """

    state: str
    reason: str
    count: int
    example: str


def spell_failures(found: Sequence[Failure], most: int = 5) -> list[str]:
    """A line for each of the first reasons why items came to nothing, and one that counts the others."""
    lines = [f"{one.state}: {one.count} x {one.reason}" for one in found[:most]]
    if rest := found[most:]:
        items = sum(one.count for one in rest)
        lines.append(f"and {items} more, for {len(rest)} other {'reason' if len(rest) == 1 else 'reasons'}")
    return lines


def failure_reasons(store: Store, run_id: str) -> list[Failure]:
    """Why items of a run failed, were parked, or were rejected without a person, the most frequent first."""
    number = func.count()
    unjudged = or_(*(items.c.reason.startswith(reason, autoescape=True) for reason in UNJUDGED))
    by_machine = and_(
        items.c.state == "rejected",
        or_(unjudged, items.c.route.in_(("consensus", "resolved", "redrafted"))),
        func.coalesce(items.c.reason, "") != FORGOTTEN,
    )
    failed = items.c.state.in_(("failed", "parked"))
    # One expression, used twice: two of the same words have values of their own, and PostgreSQL takes them for two.
    outcome = case((failed, "failed"), else_="rejected").label("outcome")
    query = (
        select(outcome, items.c.reason, number, func.min(items.c.id))
        .where(items.c.run_id == run_id, or_(failed, by_machine), ~is_held())
        .group_by(outcome, items.c.reason)
        .order_by(number.desc(), items.c.reason)
    )
    with store.connect() as connection:
        return [Failure(state, str(why), int(n), one) for state, why, n, one in connection.execute(query)]


def count_without_drafts(store: Store, run_id: str) -> int:
    """How many items of a run were rejected since too few of their drafts could be used."""
    found = failure_reasons(store, run_id)
    return sum(one.count for one in found if one.state == "rejected" and one.reason.startswith(UNJUDGED[0]))


@dataclass(frozen=True, slots=True)
class Filtered:
    """What a filter dropped in runs.

    Attributes:
        name: the texts that it looks at and the filter, such as `answer_length`.
        dropped: texts that it dropped.
        texts: requests, or answers, that the filters looked at.
    """

    name: str
    dropped: int
    texts: int

    def __str__(self) -> str:
        return f"{self.name} dropped {self.dropped} of {self.texts}"


def count_filtered(connection: Connection, run_id: str, named: Collection[str] = ()) -> tuple[Filtered, ...]:
    """What each filter dropped that dropped anything, and those that are `named`, in the order in which they look.
    Revisions are not counted: one that is dropped is never stored."""
    by_reason = (
        select(items.c.reason, func.count())
        .where(items.c.run_id == run_id, items.c.state == "rejected")
        .group_by(items.c.reason)
    )
    rejected = {reason: int(n) for reason, n in connection.execute(by_reason)}
    dropped = {name: rejected.get(tell_dropped_seed(name), 0) for name in FILTERED}
    for (kind, _), n in _count_texts(connection, run_id, UNUSED).items():
        if kind in dropped:
            dropped[kind] += n
    if not any(dropped.values()) and not named:
        return ()
    texts_of = _count_texts(connection, run_id, candidates.c.kind.in_(("draft", "given", *FILTERED)))
    answers = sum(n for (kind, _), n in texts_of.items() if not kind.startswith("request_"))
    requests = sum(n for (_, own), n in texts_of.items() if own) or _count_begun(connection, run_id)
    of = {"answer": answers, "request": requests}
    return tuple(
        Filtered(name, n, of[name.partition("_")[0]]) for name, n in dropped.items() if n or name in named
    )


def _count_texts(
    connection: Connection, run_id: str, which: ColumnElement[bool] | TextClause
) -> dict[tuple[str, bool], int]:
    """(kind, is it a request of its own) -> how many texts of a run's present attempts there are."""
    if connection.execute(select(candidates.c.id).where(which).limit(1)).first() is None:
        return {}  # in no run of the store, as where nothing is filtered: no item need be looked at
    own_request = candidates.c.prompt_text_id.is_not(None)
    query = (
        select(candidates.c.kind, own_request, func.count())
        .join(items, and_(items.c.id == candidates.c.item_id, items.c.attempt == candidates.c.attempt))
        .where(items.c.run_id == run_id, which)
        .group_by(candidates.c.kind, own_request)
    )
    return {(str(kind), bool(own)): int(n) for kind, own, n in connection.execute(query)}


def tell_all_dropped(connection: Connection, run_id: str) -> str:
    """That filters dropped every item of a run that ended, in words; empty where one was accepted, waits, or was
    rejected by anything else."""
    ended = (items.c.run_id == run_id, items.c.state.in_(("accepted", "rejected", "waiting")))
    dropped = func.count().filter(items.c.reason.startswith(DROPPED))
    n, of_filters = connection.execute(select(func.count(), dropped).where(*ended)).one()
    if not n or of_filters < n:
        return ""
    return (
        f"filters dropped all of the {n} items that ended: loosen [filters] and start a new run (--new-run)"
    )


def _count_begun(connection: Connection, run_id: str) -> int:
    query = select(func.count()).where(items.c.run_id == run_id, items.c.state.not_in(("queued", "running")))
    return int(connection.execute(query).scalar_one())


@dataclass(frozen=True, slots=True)
class Unusable:
    """A model or function that gave nothing usable on some of a run's texts.

    Attributes:
        role: what it was asked as: judge, critic, generator, ...
        model: the model as the configuration names it, or the function.
        texts: on how many texts (items) it gave nothing usable.
        asked: on how many it was asked.
        error: its first error, with the kind of error.
    """

    role: str
    model: str
    texts: int
    asked: int
    error: str

    def __str__(self) -> str:
        name = plain_model(self.model)
        return f"{self.role} {name} gave nothing usable on {self.texts} of {self.asked} texts; first: {self.error}"


def unusable_answers(connection: Connection, run_id: str, limit: int = 5) -> tuple[Unusable, ...]:
    """Which models and functions gave a run nothing usable, on how many texts and why, the most frequent first.

    A call that came to nothing, and is made again, is no answer.
    """
    answered = and_(calls.c.run_id == run_id, calls.c.content_key != calls.c.id)
    served = calls.alias()
    otherwise = (
        exists().where(  # what a server has no room for, such as log probabilities, was asked without it
            calls.c.outcome == "unsupported",
            *(served.c[name] == calls.c[name] for name in ("run_id", "item_id", "role", "model")),
            served.c.outcome == "ok",
        )
    )
    failed = and_(answered, calls.c.outcome != literal_column("'ok'"), ~otherwise)
    number = func.count(calls.c.item_id.distinct())
    groups = (
        select(calls.c.role, calls.c.model, number)
        .where(failed)
        .group_by(calls.c.role, calls.c.model)
        .order_by(number.desc(), calls.c.role, calls.c.model)
        .limit(limit)
    )
    found = []
    for role, model, n in connection.execute(groups).all():
        same = and_(calls.c.role == role, calls.c.model == model)
        asked = connection.execute(select(number).where(answered, same)).scalar_one()
        first = (
            select(calls.c.outcome, texts.c.body)
            .join(texts, texts.c.id == calls.c.error_id, isouter=True)
            .where(failed, same)
            .order_by(calls.c.created_at, calls.c.id)
            .limit(1)
        )
        kind, told = connection.execute(first).one()
        found.append(Unusable(role, model, int(n), int(asked), f"{kind}: {told}" if told else kind))
    return tuple(found)


def waiting_graph_versions(store: Store) -> list[tuple[str, str, int]]:
    """How many items wait for a person, as (recipe, graph version, number)."""
    query = (
        select(items.c.recipe, items.c.graph_version, func.count())
        .where(items.c.state == "waiting")
        .group_by(items.c.recipe, items.c.graph_version)
    )
    with store.connect() as connection:
        return [(row[0], row[1], int(row[2])) for row in connection.execute(query)]


def count_reviews(store: Store) -> dict[str, int]:
    """How many reviews are in each state."""
    with store.connect() as connection:
        query = select(reviews.c.state, func.count()).group_by(reviews.c.state)
        return {state: int(number) for state, number in connection.execute(query)}


def check_soundness(store: Store) -> str:
    """What SQLite's quick check finds wrong with the file; empty where it is sound, or is no SQLite file."""
    if sqlite_path(store.url) is None:
        return ""
    with store.connect() as connection:
        answer = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    return "" if answer == "ok" else answer


def record_ids(store: Store, run_id: str, limit: int) -> list[str]:
    """Ids of a run's records in force, in the order in which they were made."""
    query = (
        select(records.c.id)
        .where(records.c.run_id == run_id, records.c.superseded_at.is_(None))
        .order_by(records.c.created_at, records.c.id)
        .limit(limit)
    )
    with store.connect() as connection:
        return [str(row) for row in connection.execute(query).scalars()]


def list_items(store: Store, *, run_id: str, state: str | None, limit: int) -> list[dict[str, Any]]:
    """Items of a run in the order of their seeds: id, run_id, recipe, seed, prompt, state, route, reason, attempt."""
    columns = (items.c.id, items.c.run_id, items.c.recipe, items.c.state, items.c.route, items.c.reason)
    query = (
        select(*columns, items.c.attempt, seeds.c.external_id.label("seed"), texts.c.body)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .where(items.c.run_id == run_id)
        .order_by(items.c.position, items.c.id)
        .limit(limit)
    )
    if state is not None:
        query = query.where(items.c.state == state)
    with store.connect() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return [
        {**row, "prompt": json.loads(body)["prompt"] if body else "(forgotten)"}
        for row in rows
        for body in (row.pop("body"),)
    ]
