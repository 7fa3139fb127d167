"""The store room: tables, connections, queries, migrations. The only room that knows the database."""

from solon.store.store import Store

__all__ = ["Store"]
