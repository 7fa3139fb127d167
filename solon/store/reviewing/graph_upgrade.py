"""Waiting items whose graph has changed since: finding them, and taking what people left at the old review along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from solon.store.database import clock
from solon.store.database.events import event
from solon.store.database.writer import insert_rows
from solon.store.reviewing.reviews import set_escalated
from solon.store.runs.items import claimed
from solon.store.tables import assignments, candidates, decisions, items, outbox, reviews, texts
from solon.store.tables.runs import GraphVersion

OPEN = ("opening", "waiting", "held")


@dataclass(frozen=True, slots=True)
class Stranded:
    """A waiting item with the graph that it is pinned to and its newest review.

    Attributes:
        item_id: the item.
        run_id: its run.
        recipe: its recipe.
        graph_version: the version that it is pinned to.
        review_id: the newest review of its attempt; None where there is none.
        review_state: state of that review; None without one.
        response_schema: response schema of that review; None without one.
        escalated: the review is for leads only.
        leased: somebody has the review in hand.
        decision_id: a decision that was given and is not yet in the graph; None where there is none.
    """

    item_id: str
    run_id: str
    recipe: str
    graph_version: str
    review_id: str | None
    review_state: str | None
    response_schema: str | None
    escalated: bool
    leased: bool
    decision_id: str | None


def waiting_items(connection: Connection, run_id: str | None = None) -> list[Stranded]:
    """Every item that waits for a person, whatever graph it is pinned to; default: of all runs."""
    query = (
        select(items, reviews, decisions.c.id.label("given"))
        .join(
            reviews,
            (reviews.c.item_id == items.c.id)
            & (reviews.c.attempt == items.c.attempt)
            & (reviews.c.kind == "interrupt"),
            isouter=True,
        )
        .join(outbox, (outbox.c.item_id == items.c.id) & outbox.c.applied_at.is_(None), isouter=True)
        .join(decisions, decisions.c.id == outbox.c.decision_id, isouter=True)
        .where(items.c.state == "waiting")
        .order_by(items.c.run_id, items.c.position, reviews.c.ordinal)
    )
    if run_id is not None:
        query = query.where(items.c.run_id == run_id)
    stranded: dict[str, Stranded] = {}
    for row in connection.execute(query).all():
        values = dict(zip((column.name for column in items.columns), row, strict=False))
        own = dict(zip((c.name for c in reviews.columns), row[len(items.columns) :], strict=False))
        stranded[values["id"]] = Stranded(
            item_id=values["id"],
            run_id=values["run_id"],
            recipe=values["recipe"],
            graph_version=values["graph_version"],
            review_id=own["id"],
            review_state=own["state"],
            response_schema=own["response_schema"],
            escalated=bool(own["escalated"]),
            leased=bool(own["leased"]),
            decision_id=row[-1],
        )
    return list(stranded.values())


def take_from_queue(connection: Connection, item: Stranded, by: str) -> bool:
    """Withdraw the old review and claim the item; False where somebody took it meanwhile. Nothing else waits."""
    if item.review_state in OPEN:
        statement = (
            update(reviews)
            .where(reviews.c.id == item.review_id, reviews.c.state.in_(OPEN), reviews.c.leased.is_(False))
            .values(state="withdrawn", resolved_at=clock.now())
        )
        if connection.execute(statement).rowcount != 1:
            return False
        insert_rows(connection, [event("system", "withdrawn", str(item.review_id), {"why": "graph changed"})])
    taken = connection.execute(
        update(items).where(items.c.id == item.item_id, items.c.state == "waiting").values(claimed(by))
    )
    return int(taken.rowcount) == 1


def adopt_graph(connection: Connection, item_id: str, version: str, recipe: str, shape: Any) -> None:
    """Pin an item to this version of its recipe's graph, from its next attempt on; `shape` describes it."""
    row = {"id": version, "recipe": recipe, "shape": shape, "created_at": clock.now()}
    insert_rows(connection, [(GraphVersion, row)])
    connection.execute(update(items).where(items.c.id == item_id).values(graph_version=version))


def carry_assignments(connection: Connection, old_id: str, new_id: str, escalated: bool) -> None:
    """Move the assignments and drafts of the old review to the new one, in place of which it stands.

    Who skipped, declined or escalated the old one did so with the new one. The same candidates have other ids there: in
    drafts they are replaced.

    Args:
        escalated: the new review is for leads only, too.
    """
    texts_of: dict[str, dict[str, str]] = {
        name: dict(
            connection.execute(
                select(candidates.c.id, candidates.c.text_id).where(
                    candidates.c.id.in_(
                        connection.execute(
                            select(reviews.c.candidates).where(reviews.c.id == name)
                        ).scalar_one()
                    )
                )
            ).all()
        )
        for name in (old_id, new_id)
    }
    now = {text_id: candidate for candidate, text_id in texts_of[new_id].items()}
    renamed = {old: now[text_id] for old, text_id in texts_of[old_id].items() if text_id in now}
    moved = assignments.c.review_id == old_id
    for draft_id in connection.execute(select(assignments.c.draft_id).where(moved)).scalars():
        body = connection.execute(select(texts.c.body).where(texts.c.id == draft_id)).scalar_one_or_none()
        if body:
            for old, new in renamed.items():
                body = body.replace(old, new)
            connection.execute(update(texts).where(texts.c.id == draft_id).values(body=body))
    connection.execute(update(assignments).where(moved).values(review_id=new_id))
    if escalated:
        set_escalated(connection, new_id)


def open_review_of(connection: Connection, item_id: str) -> str | None:
    """Id of the review at which an item waits now; None where it waits at none."""
    query = (
        select(reviews.c.id)
        .join(items, (items.c.id == reviews.c.item_id) & (items.c.attempt == reviews.c.attempt))
        .where(reviews.c.item_id == item_id, reviews.c.kind == "interrupt", reviews.c.state.in_(OPEN))
    )
    return connection.execute(query.limit(1)).scalar_one_or_none()


def is_applied(connection: Connection, decision_id: str) -> bool:
    """Has a graph taken this decision in?"""
    query = select(outbox.c.applied_at).where(outbox.c.decision_id == decision_id)
    return connection.execute(query).scalar_one_or_none() is not None


def not_attached(connection: Connection, decision_id: str, why: str) -> None:
    """Deliver a decision no more, since it answers nothing that is shown now; it stays stored, with the reason."""
    connection.execute(
        update(outbox)
        .where(outbox.c.decision_id == decision_id, outbox.c.applied_at.is_(None))
        .values(applied_at=clock.now(), problem=why[:500], claimed_by=None, claimed_until=None)
    )
