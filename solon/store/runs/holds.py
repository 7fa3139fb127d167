"""Seeds that the privacy scan holds back: parking their items, and what a named person decides about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, exists, func, or_, select, update

from solon.errors import UsageError
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.tables import items, seeds, texts
from solon.store.tables import privacy_holds as holds
from solon.store.tables.privacy import Hold

CHUNK = 200
HELD, RELEASED, REJECTED = "held", "released", "rejected"
Findings = list[list[Any]]
Scan = Callable[[Mapping[str, Any]], Findings]


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A seed that the privacy scan held back, with the place of its item.

    Attributes:
        id: id of the hold.
        item_id: the item held back.
        seed_id: its seed.
        run_id: its run.
        state: held, released or rejected.
        findings: list of [kind, field, start, end], offsets in characters.
        created_at: when the scan found it, epoch seconds.
        closed_by: name of the person who decided, None while it is held.
        closed_at: when they decided, None while it is held.
        position: place of the item's seed in its file.
        external_id: name of the seed in its file.
    """

    id: str
    item_id: str
    seed_id: str
    run_id: str
    state: str
    findings: Findings
    created_at: float
    closed_by: str | None
    closed_at: float | None
    position: int
    external_id: str


def screen(store: Store, run_id: str, scan: Scan, identity: str) -> int:
    """Scan every queued item of a run that this scanner has not seen yet; returns how many it holds back.

    Items with findings are parked. What a named person released before, with these findings, stays released; what
    was rejected is rejected again.

    Args:
        scan: content of a seed -> findings.
        identity: names the scanner with its version; another one looks again.
    """
    held = 0
    while True:
        with store.connect() as connection:
            batch = connection.execute(_unscreened(run_id, identity).limit(CHUNK)).all()
        if not batch:
            return held
        findings = {row.id: scan(json.loads(row.body) if row.body else {}) for row in batch}
        with store.transaction() as connection:
            for row in batch:
                held += _settle(store, connection, row, findings[row.id], run_id, identity)


def _unscreened(run_id: str, identity: str) -> Any:
    return (
        select(items.c.id, items.c.seed_id, texts.c.body)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .where(items.c.run_id == run_id, items.c.state == "queued")
        .where(_is_unscreened(identity))
        .order_by(items.c.position)
    )


def _is_unscreened(identity: str) -> Any:
    return or_(items.c.screened_by.is_(None), items.c.screened_by != identity)


def _settle(
    store: Store, connection: Connection, row: Any, findings: Findings, run_id: str, identity: str
) -> bool:
    known = _known(connection, row.seed_id, findings) if findings else RELEASED
    state = {RELEASED: "queued", REJECTED: "rejected"}.get(known, "parked")
    reason = f"privacy scan: {_kinds(findings)}" if state != "queued" else None
    ended = {"finished_at": clock.now()} if state == "rejected" else {}
    statement = (
        update(items)
        .where(items.c.id == row.id, items.c.state == "queued", _is_unscreened(identity))
        .values(state=state, reason=reason, screened_by=identity, **ended)
    )
    if connection.execute(statement).rowcount != 1:
        return False  # another worker was here
    if state == "parked":
        _hold(store, connection, row, findings, run_id, identity)
    return state == "parked"


def _hold(
    store: Store, connection: Connection, row: Any, findings: Findings, run_id: str, identity: str
) -> None:
    hold = {
        "id": hash_id("hold", row.id, identity),
        "item_id": row.id,
        "seed_id": row.seed_id,
        "run_id": run_id,
        "state": HELD,
        "scanner": identity,
        "findings": findings,
        "created_at": clock.now(),
    }
    insert_rows(connection, [(Hold, hold)])
    append(store, connection, "system", "privacy.held", row.id, {"kinds": _kinds(findings)})


def _known(connection: Connection, seed_id: str, findings: Findings) -> str:
    """The state in which a person left this seed when no more was found in it than now; empty where nobody decided."""
    query = (
        select(holds.c.state, holds.c.findings)
        .where(holds.c.seed_id == seed_id, holds.c.state != HELD)
        .order_by(holds.c.closed_at.desc())
    )
    for state, before in connection.execute(query):
        seen = {tuple(finding) for finding in before or ()}
        if state == REJECTED or {tuple(finding) for finding in findings} <= seen:
            return str(state)
    return ""


def _kinds(findings: Findings) -> str:
    counts: dict[str, int] = {}
    for kind, *_ in findings:
        counts[kind] = counts.get(kind, 0) + 1
    return ", ".join(f"{kind} {number}" for kind, number in sorted(counts.items()))


def is_held() -> Any:
    """The SQL condition that an item waits for a person to decide on its hold, not for a model."""
    return exists().where(holds.c.item_id == items.c.id, holds.c.state == HELD)


def count_held(connection: Connection, run_id: str) -> int:
    """How many items of a run the scan parked and nobody has decided on."""
    query = select(func.count()).select_from(items).where(items.c.run_id == run_id, items.c.state == "parked")
    return int(connection.execute(query.where(is_held())).scalar_one())


def list_holds(
    connection: Connection, *, run_id: str | None = None, states: Sequence[str] = (HELD,)
) -> list[HoldRow]:
    """Holds in these states, of one run or all, in the order of the runs and of their seeds."""
    names = (
        "id",
        "item_id",
        "seed_id",
        "run_id",
        "state",
        "findings",
        "created_at",
        "closed_by",
        "closed_at",
    )
    query = (
        select(*(holds.c[name] for name in names), items.c.position, seeds.c.external_id)
        .join(items, items.c.id == holds.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .where(holds.c.state.in_(states))
        .order_by(holds.c.run_id, items.c.position, holds.c.id)
    )
    if run_id is not None:
        query = query.where(holds.c.run_id == run_id)
    return [HoldRow(**row) for row in connection.execute(query).mappings()]


def close_hold(
    store: Store, connection: Connection, item: str, *, release: bool, by: str, actor: str, reason: str
) -> HoldRow:
    """Let a held item go on, or reject it, in the name of a person; returns the hold as it was.

    The log gets the name, the kinds found and the id of the reason: the reason itself is a text of the seed and is
    forgotten with it.

    Args:
        item: id of the item or the beginning of it.
        by: name of the person; `actor`: under which the log notes it.

    Raises:
        UsageError: no such held item, or no name or reason.
    """
    if not by.strip() or not reason.strip():
        raise UsageError("a named person and a reason are needed", next_step='add --by "NAME" --reason "WHY"')
    fitting = [hold for hold in list_holds(connection) if hold.item_id.startswith(item) and item]
    if len(fitting) != 1:
        problem = "fits several held items" if fitting else "is no item that the privacy scan holds"
        raise UsageError(f"{item!r} {problem}", next_step="see `solon privacy list`")
    hold, now = fitting[0], clock.now()
    text_id, row = store.text_row(reason.strip(), hold.seed_id)
    insert_rows(connection, [row])
    state = RELEASED if release else REJECTED
    connection.execute(
        update(holds)
        .where(holds.c.item_id == hold.item_id, holds.c.state == HELD)
        .values(state=state, closed_by=by.strip(), closed_at=now, reason_id=text_id)
    )
    moved = {"state": "queued", "reason": None} if release else {"state": "rejected", "finished_at": now}
    connection.execute(
        update(items).where(items.c.id == hold.item_id, items.c.state == "parked").values(**moved)
    )
    detail = {"by": by.strip(), "kinds": _kinds(hold.findings), "reason": text_id}
    append(store, connection, actor, f"privacy.{state}", hold.item_id, detail)
    return hold
