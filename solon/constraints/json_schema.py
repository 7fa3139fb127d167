"""JSON Schemas (2020-12) of experts: data, never code. Nothing is fetched, nothing is looked up outside the schema, no
pattern runs without end, and what one schema may cost is bounded by its size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from solon.words import MATCH_SECONDS, has_pattern

MOST_NODES, DEEPEST = 500, 20
"""Schemas within a schema, counted wherever they are referred to, and how deep they lie in each other."""
LONGEST_MESSAGE = 160
_ONE = ("items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "dependentSchemas")
_PLAIN = (
    "type", "enum", "const", "title", "description", "default", "examples", "format", "pattern", "required",
    "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "minProperties", "maxProperties",
    "dependentRequired",
)  # fmt: skip
_BOUNDS = (
    ("minLength", "maxLength"), ("minimum", "maximum"), ("minItems", "maxItems"), ("minContains", "maxContains"),
    ("minProperties", "maxProperties"),
)  # fmt: skip
_LEFT_OUT = ("$schema", "$id", "$comment", "$defs", "definitions")


def check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema as it is used: with what it refers to in the place of each reference.

    Raises:
        ValueError: it is no JSON Schema, refers to something outside it or to itself, is too large, or uses a keyword
            that is not taken.
    """
    from jsonschema import SchemaError

    whole: dict[str, Any] = _Inlining(schema).resolve(schema)
    try:
        _validator().check_schema(whole)
    except SchemaError as error:
        place = ".".join(map(str, error.absolute_path))
        told = f"{place}: {error.message}" if place else error.message
        raise ValueError(f"no JSON Schema: {told[:LONGEST_MESSAGE]}") from None
    return whole


def find_problem(value: Any, schema: dict[str, Any]) -> str:
    """Return how a value breaks a checked schema, with the place in it; empty where it keeps it."""
    error = next(_validator()(schema).iter_errors(value), None)
    if error is None:
        return ""
    place = ".".join(map(str, error.absolute_path))
    return f"{f'{place}: ' if place else ''}{error.message}"[:LONGEST_MESSAGE]


class _Inlining:
    """The walk through a schema that puts what is referred to in the place of each reference."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._left = MOST_NODES

    def resolve(self, node: Any, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > DEEPEST:
            raise ValueError(
                f"it refers to itself, or holds more than {MOST_NODES} schemas, or {DEEPEST} in each other"
            )
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            raise ValueError(f"{node!r:.40} stands where a schema is wanted")
        whole = {
            key: self._read(key, value, depth + 1)
            for key, value in node.items()
            if key not in (*_LEFT_OUT, "$ref")
        }
        _check_bounds(whole)
        if "$ref" not in node:
            return whole
        found = self.resolve(self._find(str(node["$ref"])), depth + 1)
        return {"allOf": [found], **whole} if whole else found

    def _read(self, key: str, value: Any, depth: int) -> Any:
        if key in _ONE:
            return self.resolve(value, depth)
        if key in _LISTED and isinstance(value, list):
            return [self.resolve(one, depth) for one in value]
        if key in _NAMED and isinstance(value, dict):
            return {name: self.resolve(one, depth) for name, one in value.items()}
        if key not in (*_PLAIN, *_LISTED, *_NAMED):
            raise ValueError(f"the keyword {key!r:.40} is not taken")
        if key == "pattern":
            _check_pattern(value)
        return value

    def _find(self, reference: str) -> Any:
        match reference.split("/"):
            case ["#", ("$defs" | "definitions") as where, name]:
                target = self._root.get(where)
            case _:
                raise ValueError(f"$ref {reference!r:.60}: only '#/$defs/NAME' is looked up")
        if not isinstance(target, dict) or name not in target:
            raise ValueError(f"$ref {reference!r:.60} names nothing")
        return target[name]


def _check_bounds(schema: dict[str, Any]) -> None:
    for least, most in _BOUNDS:
        low, high = schema.get(least), schema.get(most)
        if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
            raise ValueError(f"{least}, {low}, is more than {most}, {high}")


def _check_pattern(value: Any) -> None:
    import regex

    try:
        regex.compile(value)
    except (regex.error, TypeError) as error:
        raise ValueError(f"the pattern {value!r:.60} cannot be read: {error}") from None


@lru_cache(maxsize=1)
def _validator() -> Any:
    """The validator of JSON Schema, whose patterns run with a time limit."""
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    def pattern(_validator: Any, wanted: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
        if not isinstance(value, str):
            return
        try:
            if not has_pattern(wanted, value):
                yield ValidationError(f"{json.dumps(value)[:60]} does not match {wanted!r:.60}")
        except TimeoutError:
            yield ValidationError(f"the pattern {wanted!r:.60} takes longer than {MATCH_SECONDS} s")

    return extend(Draft202012Validator, {"pattern": pattern})
