"""Law by whatever name a person has for it: of the store, a draft, a starter or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solon.errors import UsageError
from solon.law.documents import load_constitution, load_rubric, load_rules, starter_names
from solon.lawmaking.drafting import law_in_force
from solon.store.lawmaking.amendments import find_amendment
from solon.store.runs.laws import find_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from solon.config import Config
    from solon.store.database.store import Store
    from solon.store.runs.laws import Document, Kind


def load_document(kind: Kind, source: str) -> Document:
    """The document of a starter's name or a YAML file.

    Raises:
        ConfigError: it cannot be read, or is no such document.
    """
    if kind == "rules":
        return load_rules(source)
    return load_constitution(source) if kind == "constitution" else load_rubric(source)


def configured_source(config: Config, kind: Kind) -> str:
    """The starter's name or the file that the configuration gives for a kind of document."""
    return config.law.constitution if kind == "constitution" else config.law.rubric


def read_document(store: Store, config: Config, kind: Kind, named: str | None = None) -> Document:
    """The document behind `NAME`, `NAME@VERSION`, an id or the beginning of one, an amendment, a starter or a file.

    Args:
        named: default: the version in force of the configured name.

    Raises:
        UsageError: nothing is named, and the store has none in force.
        ConfigError: it is none of these.
    """
    with store.connect() as connection:
        if not named:
            return law_in_force(connection, config, kind).document
        version = find_version(connection, kind, named)
        if version is not None:
            return version.document
        try:
            return find_amendment(connection, named).document
        except UsageError:
            return load_document(kind, named)


def list_documents(config: Config, kind: Kind, stored: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The starters, the configured document, and those that runs were pinned to, as plain rows.

    Args:
        stored: what `law_versions` tells of the store; empty where there is none.
    """
    chosen = configured_source(config, kind)
    sources = starter_names("constitutions" if kind == "constitution" else "rubrics")
    if chosen not in sources:
        sources.append(chosen)
    rows: list[dict[str, Any]] = []
    for source in sources:
        document = load_document(kind, source)
        rows.append(
            {
                "name": document.name,
                "version": document.version,
                "fingerprint": document.fingerprint(),
                "source": source if source == chosen and "/" in source else "starter",
                "in_force": source == chosen,
            }
        )
    known = {row["fingerprint"][:24] for row in rows}
    name = load_document(kind, chosen).name
    in_force = {row["id"] for row in stored if row["name"] == name and row["status"] == "in_force"}
    rows += [
        {
            "name": version["name"],
            "version": version["version"],
            "fingerprint": version["id"],
            "source": "store",
            "in_force": False,
        }
        for version in stored
        if version["id"] not in known
    ]
    if in_force:  # what was ratified or imported since stands in the place of the configured document
        rows = [{**row, "in_force": row["fingerprint"][:24] in in_force} for row in rows]
    return rows
