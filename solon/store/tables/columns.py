"""Column shorthands shared by the table modules."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Index, TextClause
from sqlmodel import Field


class NullableJSON(JSON):
    """JSON whose None is SQL's NULL."""

    cache_ok = True

    def __init__(self) -> None:
        super().__init__(none_as_null=True)


def key() -> Any:
    """A column for a textual primary key."""
    return Field(primary_key=True, max_length=64)


def ref(target: str, *, index: bool = False, nullable: bool = False) -> Any:
    """A column with a foreign key to `target`, e.g. `items.id`; `nullable` also makes None the default."""
    if nullable:
        return Field(default=None, foreign_key=target, index=index, nullable=True, max_length=64)
    return Field(foreign_key=target, index=index, max_length=64)


def json_column() -> Any:
    """A column for small structured values: ids, numbers, names. Never texts of seeds, models or people."""
    return Field(default=None, sa_type=NullableJSON, nullable=True)


def partial_index(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    """An index of the rows that `where` holds of, on either database."""
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)
