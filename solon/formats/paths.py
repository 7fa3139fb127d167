"""What stands at a path of a row, such as `completions[*].response`, and the row without it. Imports
`json_values` alone of Solon.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from solon.formats.json_values import NotFinite

EACH = "[*]"
Step = str | int
_LONGEST = 1_000_000
"""Characters up to which a text is tried as Python's."""


def at(row: Any, path: str) -> Any:
    """Return what stands at a path: None where nothing does, a list where the path has `[*]`.

    A column that has the whole path as its name goes first. JSON texts are read on the way.
    """
    return row[path] if isinstance(row, Mapping) and path in row else _at(row, steps_of(path))


@lru_cache(maxsize=1024)
def steps_of(path: str) -> tuple[Step, ...]:
    """Return the keys and places of a path, one by one; `[*]` stands for itself."""
    found = re.findall(r"\[(\*|-?\d+)\]|([^.\[\]]+)", path)
    return tuple(key or (EACH if place == "*" else int(place)) for place, key in found)


def without(value: Any, steps: Sequence[Step]) -> Any:
    """Return `value` less what stands at the steps, and None where nothing is left. A list keeps its length."""
    if not steps:
        return None
    value, step, further = decoded(value), steps[0], steps[1:]
    if isinstance(value, Mapping) and step in value:
        kept = {key: part for key, part in value.items() if key != step}
        inner = without(value[str(step)], further)
        return (kept if inner is None else {**kept, step: inner}) or None
    if isinstance(value, (list, tuple)) and (step == EACH or isinstance(step, int)):
        struck = (
            range(len(value))
            if step == EACH
            else range(len(value))[step:][:1]
            if isinstance(step, int)
            else ()
        )
        items = [without(item, further) if place in struck else item for place, item in enumerate(value)]
        return items if any(item is not None for item in items) else None
    return value


def is_absent(value: Any) -> bool:
    """Tell whether a value says nothing: null, an empty text, list or object, or a list of such."""
    if isinstance(value, (list, tuple)):
        return all(is_absent(item) for item in value)
    if isinstance(value, NotFinite):
        return value == "NaN"  # which stands for a missing value
    return value is None or (isinstance(value, (str, Mapping)) and not value)


def decoded(value: Any) -> Any:
    """Return the list or the object that a text is in JSON, or as Python writes it (in tables that pandas wrote);
    any other value as it is.
    """
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value, parse_constant=NotFinite)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(value.strip()) if len(value) <= _LONGEST else value
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return value


def _at(value: Any, steps: Sequence[Step]) -> Any:
    for place, step in enumerate(steps):
        value = decoded(value)
        if step == EACH:
            items = value if isinstance(value, (list, tuple)) else ()
            return [_at(item, steps[place + 1 :]) for item in items]
        if isinstance(step, int):
            value = (
                value[step] if isinstance(value, (list, tuple)) and -len(value) <= step < len(value) else None
            )
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value
