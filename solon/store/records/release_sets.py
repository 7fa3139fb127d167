"""Sets of records that are frozen for a release with a promise: keeping them, and drawing their sample."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select, update

from solon.errors import UsageError
from solon.store.database import audit_log, clock
from solon.store.database.ids import keyed_hash, new_id
from solon.store.database.writer import insert_rows
from solon.store.tables import audit_log as log
from solon.store.tables import decisions
from solon.store.tables import release_sets as table
from solon.store.tables.releases import ReleaseSet

if TYPE_CHECKING:
    from solon.store.database.store import Store

OPEN, WRITTEN, REFUSED, WITHDRAWN = "open", "written", "refused", "withdrawn"
FROZEN, SIGNED = "release.frozen", "release.signed"
"""What the sealed log calls it that a set was frozen, and that somebody signed for a release."""


@dataclass(frozen=True, slots=True)
class FrozenRecord:
    """A record of a frozen set.

    Attributes:
        record_id: the record.
        item_id: its item.
        content: keyed hash of its texts and its label.
        tested: experts had not decided it when the set was frozen, so that it may be drawn.
    """

    record_id: str
    item_id: str
    content: str
    tested: bool


@dataclass(frozen=True, slots=True)
class FrozenSet:
    """A frozen set as it is stored; see `tables.releases.ReleaseSet`."""

    id: str
    name: str
    state: str
    actor: str
    options: dict[str, Any]
    promise: float
    confidence: float
    slips: int
    attempt: int
    target: str
    records: tuple[FrozenRecord, ...]
    digest: str
    result: dict[str, Any] | None
    created_at: float
    closed_at: float | None

    @property
    def decided(self) -> int:
        """Records that experts had decided."""
        return sum(not one.tested for one in self.records)

    def draw(self, key: str) -> list[FrozenRecord]:
        """Every record that is tested, in the order in which they are drawn.

        The order is that of a hash of the item under the store's key: a random permutation, that knows nothing of what
        panel or people said. It is the same for every set, so that no second draw is to be had by another name; of what
        was answered before nothing is left to draw.
        """
        tested = [one for one in self.records if one.tested]
        return sorted(tested, key=lambda one: keyed_hash(key, "release sample", one.item_id))


def content_of(key: str, row: Mapping[str, Any]) -> str:
    """The keyed hash of what a frozen row of a release says: its texts, and its label."""
    return keyed_hash(key, "released", str(row["texts_sha256"]), str(row["label"]))


def digest_of(records: Iterable[FrozenRecord]) -> str:
    """The hash over a set, in the order of its records' ids."""
    rows = sorted([one.record_id, one.item_id, one.content, one.tested] for one in records)
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


def make_set(
    name: str,
    records: Sequence[FrozenRecord],
    *,
    actor: str,
    options: Mapping[str, Any],
    promise: float,
    confidence: float,
    slips: int,
    attempt: int,
    target: str,
) -> FrozenSet:
    """A set of these records as of now, not kept yet."""
    return FrozenSet(
        id=new_id(),
        name=name,
        state=OPEN,
        actor=actor,
        options=dict(options),
        promise=promise,
        confidence=confidence,
        slips=slips,
        attempt=attempt,
        target=target,
        records=tuple(records),
        digest=digest_of(records),
        result=None,
        created_at=clock.now(),
        closed_at=None,
    )


def freeze_set(store: Store, connection: Connection, frozen: FrozenSet) -> None:
    """Keep a set, and seal the hash over it in the log, in the caller's transaction: before any of it is drawn."""
    row: dict[str, Any] = {name: getattr(frozen, name) for name in FrozenSet.__dataclass_fields__}
    row["records"] = [[one.record_id, one.item_id, one.content, one.tested] for one in frozen.records]
    insert_rows(connection, [(ReleaseSet, row)])
    told = {"sha256": frozen.digest, "promise": frozen.promise, "confidence": frozen.confidence}
    audit_log.append(store, connection, frozen.actor, FROZEN, frozen.name, {**told, "set": frozen.id})


def _set(row: Mapping[Any, Any]) -> FrozenSet:
    values = {name: row[name] for name in FrozenSet.__dataclass_fields__}
    return FrozenSet(**{**values, "records": tuple(FrozenRecord(*one) for one in row["records"])})


def frozen_sets(connection: Connection, name: str | None = None) -> list[FrozenSet]:
    """The frozen sets of a name (None: of all), the oldest first."""
    return list(each_set(connection, name))


def each_set(connection: Connection, name: str | None = None) -> Iterator[FrozenSet]:
    """Yield the frozen sets of a name (None: of all), the oldest first. One is read after the other, since each names
    all of its records."""
    query = select(table).order_by(table.c.created_at, table.c.id).execution_options(stream_results=True)
    if name is not None:
        query = query.where(table.c.name == name)
    yield from map(_set, connection.execute(query).mappings())


def find_pending(connection: Connection, name: str) -> FrozenSet | None:
    """The newest set of this name, while it is not written: its sample is being asked, or was refused a larger promise.
    None where there is none."""
    pending = [one for one in frozen_sets(connection, name) if one.state in (OPEN, REFUSED)]
    return pending[-1] if pending else None


def find_set(connection: Connection, set_id: str) -> FrozenSet | None:
    """The set with this id; None where this store has none."""
    row = connection.execute(select(table).where(table.c.id == set_id)).mappings().first()
    return None if row is None else _set(row)


def count_signatures(connection: Connection) -> dict[str, int]:
    """How many people have signed for each release, by its name, as the log has it."""
    query = select(log.c.subject, func.count(log.c.actor.distinct())).where(log.c.action == SIGNED)
    return {row[0]: int(row[1]) for row in connection.execute(query.group_by(log.c.subject))}


def count_taken_back(connection: Connection) -> dict[str, int]:
    """How many answers about the records of each release were taken back after it was written and not given again as
    they were, by its name; without releases of which none was. What was undone of an item at one time is one. Whether a
    promise still holds, `release verify` recomputes."""
    newest = select(func.max(decisions.c.undone_at)).scalar_subquery()
    before = select(table.c.id, table.c.name, table.c.closed_at).where(
        table.c.state == WRITTEN, table.c.closed_at < newest
    )
    again = decisions.alias("again")
    same = [again.c[name] == decisions.c[name] for name in ("item_id", "content_hash", "choice")]
    empty = ("candidate_id", "edit_id", "label")
    same += [func.coalesce(again.c[name], "") == func.coalesce(decisions.c[name], "") for name in empty]
    given_again = select(again.c.id).where(*same, again.c.undone_at.is_(None), again.c.counts)
    given_again = given_again.where(again.c.decided_at > decisions.c.undone_at)
    undone = select(decisions.c.item_id, decisions.c.undone_at).where(~given_again.exists()).distinct()
    found: dict[str, int] = {}
    for one in connection.execute(before.order_by(table.c.created_at, table.c.id)).all():
        rows = connection.execute(select(table.c.records).where(table.c.id == one.id)).scalar_one()
        own = {item_id for _, item_id, *_ in rows}
        later = connection.execute(undone.where(decisions.c.undone_at > one.closed_at))
        n = sum(item_id in own for item_id, _ in later)
        found |= {one.name: n} if n else {}
    return found


def close_set(
    store: Store, connection: Connection, frozen: FrozenSet, state: str, actor: str, result: Mapping[str, Any]
) -> None:
    """End a set as written, refused or withdrawn, and note that in the log.

    Raises:
        UsageError: another process ended it meanwhile.
    """
    done = connection.execute(
        update(table)
        .where(table.c.id == frozen.id, table.c.state.in_((OPEN, REFUSED)))
        .values(state=state, result=dict(result), closed_at=clock.now())
    )
    if done.rowcount != 1:
        raise UsageError(f"the set of {frozen.name!r} was closed meanwhile", next_step="look at it again")
    audit_log.append(store, connection, actor, f"release.{state}", frozen.name, {"set": frozen.id})
