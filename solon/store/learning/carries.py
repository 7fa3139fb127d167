"""Certificates that random probes are to bring back after a change: their plans, and what has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from solon.config import NOT_SHAPING
from solon.config.pinned import LAW_DIFFERS, list_differences
from solon.store.database import clock
from solon.store.database.events import event
from solon.store.database.ids import hash_id
from solon.store.database.writer import insert_rows
from solon.store.reviewing.overlaps import CERTIFIES, overlap_row
from solon.store.runs.certificates import CertificateRow, looks, wanted_by
from solon.store.runs.run_row import RunRow
from solon.store.tables import carries as table
from solon.store.tables import certificates, configs, items, reviews, runs
from solon.store.tables.law import Carry
from solon.store.tables.people import Review

ASKED, GRANTED, REFUSED = "asked", "granted", "refused"
PLANNED = "certificate.carry_planned"
"""What is written into the log where probes are planned."""
FIRST = -20.0
"""Place of probes in the queue: before the pilot, which is not needed where they do."""


@dataclass(frozen=True, slots=True)
class Probe:
    """An item that was drawn, as a question.

    Attributes:
        item_id: the item.
        attempt: the attempt in which the panel judged it.
        best: what the panel finds, by the consensus version of the certificate.
    """

    item_id: str
    attempt: int
    best: str


@dataclass(frozen=True, slots=True)
class CarryRow:
    """A plan as it is stored; see `tables.law.Carry`."""

    id: str
    run_id: str
    scope: str
    source: str
    certificate_id: str
    why: str
    alpha: float
    level: float
    slips: int
    items: int
    probes: tuple[Probe, ...]
    state: str
    actor: str
    created_at: float
    closed_at: float | None


def find_carry(connection: Connection, run_id: str) -> CarryRow | None:
    """The plan of a run, None without one."""
    row = connection.execute(select(table).where(table.c.run_id == run_id)).mappings().first()
    return None if row is None else CarryRow(**{**row, "probes": tuple(Probe(*one) for one in row["probes"])})


def add_carry(connection: Connection, carry: CarryRow) -> None:
    """Keep a plan, and note it in the log of events."""
    row: dict[str, Any] = {name: getattr(carry, name) for name in CarryRow.__dataclass_fields__}
    row["probes"] = [[one.item_id, one.attempt, one.best] for one in carry.probes]
    figures = {"certificate": carry.certificate_id, "asked": len(carry.probes), "slips": carry.slips}
    told = {**figures, "alpha": carry.alpha, "level": carry.level}
    insert_rows(connection, [(Carry, row), event(carry.actor, PLANNED, carry.run_id, told)])


def set_state(connection: Connection, carry: CarryRow, state: str) -> None:
    """Note that the probes were found to do, or not, or that answers to them were taken back."""
    values = {"state": state, "closed_at": carry.closed_at or clock.now()}
    connection.execute(update(table).where(table.c.id == carry.id).values(**values))


def reserved(connection: Connection, scope: str, source: str) -> float:
    """The part of delta that plans over a scope and source of seeds will spend, and that no look has spent yet."""
    query = select(func.coalesce(func.sum(table.c.level), 0.0)).where(
        table.c.scope == scope, table.c.source == source, table.c.closed_at.is_(None)
    )
    return float(connection.execute(query).scalar_one())


def asked_items(connection: Connection, run_id: str) -> set[str]:
    """The items of a run's probes, while they are asked about."""
    carry = find_carry(connection, run_id)
    return {one.item_id for one in carry.probes} if carry is not None and carry.state == ASKED else set()


# What may be carried over --------------------------------------------------------------------------------------


def newest_elsewhere(connection: Connection, run: RunRow) -> CertificateRow | None:
    """The newest certificate of the run's recipe and target that does not cover the run and was not suspended; None
    where there is none, or where the run has had one of its own. Later ones than the run do not count, so that nobody
    can choose among several."""
    wanted = wanted_by(connection, run)
    for row in looks(connection, run.scope):
        if row.status == GRANTED and row.covers.get("source") == run.seeds_fingerprint and row.keeps(wanted):
            return None
    query = select(certificates).where(
        certificates.c.status == GRANTED, certificates.c.suspended_at.is_(None)
    )
    rows = [CertificateRow(**row) for row in connection.execute(query).mappings()]
    fit = [
        row
        for row in rows
        if row.covers.get("recipe") == run.recipe
        and row.target == wanted.target
        and (row.created_at < run.created_at or row.covers.get("run") == run.id)
    ]
    return max(fit, key=lambda row: row.created_at, default=None)


def what_changed(connection: Connection, row: CertificateRow, run: RunRow) -> str:
    """In words: why a certificate does not cover a run."""
    told = []
    if row.covers.get("source") != run.seeds_fingerprint:
        told.append(
            f"other seeds: {run.seeds_name}, not {row.covers.get('seeds') or 'those it was made with'}"
        )
    before = str(row.covers.get("run", ""))
    for name, column in (
        ("constitution", items.c.constitution_id),
        ("rubric", items.c.rubric_id),
        ("prompts", items.c.prompts_id),
    ):
        then, now = (
            set(connection.execute(select(column).where(items.c.run_id == run_id).distinct()).scalars())
            for run_id in (before, run.id)
        )
        if then != now and then and now:
            told.append(f"the {name} {'were' if name == 'prompts' else 'was'} changed")
    old = _shaping(connection, select(runs.c.config_id).where(runs.c.id == before).scalar_subquery())
    new = _shaping(connection, run.config_id)
    if old is not None and new is not None:
        changed = list_differences(old, new)
        told += [changed] if changed != LAW_DIFFERS else []
    return (
        "; ".join(told) or "it promises less than the run asks, or the run that it was made with is not here"
    )


def _shaping(connection: Connection, config_id: Any) -> dict[str, Any] | None:
    """The stored configuration, without what routes, runs or reads seeds."""
    payload = connection.execute(select(configs.c.payload).where(configs.c.id == config_id)).scalar()
    left_out = (*NOT_SHAPING, "routing", "run", "seeds", "import", "fingerprint")
    return None if payload is None else {k: v for k, v in payload.items() if k not in left_out}


# Asking --------------------------------------------------------------------------------------------------------


def ask_waiting(connection: Connection, carry: CarryRow, people: int) -> None:
    """Have so many people answer each probe that waits for a person anyway, blind; asking again changes nothing."""
    rows = _open_reviews(connection, carry)
    asked = Counter(row["item_id"] for row in rows)
    for row in rows:
        if row["kind"] != "interrupt":
            continue
        if row["rule"] != "pilot":
            connection.execute(update(reviews).where(reviews.c.id == row["id"]).values(rule=CERTIFIES))
        again = {**overlap_row(row), "rule": CERTIFIES}
        more = range(asked[row["item_id"]], people)
        insert_rows(connection, [(Review, {**again, "id": hash_id("probe", row["id"], n)}) for n in more])


def put_first(connection: Connection, carry: CarryRow) -> None:
    """Put the open reviews of probes before all others; each person's own fields still go before the rest."""
    ids = [row["id"] for row in _open_reviews(connection, carry)]
    late = reviews.c.id.in_(ids) & (reviews.c.priority > FIRST)
    connection.execute(update(reviews).where(late).values(priority=FIRST))


def still_open(connection: Connection, carry: CarryRow) -> set[str]:
    """The items of probes that somebody may yet be asked about as they were drawn."""
    return {str(row["item_id"]) for row in _open_reviews(connection, carry)}


def _open_reviews(connection: Connection, carry: CarryRow) -> list[dict[str, Any]]:
    drawn = {one.item_id: one.attempt for one in carry.probes}
    query = select(reviews).where(
        reviews.c.item_id.in_(list(drawn)),
        reviews.c.kind.in_(("interrupt", "audit", "overlap")),
        reviews.c.state.in_(("opening", "waiting")),
    )
    rows = [dict(row) for row in connection.execute(query.order_by(reviews.c.id)).mappings()]
    return [row for row in rows if row["attempt"] == drawn[row["item_id"]]]


def leave_pilot(connection: Connection, names: Iterable[str]) -> None:
    """Take items that nobody has decided out of the pilot, since a certificate speaks for them; questions to second
    people about them are withdrawn."""
    ids = sorted(names)
    connection.execute(update(items).where(items.c.id.in_(ids)).values(pilot=False))
    second = (
        reviews.c.item_id.in_(ids),
        reviews.c.kind == "overlap",
        reviews.c.state == "waiting",
        reviews.c.leased.is_(False),
    )
    connection.execute(update(reviews).where(*second).values(state="withdrawn", resolved_at=clock.now()))


def count_unjudged(connection: Connection, run_id: str) -> int:
    """Items of a run that the panel has not judged to the end yet."""
    states = ("queued", "running", "parked")
    query = select(func.count()).where(items.c.run_id == run_id, items.c.state.in_(states))
    return int(connection.execute(query).scalar_one())
