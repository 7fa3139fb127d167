"""The store room: tables, connections, queries, migrations. The only room that knows the database."""

from solon.store.database.store import Store

__all__ = ["Store"]
