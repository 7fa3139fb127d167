"""A value that is valid under a JSON schema, sensible by the names of its fields. Part of the scripted fake."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_SEVERITIES = (("minor", 0.7), ("major", 0.98), ("fatal", 1.0))
_UNDECIDED = {"tie": 0.03, "hand_over": 0.12}
"""Distance from one half under which a verdict takes this way out, where the schema has it."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What fields are filled from.

    Attributes:
        prefers_a: probability that answer A is better.
        taste: how good the judged text is found, in [0, 1].
        ids: principles, precedents or criteria that the prompt names.
        quoted: the text that a quote must come from.
        write: a new piece of prose.
    """

    prefers_a: float
    taste: float
    ids: tuple[str, ...]
    quoted: str
    write: Callable[[], str]


def value_of(
    node: Mapping[str, Any],
    fields: Fields,
    draw: random.Random,
    *,
    root: Mapping[str, Any] | None = None,
    name: str = "",
) -> Any:
    """A value for a schema node called `name`.

    Knows what pydantic writes: $ref, enum, const, anyOf, objects, arrays, strings and numbers with bounds. Patterns
    and formats of strings are not followed.
    """
    root = node if root is None else root
    if "$ref" in node:
        return value_of(_resolved(node, root), fields, draw, root=root, name=name)
    if "const" in node:
        return node["const"]
    if "enum" in node:
        return _choice(list(node["enum"]), fields, draw)
    for key in ("anyOf", "oneOf", "allOf"):
        if node.get(key):
            return value_of(node[key][0], fields, draw, root=root, name=name)
    kind = node.get("type", "object" if "properties" in node else "string")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        return _object(node, fields, draw, root)
    if kind == "array" and name == "spans":
        return _spans(node, fields, draw, root)
    if kind == "array":
        return _array(node, fields, draw, root, name)
    if kind == "boolean":
        return draw.random() < 0.5
    if kind in ("integer", "number"):
        return _number(node, fields, draw, name, whole=kind == "integer")
    return None if kind == "null" else _text(node, fields, draw, name)


def _resolved(node: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """A node, or what it refers to."""
    if "$ref" not in node:
        return node
    target: Any = root
    for part in str(node["$ref"]).removeprefix("#/").split("/"):
        target = target[part]
    return dict(target)


def _object(
    node: Mapping[str, Any], fields: Fields, draw: random.Random, root: Mapping[str, Any]
) -> dict[str, Any]:
    known = node.get("properties", {})
    values = {key: value_of(entry, fields, draw, root=root, name=key) for key, entry in known.items()}
    others = node.get("additionalProperties")
    if not known and isinstance(others, Mapping):
        values = {key: value_of(others, fields, draw, root=root, name="score") for key in fields.ids}
    return values


def _array(
    node: Mapping[str, Any], fields: Fields, draw: random.Random, root: Mapping[str, Any], name: str
) -> list[Any]:
    low = int(node.get("minItems", 1 if name in ("cites", "principles") else 0))
    high = max(low, min(int(node.get("maxItems", low + 2)), low + 2))
    count = low if name in ("cites", "principles") else draw.randint(low, high)
    return [value_of(node.get("items", {}), fields, draw, root=root, name=name) for _ in range(count)]


_NAME = re.compile(r"(?<!^)(?<![.!?] )\b[^\W\d_a-z]\w+(?: [^\W\d_a-z]\w+)*")
_OVERLOOKED = 0.15


def _spans(
    node: Mapping[str, Any], fields: Fields, draw: random.Random, root: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Names of the quoted text: words that begin with a capital within a sentence, each with a label that is the same
    whoever is asked. Now and then one is overlooked."""
    one = _resolved(node.get("items", {}), root)
    labels = one.get("properties", {}).get("label", {}).get("enum") or [""]
    found = [match for match in _NAME.finditer(fields.quoted) if draw.random() >= _OVERLOOKED]
    return [
        {
            "quote": name.group(),
            "label": labels[sum(map(ord, name.group())) % len(labels)],
            "start": name.start(),
        }
        for name in found[: int(node.get("maxItems", len(found)))]
    ]


def _choice(options: list[Any], fields: Fields, draw: random.Random) -> Any:
    if "A" in options and "B" in options:
        for way_out, distance in _UNDECIDED.items():
            if way_out in options and abs(fields.prefers_a - 0.5) < distance:
                return way_out
        return "A" if fields.prefers_a >= 0.5 else "B"
    if all(isinstance(option, int) for option in options):
        ordered = sorted(options)
        return ordered[min(len(ordered) - 1, int((0.25 + 0.75 * fields.taste) * len(ordered)))]
    if {"minor", "major", "fatal"} <= set(options):
        share = draw.random()
        return next(name for name, upto in _SEVERITIES if share < upto)
    return draw.choice(options)


def _number(
    node: Mapping[str, Any], fields: Fields, draw: random.Random, name: str, *, whole: bool
) -> float | int:
    low = float(node.get("minimum", node.get("exclusiveMinimum", 1 if "score" in name else 0)))
    high = float(node.get("maximum", node.get("exclusiveMaximum", max(low, 5))))
    if whole:
        first, last = math.ceil(low), math.floor(high)
        first += node.get("exclusiveMinimum") == first
        last -= node.get("exclusiveMaximum") == last
        return min(last, first + int(fields.taste * (last - first + 1)))
    if name == "confidence":
        return round(min(high, max(low, 0.5 + abs(fields.prefers_a - 0.5))), 3)
    position = fields.taste if "score" in name else draw.uniform(0.1, 0.9)
    return round(low + (high - low) * position, 3)


def _text(node: Mapping[str, Any], fields: Fields, draw: random.Random, name: str) -> str:
    if name in ("principle", "principles", "cites", "precedent", "criterion") and fields.ids:
        text = draw.choice(fields.ids)
    elif name in ("quote", "span") and fields.quoted:
        words = fields.quoted.split(" ")
        start = draw.randrange(len(words))
        text = " ".join(words[start : start + 6])
    else:
        text = fields.write()
    text = text[: int(node.get("maxLength", len(text)))]
    return text.ljust(int(node.get("minLength", 0)), ".")
