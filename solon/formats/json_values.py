"""JSON as rows are written in: read without losing anything, and shown in its own words. Imports nothing of Solon."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


class NotFinite(str):
    """A number that JSON has no word for (`NaN`, `Infinity`, `-Infinity`), kept as the text that it was written as."""

    __slots__ = ()


class Verbatim(str):
    """A text of a file that has words for lists, which is no list that was written as a text."""

    __slots__ = ()


def read_value(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is no JSON, or an object in it has a key twice.
        RecursionError: it is nested too deeply.
    """
    return _DECODER.decode(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]!r} stands twice in one object; rename or remove one of them")
    return content


_DECODER = json.JSONDecoder(parse_constant=NotFinite, object_pairs_hook=_once)
"""Made once: to make one takes as long as to read a row."""


def show(value: Any, most: int = 60) -> str:
    """Return the beginning of a value in JSON's words for null, true and false; texts stand in quotes."""
    if value is None or isinstance(value, (bool, list, tuple, dict)):
        try:
            return json.dumps(value, ensure_ascii=False, default=str)[:most]
        except (ValueError, RecursionError, TypeError):
            return kind_of(value)
    if isinstance(value, float) and not math.isfinite(value):
        return spell(value)
    return repr(value)[:most]


def spell(number: float) -> NotFinite:
    """Return how JSON writes a number that is not finite, where it is written at all."""
    return NotFinite("NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity")


def kind_of(value: Any) -> str:
    """Return what JSON calls a value of this kind: an object, a list, a text, a number, true/false or null."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true/false", type(None): "null"}
    number = isinstance(value, (int, float))
    return names.get(type(value), "a number" if number else f"a value of type {type(value).__name__}")


def deeper_than(value: Any, levels: int) -> bool:
    """Tell whether lists and objects stand within each other to more than so many levels."""
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return False
    return levels == 0 or any(deeper_than(inner, levels - 1) for inner in value)
