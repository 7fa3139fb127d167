"""What learning reads and changes: decided items with their verdicts, and the items that a new version moves."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select, update

from solon.consensus.panel import Verdict as Vote
from solon.store.items import next_attempt
from solon.store.reviews import event
from solon.store.runs import RunRow
from solon.store.tables import Call, Decision, Item, Precedent, Record, Resolution, Review, Run, Seed, Verdict
from solon.store.writer import insert_rows

calls = Call.__table__  # type: ignore[attr-defined]
items = Item.__table__  # type: ignore[attr-defined]
seeds = Seed.__table__  # type: ignore[attr-defined]
runs = Run.__table__  # type: ignore[attr-defined]
decisions = Decision.__table__  # type: ignore[attr-defined]
precedents = Precedent.__table__  # type: ignore[attr-defined]
reviews = Review.__table__  # type: ignore[attr-defined]
records = Record.__table__  # type: ignore[attr-defined]
verdicts = Verdict.__table__  # type: ignore[attr-defined]
resolutions = Resolution.__table__  # type: ignore[attr-defined]
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Decided:
    """A counted decision on candidates that the panel judged."""

    decision_id: str
    item_id: str
    attempt: int
    shown: tuple[str, ...]
    choice: str
    candidate_id: str | None
    actor: str
    decided_at: float
    held_out: bool
    pilot: bool
    kind: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Judged:
    """An item whose panel has spoken, with where it stands."""

    item_id: str
    attempt: int
    state: str
    pilot: bool
    record_id: str | None
    chosen_id: str | None
    review_id: str | None
    shown: tuple[str, ...]
    votes: tuple[Vote, ...] = field(default=())


def counted_decisions(connection: Connection, scope_runs: Sequence[str]) -> list[Decided]:
    """First answers by experts with their own token, not undone, the oldest first; one for each item.

    Items that were judged again are under newer law than their run, so that only audits of them are there.
    """
    query = (
        select(
            decisions.c.id,
            decisions.c.item_id,
            reviews.c.attempt,
            reviews.c.candidates,
            decisions.c.choice,
            decisions.c.candidate_id,
            decisions.c.actor,
            decisions.c.decided_at,
            precedents.c.half,
            items.c.pilot,
            reviews.c.kind,
            items.c.run_id,
        )
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .join(items, items.c.id == decisions.c.item_id)
        .join(precedents, precedents.c.decision_id == decisions.c.id)
        .where(decisions.c.counts, decisions.c.undone_at.is_(None), items.c.run_id.in_(scope_runs))
        .where(items.c.carried.is_(None) | (reviews.c.kind == "audit"))
        .order_by(decisions.c.decided_at, decisions.c.id)
    )
    found: dict[tuple[str, str], Decided] = {}
    for row in connection.execute(query):
        decided = Decided(
            decision_id=row.id,
            item_id=row.item_id,
            attempt=row.attempt,
            shown=tuple(row.candidates),
            choice=row.choice,
            candidate_id=row.candidate_id,
            actor=row.actor,
            decided_at=row.decided_at,
            held_out=row.half == "held_out",
            pilot=bool(row.pilot),
            kind=row.kind,
            run_id=row.run_id,
        )
        found.setdefault((decided.item_id, decided.kind), decided)
    return list(found.values())


def runs_of_scope(connection: Connection, run: RunRow) -> list[str]:
    """Runs of the same recipe and configuration: their panel, law and prompts are the run's own."""
    query = select(runs.c.id).where(runs.c.recipe == run.recipe, runs.c.config_id == run.config_id)
    return list(connection.execute(query).scalars())


def votes_on(
    connection: Connection, wanted: Iterable[tuple[str, int, tuple[str, ...]]]
) -> dict[str, tuple[Vote, ...]]:
    """item -> votes of the panel, and of the resolver, on the candidates shown in that attempt."""
    by_item = {item_id: (attempt, shown) for item_id, attempt, shown in wanted}
    ids = list(by_item)
    found: dict[str, list[Vote]] = {item_id: [] for item_id in ids}
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        for row in connection.execute(
            select(verdicts).where(verdicts.c.item_id.in_(part)).order_by(verdicts.c.id)
        ):
            attempt, shown = by_item[row.item_id]
            if row.attempt == attempt and row.a_id == shown[0] and (len(shown) == 1 or row.b_id == shown[1]):
                found[row.item_id].append(
                    Vote(row.judge, row.seat, row.order, row.sample, row.outcome, row.p, None, row.confidence)
                )
        spoke = (
            select(resolutions, calls.c.model)
            .join(calls, calls.c.id == resolutions.c.call_id)
            .where(resolutions.c.item_id.in_(part))
        )
        for row in connection.execute(spoke):
            attempt, shown = by_item[row.item_id]
            if row.attempt == attempt and row.favours_id in shown:
                side = "AB"[shown.index(row.favours_id)]
                found[row.item_id].append(Vote(row.model, "resolver", "", 0, side))
    return {item_id: tuple(votes) for item_id, votes in found.items()}


def judged_items(connection: Connection, run_id: str) -> list[Judged]:
    """Waiting items that nobody has in hand, and accepted ones that no person decided, with their votes; without those
    that were judged again under newer law than the run's."""
    waiting = (
        select(
            items.c.id,
            items.c.attempt,
            items.c.state,
            items.c.pilot,
            reviews.c.id.label("review_id"),
            reviews.c.candidates,
        )
        .join(reviews, (reviews.c.item_id == items.c.id) & (reviews.c.attempt == items.c.attempt))
        .where(
            items.c.run_id == run_id,
            items.c.state == "waiting",
            items.c.carried.is_(None),
            reviews.c.state == "waiting",
            reviews.c.kind == "interrupt",
            reviews.c.leased.is_(False),
            reviews.c.prefer_actor.is_(None),
        )
    )
    found = [
        Judged(
            row.id, row.attempt, row.state, bool(row.pilot), None, None, row.review_id, tuple(row.candidates)
        )
        for row in connection.execute(waiting)
    ]
    accepted = (
        select(
            items.c.id,
            items.c.attempt,
            items.c.pilot,
            records.c.id.label("record_id"),
            records.c.chosen_id,
            records.c.shown,
        )
        .join(records, records.c.item_id == items.c.id)
        .where(
            items.c.run_id == run_id,
            items.c.state == "accepted",
            items.c.carried.is_(None),
            records.c.superseded_at.is_(None),
            records.c.decision_id.is_(None),
        )
    )
    found += [
        Judged(
            row.id,
            row.attempt,
            "accepted",
            bool(row.pilot),
            row.record_id,
            row.chosen_id,
            None,
            tuple(row.shown or ()),
        )
        for row in connection.execute(accepted)
    ]
    votes = votes_on(connection, [(j.item_id, j.attempt, j.shown) for j in found if j.shown])
    return [
        Judged(
            j.item_id,
            j.attempt,
            j.state,
            j.pilot,
            j.record_id,
            j.chosen_id,
            j.review_id,
            j.shown,
            votes.get(j.item_id, ()),
        )
        for j in found
        if j.shown
    ]


def adopt_for_queued(
    connection: Connection, run_id: str, consensus_id: str, certificate_id: str | None
) -> int:
    """Items that were never started follow the new version."""
    statement = (
        update(items)
        .where(items.c.run_id == run_id, items.c.state == "queued", items.c.starts == 0)
        .values(consensus_id=consensus_id, certificate_id=certificate_id)
    )
    return int(connection.execute(statement).rowcount)


def send_again(
    connection: Connection, judged: Judged, consensus_id: str, certificate_id: str | None, *, why: str
) -> bool:
    """Replay an item under the new version, from its journal. A review that somebody took meanwhile stays."""
    if judged.review_id is not None and not withdraw_review(connection, judged.review_id, why=why):
        return False
    connection.execute(
        update(items)
        .where(items.c.id == judged.item_id)
        .values(consensus_id=consensus_id, certificate_id=certificate_id)
    )
    next_attempt(connection, judged.item_id)
    connection.execute(
        update(items).where(items.c.id == judged.item_id).values(state="queued", finished_at=None)
    )
    return True


def withdraw_review(connection: Connection, review_id: str, *, why: str) -> bool:
    """Take a review out of the queue, which nobody has in hand: a compare-and-swap from `waiting` only. A withdrawn
    review is no precedent."""
    statement = (
        update(reviews)
        .where(reviews.c.id == review_id, reviews.c.state == "waiting", reviews.c.leased.is_(False))
        .values(state="withdrawn", resolved_at=time.time())
    )
    if connection.execute(statement).rowcount != 1:
        return False
    insert_rows(connection, [event("system", "withdrawn", review_id, {"why": why})])
    return True


def confirm_record(
    connection: Connection,
    judged: Judged,
    consensus_id: str,
    certificate_id: str | None,
    *,
    margin: float,
    confidence: float,
) -> None:
    """An accepted record that the new version confirms carries its figures and names it."""
    connection.execute(
        update(records)
        .where(records.c.id == judged.record_id)
        .values(
            consensus_id=consensus_id,
            certificate_id=certificate_id,
            provisional=certificate_id is None,
            margin=round(margin, 6),
            confidence=round(confidence, 6),
        )
    )
    connection.execute(
        update(items)
        .where(items.c.id == judged.item_id)
        .values(consensus_id=consensus_id, certificate_id=certificate_id)
    )


def chosen_of(connection: Connection, wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str | None]:
    """(item, attempt) -> the candidate that the record of that attempt chose, also a superseded one."""
    found: dict[tuple[str, int], str | None] = {}
    ids = sorted({item_id for item_id, _ in wanted})
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        query = select(records.c.item_id, records.c.attempt, records.c.chosen_id).where(
            records.c.item_id.in_(part)
        )
        found.update({(row.item_id, row.attempt): row.chosen_id for row in connection.execute(query)})
    return found


@dataclass(frozen=True, slots=True)
class ItemRoute:
    """Where an item went: accept, or the rule that sent it to a person."""

    item_id: str
    external_id: str
    attempt: int
    shown: tuple[str, ...]
    route: str


def item_routes(connection: Connection) -> list[ItemRoute]:
    """Every judged item of the store with the candidates that were shown and where it went."""
    columns = (items.c.id, seeds.c.external_id, items.c.attempt)
    base = select(*columns).join(seeds, seeds.c.id == items.c.seed_id)
    accepted = base.add_columns(records.c.shown).join(records, records.c.item_id == items.c.id)
    waiting = base.add_columns(reviews.c.candidates).join(reviews, reviews.c.item_id == items.c.id)
    found = [
        ItemRoute(row[0], row[1], row[2], tuple(row[3]), "accept")
        for row in connection.execute(
            accepted.where(records.c.superseded_at.is_(None), records.c.shown.is_not(None))
        )
    ]
    found += [
        ItemRoute(row[0], row[1], row[2], tuple(row[3]), "review")
        for row in connection.execute(
            waiting.where(items.c.state == "waiting", reviews.c.kind == "interrupt")
        )
    ]
    return found
