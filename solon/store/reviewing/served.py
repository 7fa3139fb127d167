"""Where the review server is reached, for links that other processes print: a server notes it as it starts."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from solon.store.database.writer import insert_rows
from solon.store.tables import meta
from solon.store.tables.runs import Meta

NOTED = "server.address"
DEFAULT = "http://127.0.0.1:8321"
"""Where `solon review serve` listens unless it is told otherwise."""


def note_server(connection: Connection, address: str) -> None:
    """Note where a review server listens, in place of the note before."""
    connection.execute(delete(meta).where(meta.c.name == NOTED))
    insert_rows(connection, [(Meta, {"name": NOTED, "value": address})])


def server_address(connection: Connection, configured: str = "") -> str:
    """Return the address for links, without a slash at its end: as it is configured, else where a server ran last, else
    where one listens unless it is told otherwise."""
    noted = connection.execute(select(meta.c.value).where(meta.c.name == NOTED)).scalar_one_or_none()
    return (configured or noted or DEFAULT).rstrip("/")
