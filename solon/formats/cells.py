"""Cells of a table turned back into the lists, objects and labels that they were written from.

CSV knows text only, and Parquet files often hold JSON as text. What is meant is told by the column's name,
and for messages by their form: a request that happens to be JSON stays the text that it is. Imports nothing
of Solon.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

TURNS = frozenset(
    ("messages", "conversations", "prompt", "chosen", "rejected", "completion", "input", "output", "response")
)
"""Columns that hold a text, one message or a list of messages."""
LISTS = frozenset(("history", "completions", "labels", "flags", "flagged_candidates", "withheld"))
OBJECTS = frozenset(("metadata", "lineage", "faults"))
_LABELS = {"true": True, "false": False}


def decode_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with its lists, objects and labels as values; an empty cell is None, everything else as
    it was.
    """
    return {name: _decode(name, cell) if isinstance(cell, str) else cell for name, cell in row.items()}


def _decode(name: str, cell: str) -> Any:
    if not cell:
        return None
    if name == "label":
        return _LABELS.get(cell.strip().lower(), cell)
    if name not in TURNS | LISTS | OBJECTS or not cell.lstrip().startswith(("[", "{")):
        return cell
    try:
        value = json.loads(cell, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return cell
    if name in TURNS:
        return value if _is_message(value) or _is_messages(value) else cell
    return value if isinstance(value, list if name in LISTS else dict) else cell


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and (
        {"role", "content"} <= value.keys() or {"from", "value"} <= value.keys()
    )


def _is_messages(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_message(one) for one in value)
