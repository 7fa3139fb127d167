"""Cells of a table turned back into the lists and objects that they were written from.

CSV knows text only, and Parquet files often hold JSON as text. What is meant is told by the column's name. (Messages
are told by their form, where they are read: a request that happens to be JSON stays the text that it is.) Imports
`json_values` alone of Solon.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from solon.formats.json_values import NotFinite

LISTS = frozenset(("history", "completions", "labels", "flags", "flagged_candidates", "withheld", "shares"))
OBJECTS = frozenset(("metadata", "lineage", "faults", "evidence", "fields", "given"))


def decode_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with its lists and objects as values, everything else as it was."""
    return {name: _decode(name, cell) if isinstance(cell, str) else cell for name, cell in row.items()}


def _decode(name: str, cell: str) -> Any:
    if name not in LISTS | OBJECTS or not cell.lstrip().startswith(("[", "{")):
        return cell
    try:
        value = json.loads(cell, parse_constant=NotFinite)
    except (ValueError, RecursionError):
        return cell
    return value if isinstance(value, list if name in LISTS else dict) else cell
