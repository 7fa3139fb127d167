"""Law in the store: the version in force of a kind, name and scope, its history, the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, func, select, update

from solon.errors import StoreError, UsageError
from solon.law import documents
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.events import event
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.tables import items, table_of
from solon.store.tables.law import Constitution, Rubric, RuleBook

Kind = Literal["constitution", "rubric", "rules"]
Document = documents.Constitution | documents.Rubric | documents.RuleBook
_TABLES: dict[str, Any] = {"constitution": Constitution, "rubric": Rubric, "rules": RuleBook}


@dataclass(frozen=True, slots=True)
class LawVersion:
    """A version of a constitution, a rubric or rules as it is stored; its document never changes.

    Attributes:
        id: id of the version, see `law_id`.
        kind: `constitution`, `rubric` or `rules`.
        name: name of the law, the same for all its versions.
        version: its number, e.g. `1.2.0`.
        scope: what it governs, see `scope_key`.
        status: `in_force` or `superseded`.
        author: who wrote it, as the document says.
        reason: why it was written, as the document says.
        created_at: when the store got it, epoch seconds.
        in_force_at: when it came into force, epoch seconds.
        superseded_at: when a later version took its place, None while it is in force.
        document: the law itself.
    """

    id: str
    kind: Kind
    name: str
    version: str
    scope: str
    status: str
    author: str
    reason: str
    created_at: float
    in_force_at: float | None
    superseded_at: float | None
    document: Document


def scope_key(scope: documents.Scope) -> str:
    """A scope as one string: `global`, `recipe:NAME`, `tags:A,B`, or the last two with a space between."""
    parts = []
    if scope.recipe:
        parts.append(f"recipe:{scope.recipe}")
    if scope.tags:
        parts.append("tags:" + ",".join(sorted(scope.tags)))
    return " ".join(parts) or "global"


def law_id(document: Document) -> str:
    """The id of a version: the same for the same text under the same number."""
    return document.fingerprint()[:24]


def version_in_force(
    connection: Connection, kind: Kind, name: str, *, scope: str | None = None, recipe: str = ""
) -> LawVersion | None:
    """The version in force of a name: of `scope` where that is given, else that for `recipe` before the global one;
    None without one.
    """
    table = table_of(_TABLES[kind])
    wanted = [scope] if scope is not None else [f"recipe:{recipe}", "global"]
    query = select(table).where(table.c.name == name, table.c.status == "in_force", table.c.scope.in_(wanted))
    by_scope = {row["scope"]: row for row in connection.execute(query).mappings()}
    return next((_version(kind, by_scope[key]) for key in wanted if key in by_scope), None)


def rules_in_force(connection: Connection) -> documents.RuleBook:
    """The ratified rules that vote in new runs; without a version in force, no rule."""
    version = version_in_force(connection, "rules", documents.RULES)
    return version.document if version is not None else documents.RuleBook()  # type: ignore[return-value]


def versions_in_force(
    connection: Connection, kind: Kind, name: str, recipe: str | None = None
) -> list[LawVersion]:
    """Every version in force of a name, of whatever domain; with `recipe` only those that can govern an item of it."""
    table = table_of(_TABLES[kind])
    query = select(table).where(table.c.name == name, table.c.status == "in_force").order_by(table.c.scope)
    versions = [_version(kind, row) for row in connection.execute(query).mappings()]
    return [v for v in versions if recipe is None or v.document.scope.recipe in ("", recipe)]


def history(connection: Connection, kind: Kind, name: str | None = None) -> list[LawVersion]:
    """Every version that was ever in force, of one name or all, the oldest first."""
    table = table_of(_TABLES[kind])
    query = select(table).order_by(table.c.created_at, table.c.id)
    if name is not None:
        query = query.where(table.c.name == name)
    return [_version(kind, row) for row in connection.execute(query).mappings()]


def find_version(connection: Connection, kind: Kind, named: str) -> LawVersion | None:
    """The version that a person names: `NAME` (in force; of several scopes the global one), `NAME@1.2.0`, or the
    beginning of an id of at least six digits; None where there is no such version.

    Raises:
        UsageError: it fits several.
    """
    name, _, version = named.partition("@")
    known = history(connection, kind)
    if version:
        fitting = [v for v in known if v.name == name and v.version == version]
    else:
        fitting = [v for v in known if v.name == name and v.status == "in_force"]
        if len(fitting) > 1:
            fitting = [v for v in fitting if v.scope == "global"] or fitting
        if not fitting and len(named) >= 6:
            fitting = [v for v in known if v.id.startswith(named)]
    if len(fitting) > 1:
        listed = ", ".join(f"{v.id[:12]} ({v.scope})" for v in fitting)
        raise UsageError(f"{named!r} fits several {kind}s: {listed}", next_step="name one by its id")
    return fitting[0] if fitting else None


def law_of_run(
    store: Store, connection: Connection, kind: Kind, document: Document, source: str, *, recipe: str, by: str
) -> LawVersion:
    """The law that new items of a recipe are pinned to: the version in force of the configured name.

    A name that the store does not know yet begins with the configured document as its first version.

    Args:
        source: the configured file or name, for messages.
        by: who is noted where a first version comes into force.

    Raises:
        UsageError: the configured file is neither in force nor an earlier version: law does not change by an edit.
    """
    in_force = version_in_force(connection, kind, document.name, recipe=recipe)
    in_force = in_force or version_in_force(connection, kind, document.name, scope=scope_key(document.scope))
    if in_force is None:
        return bring_into_force(store, connection, document, by=by)
    known = {version.id for version in history(connection, kind, document.name)}
    if law_id(document) in known or source in documents.starter_names(_folder(kind)):
        return in_force
    raise UsageError(
        f"{source} differs from every version of {kind} {document.name!r}; {in_force.version} is in force",
        next_step=f"`solon {kind} propose {source}` measures and ratifies the change; "
        f"`solon {kind} import {source} --in-force --reason ...` skips that",
    )


def _folder(kind: Kind) -> Literal["constitutions", "rubrics"]:
    return "constitutions" if kind == "constitution" else "rubrics"


def bring_into_force(
    store: Store,
    connection: Connection,
    document: Document,
    *,
    by: str,
    instead_of: str | None = None,
    amendment: str | None = None,
) -> LawVersion:
    """Make a document the version in force of its name and scope, in the caller's write transaction; returns that
    version.

    Args:
        by: who is noted for it.
        instead_of: id of the version that it was made from; where another is in force by now, nothing is changed.
        amendment: id of the amendment that it came by, for the log.

    Raises:
        UsageError: another version is in force, or there is a version of the same number with another text.
        StoreError: somebody else changed the version in force at the same time.
    """
    kind, table = document.kind, table_of(_TABLES[document.kind])
    scope, version_id, now = scope_key(document.scope), law_id(document), clock.now()
    current = version_in_force(connection, kind, document.name, scope=scope)
    if (current.id if current else None) != instead_of:
        raise UsageError(
            f"{kind} {document.name!r} is at {current.version if current else 'no version'} by now",
            next_step="propose the change again, to the version in force",
        )
    earlier = [v for v in history(connection, kind, document.name) if v.scope == scope]
    if any(v.version == document.version for v in earlier):
        raise UsageError(
            f"there is a {kind} {document.name} {document.version} already", next_step="number it anew"
        )
    if current is not None:
        retired = connection.execute(
            update(table)
            .where(table.c.id == current.id, table.c.status == "in_force")
            .values(status="superseded", superseded_at=now)
        )
        if retired.rowcount != 1:
            raise StoreError(f"{kind} {current.name} {current.version} was changed by someone else just now")
    row = {
        "id": version_id,
        "name": document.name,
        "version": document.version,
        "scope": scope,
        "status": "in_force",
        "document": document.model_dump(mode="json"),
        "author": document.author,
        "reason": document.reason,
        "created_at": now,
        "in_force_at": now,
        "superseded_at": None,
    }
    detail = {"version": document.version, "before": instead_of, "amendment": amendment}
    insert_rows(connection, [(_TABLES[kind], row), event(by, f"{kind}.in_force", version_id, detail)])
    append(store, connection, by, f"{kind}.in_force", version_id, detail)
    brought = version_in_force(connection, kind, document.name, scope=scope)
    if brought is None or brought.id != version_id:
        raise StoreError(f"{kind} {document.name} {document.version} did not come into force")
    return brought


def load_version(connection: Connection, kind: Kind, version_id: str) -> LawVersion:
    """The version with this id, which must exist."""
    table = table_of(_TABLES[kind])
    return _version(kind, connection.execute(select(table).where(table.c.id == version_id)).mappings().one())


def rubric_of_items(connection: Connection, run_id: str) -> documents.Rubric | None:
    """The rubric that most items of a run are under; None where there are no items."""
    query = select(items.c.rubric_id).where(items.c.run_id == run_id).group_by(items.c.rubric_id)
    found = connection.execute(query.order_by(func.count().desc(), items.c.rubric_id).limit(1)).scalar()
    if found is None:
        return None
    rubric = load_version(connection, "rubric", found).document
    assert isinstance(rubric, documents.Rubric)
    return rubric


def _version(kind: Kind, row: RowMapping) -> LawVersion:
    values = {name: row[name] for name in LawVersion.__dataclass_fields__ if name not in ("kind", "document")}
    return LawVersion(kind=kind, document=documents.MODELS[kind].model_validate(row["document"]), **values)
