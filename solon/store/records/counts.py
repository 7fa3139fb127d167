"""What reports count: decisions, calls, reviews, law and people of runs. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, exists, func, literal_column, select

from solon.store.learning.adoption import DOUBTED, TURNED, TakenOut
from solon.store.reviewing.overlaps import half_of
from solon.store.reviewing.review_rows import REPEAT, VOTES
from solon.store.tables import (
    calls,
    constitutions,
    decisions,
    events,
    experts,
    items,
    precedents,
    records,
    reviews,
    rubrics,
    seeds,
    texts,
)


def count_decisions(connection: Connection, run_id: str) -> tuple[int, int]:
    """How many of people's standing decisions count, and how many do not (without a token, or not given blind)."""
    query = (
        select(decisions.c.counts, func.count())
        .join(items, items.c.id == decisions.c.item_id)
        .join(reviews, (reviews.c.id == decisions.c.review_id) & (reviews.c.kind != REPEAT))
        .where(items.c.run_id == run_id, decisions.c.undone_at.is_(None), decisions.c.actor != VOTES)
        .group_by(decisions.c.counts)
    )
    counts = {bool(row[0]): int(row[1]) for row in connection.execute(query)}
    return counts.get(True, 0), counts.get(False, 0)


def count_tiers(
    connection: Connection, run_ids: Sequence[str], *, among: Select[Any] | None = None
) -> list[dict[str, Any]]:
    """Items with a record in force by the last tier of the panel that was asked and the route that settled them
    (`tier`, `route`, `records`), with their model calls (`calls`), the `cost` of these and how many of them have no
    known price (`unpriced`); of the items that `among` selects the ids of alone, where it is given."""
    of_item = (
        select(
            calls.c.item_id,
            func.count().label("calls"),
            func.coalesce(func.sum(calls.c.cost), 0.0).label("cost"),
            func.sum(case((calls.c.cost.is_(None), 1), else_=0)).label("unpriced"),
        )
        .where(calls.c.run_id.in_(run_ids), calls.c.attempts > 0)
        .group_by(calls.c.item_id)
        .subquery()
    )
    sums = [func.coalesce(func.sum(of_item.c[name]), 0).label(name) for name in ("calls", "cost", "unpriced")]
    query = (
        select(records.c.tier, records.c.route, func.count().label("records"), *sums)
        .outerjoin(of_item, of_item.c.item_id == records.c.item_id)
        .where(records.c.run_id.in_(run_ids), records.c.superseded_at.is_(None), records.c.place == 0)
        .group_by(records.c.tier, records.c.route)
        .order_by(records.c.tier, records.c.route)
    )
    if among is not None:
        query = query.where(records.c.item_id.in_(among))
    return [dict(row) for row in connection.execute(query).mappings()]


def count_calls(connection: Connection, run_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Calls, tokens, cost and failures by role and model."""
    failed = func.sum(case((calls.c.outcome != "ok", 1), else_=0))
    unpriced = func.sum(case((calls.c.cost.is_(None), 1), else_=0))
    query = (
        select(
            calls.c.role,
            calls.c.model,
            func.count().label("calls"),
            func.coalesce(func.sum(calls.c.input_tokens), 0).label("input_tokens"),
            func.coalesce(func.sum(calls.c.output_tokens), 0).label("output_tokens"),
            func.coalesce(func.sum(calls.c.cost), 0.0).label("cost"),
            unpriced.label("unpriced"),
            failed.label("failed"),
        )
        .where(calls.c.run_id.in_(run_ids), calls.c.attempts > 0)
        .group_by(calls.c.role, calls.c.model)
        .order_by(calls.c.role, calls.c.model)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def count_by(connection: Connection, run_ids: Sequence[str], column: str) -> dict[str, int]:
    """How many items there are by a column of theirs (state, route, ...) or of their seeds (seed.licence, ...),
    there each row of seeds once."""
    name = column.removeprefix("seed.")
    chosen = seeds.c[name] if column.startswith("seed.") else items.c[name]
    once = func.count(func.coalesce(items.c.row_key, items.c.id).distinct())
    query = (
        select(chosen, once if column.startswith("seed.") else func.count())
        .select_from(items.join(seeds, seeds.c.id == items.c.seed_id))
        .where(items.c.run_id.in_(run_ids))
        .group_by(chosen)
    )
    counts: Counter[str] = Counter()
    for value, number in connection.execute(query):
        counts["not stated" if value in (None, "") else str(value)] += int(number)
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def law_history(connection: Connection, run_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Every version of the constitutions and rubrics that items of the runs were pinned to, the oldest first, with the
    number of those items. No author: that is a person's name."""
    found: list[dict[str, Any]] = []
    for kind, table, column in (
        ("constitution", constitutions, items.c.constitution_id),
        ("rubric", rubrics, items.c.rubric_id),
    ):
        ours = items.c.run_id.in_(run_ids)
        names = select(table.c.name).join(items, column == table.c.id).where(ours)
        query = (
            select(
                table.c.id,
                table.c.name,
                table.c.version,
                table.c.status,
                table.c.reason,
                table.c.document,
                table.c.in_force_at,
                func.count(items.c.id).label("items"),
            )
            .join(items, (column == table.c.id) & ours, isouter=True)
            .where(table.c.name.in_(names))
            .group_by(table.c.id)
            .order_by(table.c.created_at, table.c.id)
        )
        found += [{"kind": kind, **dict(row)} for row in connection.execute(query).mappings()]
    return found


def qualifications(connection: Connection) -> dict[str, dict[str, Any]]:
    """Role, specialties, languages, credential and revocation of the experts, by actor. No name."""
    return {
        f"expert:{row.id}": {
            "role": row.role,
            "specialties": list(row.specialties or ()),
            "languages": list(row.languages or ()),
            "credential": row.credential,
            "revoked": row.revoked_at is not None,
        }
        for row in connection.execute(select(experts))
    }


def count_rows(connection: Connection, run_ids: Sequence[str]) -> int:
    """How many rows of seeds the runs went over, each once."""
    once = func.count(func.coalesce(items.c.row_key, items.c.id).distinct())
    return int(connection.execute(select(once).where(items.c.run_id.in_(run_ids))).scalar_one())


def count_taken_out(connection: Connection, run_id: str) -> TakenOut | None:
    """How many items of a run had a record that learning took out of the set, and why; None where there are none."""
    # The kinds are written out, so that a database reads the index of these events, and not all items of the run.
    kinds: list[ColumnElement[str]] = [literal_column(f"'{kind}'") for kind in (DOUBTED, TURNED)]
    turned = func.max(case((events.c.kind == TURNED, 1), else_=0))
    taken_out = (
        select(events.c.subject, func.max(records.c.id).label("record"), turned.label("turned"))
        .outerjoin(records, (records.c.item_id == events.c.subject) & records.c.superseded_at.is_(None))
        .where(events.c.kind.in_(kinds))
        .where(exists().where(items.c.id == events.c.subject, items.c.run_id == run_id))
        .group_by(events.c.subject)
        .subquery()
    )
    query = select(func.count(), func.sum(taken_out.c.turned), func.count(taken_out.c.record))
    found, turned_out, back = connection.execute(query.select_from(taken_out)).one()
    return TakenOut(found - turned_out, int(turned_out), found - back) if found else None


def count_reviews(connection: Connection, run_ids: Sequence[str]) -> dict[str, int]:
    """How many reviews there are of each kind and state; a key is such as `interrupt decided`."""
    query = (
        select(reviews.c.kind, reviews.c.state, func.count())
        .where(reviews.c.run_id.in_(run_ids))
        .group_by(reviews.c.kind, reviews.c.state)
    )
    return {f"{row[0]} {row[1]}": int(row[2]) for row in connection.execute(query)}


def count_undone(connection: Connection, run_ids: Sequence[str]) -> int:
    """How many decisions were taken back."""
    query = (
        select(func.count())
        .select_from(decisions.join(items, items.c.id == decisions.c.item_id))
        .where(items.c.run_id.in_(run_ids), decisions.c.undone_at.is_not(None))
    )
    return int(connection.execute(query).scalar_one())


def held_out(connection: Connection, key: str, run_ids: Sequence[str], part: ColumnElement[bool]) -> set[str]:
    """Ids of the decisions of the held-out half, on which no consensus version was fitted. That of a decision which is
    no precedent, such as a label, follows from its seed.

    Args:
        key: of the store; draws the halves.
        part: only decisions about these items, see `parts_of_items`.
    """
    query = (
        select(decisions.c.id, precedents.c.half, seeds.c.group, seeds.c.id.label("seed"))
        .join(items, items.c.id == decisions.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(
            precedents,
            # Its index is that of items.
            (precedents.c.decision_id == decisions.c.id) & (precedents.c.item_id == decisions.c.item_id),
            isouter=True,
        )
        .where(items.c.run_id.in_(run_ids), part)
    )
    return {
        row.id
        for row in connection.execute(query)
        if (row.half or half_of(key, row.group or row.seed)) == "held_out"
    }


def seed_attributes(
    connection: Connection, item_ids: Sequence[str]
) -> dict[str, tuple[str | None, tuple[str, ...]]]:
    """Specialty and tags that each item's seed states, by the item's id; of a few hundred items."""
    query = (
        select(items.c.id, seeds.c.specialty, seeds.c.tags)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .where(items.c.id.in_(item_ids))
    )
    return {row.id: (row.specialty, tuple(row.tags or ())) for row in connection.execute(query)}


def count_erased(connection: Connection) -> int:
    """How many texts of the store were erased."""
    return int(
        connection.execute(
            select(func.count()).select_from(texts).where(texts.c.erased_at.is_not(None))
        ).scalar_one()
    )
