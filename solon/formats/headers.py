"""Names of columns, whatever capitals and blanks a file writes them with. Imports nothing of Solon."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any


def fold(header: str) -> str:
    """Return a header in small letters, without blanks around it and with underscores for those within."""
    if header.isidentifier() and header.islower():
        return header  # as nearly all are
    return re.sub(r"\s+", "_", header.strip().lower())


def find_column(header: str, names: Iterable[str], row: Collection[str]) -> str | None:
    """Return the one of `names` that a header means, though its capitals or blanks differ; None where it means none, or
    the row has a column of that very name, too.
    """
    folded = fold(header)
    return next((name for name in names if fold(name) == folded and name not in row), None)


def name_columns(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the row under the names that its headers mean; other headers stay as they are.

    Args:
        names: header -> name of the column, as `known_headers` gives them.
    """
    named: dict[str, Any] = {}
    for header, value in row.items():
        name = names.get(header) or names.get(fold(header), header)
        named[header if name in row or name in named else name] = value
    return named


def known_headers(names: Iterable[str]) -> dict[str, str]:
    """Return header -> name of the column: each name as it is, and folded; of names that fold alike the first."""
    headers = {name: name for name in names}
    for name in list(headers):
        headers.setdefault(fold(name), name)
    return headers
