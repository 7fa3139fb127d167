"""Records by their ids as they are now, superseded or not, and the marks that a release leaves in the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from solon.store import tables
from solon.store.database import audit_log
from solon.store.database.events import event
from solon.store.database.writer import insert_rows
from solon.store.records import exporting

if TYPE_CHECKING:
    from solon.formats.records import ExportRow
    from solon.store.database.store import Store

CREATED = "release.created"
_LAW = {
    "consensus": ("consensus_versions", ("id", "number", "kind")),
    "constitution": ("constitutions", ("id", "name", "version")),
    "rubric": ("rubrics", ("id", "name", "version")),
    "prompts": ("prompt_sets", ("id", "templates")),
}


def _table(name: str) -> Any:
    return tables.metadata.tables[name]


def rows_by_id(store: Store, record_ids: Iterable[str], *, scored: bool = False) -> Iterator[ExportRow]:
    """Records in the order of the ids; those whose texts were erased are missing.

    Args:
        scored: each with all candidates of its request that the panel scored.
    """
    query, records = exporting.with_seeds(), _table("records")
    with store.connect() as connection:
        for part in _parts(record_ids):
            found = {
                row["id"]: dict(row)
                for row in connection.execute(query.where(records.c.id.in_(part))).mappings()
            }
            rows = [found[i] for i in part if i in found]
            yield from exporting.rows_of(store, connection, rows, scored=scored)


def versions_named(connection: Connection, kind: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Facts of the versions of a kind (consensus, constitution, rubric, prompts) that records name."""
    name, columns = _LAW[kind]
    table = _table(name)
    query = select(*(table.c[c] for c in columns)).where(table.c.id.in_(ids)).order_by(table.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def certificates_named(connection: Connection, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The certificates that records name, whole."""
    table = _table("certificates")
    query = select(table).where(table.c.id.in_(ids)).order_by(table.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def certificates_under(connection: Connection, record_ids: Iterable[str]) -> set[str]:
    """Ids of the certificates that these records were accepted under."""
    table = _table("records")
    found: set[str] = set()
    for part in _parts(record_ids):
        query = (
            select(table.c.certificate_id)
            .distinct()
            .where(table.c.id.in_(part), table.c.certificate_id.is_not(None))
        )
        found.update(connection.execute(query).scalars())
    return found


def find_release(connection: Connection, name: str) -> dict[str, Any] | None:
    """What the sealed log says of a release; None where there is none of this name."""
    found = audit_log.list_entries(connection, subject=name, action=CREATED, limit=1)
    return found[0] if found else None


def mark_release(
    store: Store, name: str, record_ids: Iterable[str], actor: str, detail: dict[str, Any]
) -> str:
    """Note which records a release holds, then seal its hash (`sha256` of `detail`) in the log; returns the seal.

    One event a record, so that erasing a text can name the releases that hold it. They hold only once that hash is
    sealed: what was noted for a release that was never finished says nothing.
    """
    about = {"release": name, "sha256": detail["sha256"]}
    for part in _parts(record_ids):
        with store.transaction() as connection:
            insert_rows(connection, [event(actor, "released", record, about) for record in part])
    with store.transaction() as connection:
        return audit_log.append(store, connection, actor, CREATED, name, detail)


def _parts(values: Iterable[str], size: int = exporting.CHUNK) -> Iterator[list[str]]:
    left = iter(values)
    while part := list(islice(left, size)):
        yield part


def releases_of(connection: Connection, record_ids: Sequence[str]) -> dict[str, list[str]]:
    """Names of the releases that hold each record, each once, by record; records that none holds are missing."""
    table, log = _table("events"), _table("audit_log")
    sealed = {
        row.subject: row.detail["sha256"]
        for row in connection.execute(select(log.c.subject, log.c.detail).where(log.c.action == CREATED))
    }
    releases: dict[str, dict[str, None]] = {}
    for start in range(0, len(record_ids), 500):
        query = (
            select(table.c.subject, table.c.detail)
            .where(table.c.subject.in_(record_ids[start : start + 500]), table.c.kind == "released")
            .order_by(table.c.at)
        )
        for row in connection.execute(query):
            name, digest = row.detail["release"], row.detail.get("sha256")
            if digest in (None, sealed.get(name)):  # earlier releases noted none
                releases.setdefault(row.subject, {})[name] = None
    return {record: list(names) for record, names in releases.items()}


def row_keys(connection: Connection, item_ids: Iterable[str]) -> dict[str, str]:
    """The key of each item that is the same for the same row of seeds in every run; items without one are missing."""
    items = _table("items")
    keys: dict[str, str] = {}
    for part in _parts(item_ids):
        query = select(items.c.id, items.c.row_key).where(items.c.id.in_(part), items.c.row_key.is_not(None))
        keys.update({row.id: row.row_key for row in connection.execute(query)})
    return keys


def item_states(connection: Connection, item_ids: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """The state of each item, and whether its seed's text was erased, by the item's id."""
    items, seeds, texts = (_table(name) for name in ("items", "seeds", "texts"))
    states: dict[str, tuple[str, bool]] = {}
    for start in range(0, len(item_ids), 500):
        query = (
            select(items.c.id, items.c.state, texts.c.body.is_(None).label("erased"))
            .join(seeds, seeds.c.id == items.c.seed_id)
            .join(texts, texts.c.id == seeds.c.text_id)
            .where(items.c.id.in_(item_ids[start : start + 500]))
        )
        states.update({row.id: (row.state, bool(row.erased)) for row in connection.execute(query)})
    return states
