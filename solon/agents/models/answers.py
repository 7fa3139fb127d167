"""The structured answer in what a model said: the last JSON object that fits what was asked for. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Schema = TypeVar("Schema", bound=BaseModel)

_START = re.compile(r'\{(?=\s*["}])|"(?=\s*(?:\\[nrt]\s*)*[\[{])')
"""Where an object begins, or a text that may hold one."""
_WRAPS = ("arguments", "parameters", "input", "args", "function", "function_call", "tool_calls", "content")
"""Keys under which the forms of tool calls and messages keep the answer itself."""
_DEEPEST = 5
_MOST = 1_000
"""Forms of an answer that are tried, from its end; only a model that runs on without end gives more."""
_WORK = 200_000_000
"""What the search may cost because of what is no JSON, in characters counted, beside 100 for each of the text."""
_READ = 20
"""What it costs to read a character as JSON, in characters counted."""
_decoder = json.JSONDecoder(strict=False)


def find_answer(text: str, schema: type[Schema]) -> tuple[Schema | None, str]:
    """The answer that stands in a text, and what is wrong with the text where there is none ("" if nothing).

    A model may think aloud, repeat the form it was given, or change its mind: the last object that fits counts.
    Prose and code fences around it do not matter, nor whether it stands in a list, under one outer key, in a JSON
    string, or as the arguments of a tool call.
    """
    problem = ""
    forms = (form for value in reversed(json_values(text)) for form in _forms(value, schema.model_fields))
    for form in islice(forms, _MOST):
        try:
            return _validate(form, schema), ""
        except ValidationError as error:
            problem = problem or _words(error)
    return None, problem or "there is no JSON object in it"


def json_values(text: str) -> list[Any]:
    """The JSON objects of a text, none of them within another, in their order; and JSON strings that hold some.

    Where there are none, but quotes are escaped as within a string, they are taken for plain ones. What breaks off, is
    no JSON or is nested too deeply is passed over. The work is in proportion to the length of the text.
    """
    return _values(text) or (_values(text.replace('\\"', '"')) if '{\\"' in text else [])


def _values(text: str) -> list[Any]:
    found: list[Any] = []
    position, left = 0, _WORK + 100 * len(text)
    while left > 0 and (match := _START.search(text, position)):
        start = match.start()
        try:
            value, end = _decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:
            # A text without an end is told as where it begins. The error counts the lines up to its place.
            end = len(text) if error.msg.startswith("Unterminated") else error.pos
        except (ValueError, RecursionError):  # a number of thousands of digits; nested too deeply
            end = min(start + 10_000, len(text))
        else:
            if isinstance(value, dict) or json_values(value):
                found.append(value)
                position = end
                continue
        left -= end + _READ * (end - start)
        position = start + 1
    return found


def tool_calls(message: Mapping[str, Any]) -> str:
    """The arguments of the tool calls in a message of OpenAI's or LangChain's shape, as text; empty without any."""
    calls: list[Any] = [message.get("function_call")]
    for key in ("tool_calls", "invalid_tool_calls", "content"):
        calls += value if isinstance(value := message.get(key), list) else []
    return "\n".join(_as_text(call) for call in calls if isinstance(call, Mapping))


def _as_text(call: Mapping[str, Any]) -> str:
    inner = call["function"] if isinstance(call.get("function"), Mapping) else call
    given = next((inner[key] for key in _WRAPS[:4] if isinstance(inner.get(key), str | dict | list)), "")
    try:
        return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    except RecursionError:
        return ""


def _forms(value: Any, fields: Mapping[str, Any], depth: int = _DEEPEST) -> Iterator[dict[str, Any]]:
    """An object as it stands, then what it may only be the wrapping of; the last first."""
    if isinstance(value, dict):
        yield value
    if depth == 0:
        return
    inner: list[Any] = []
    if isinstance(value, str):
        inner = json_values(value) if "{" in value else []
    elif isinstance(value, list):
        inner = value
    elif isinstance(value, dict) and not (value.keys() & fields.keys()) - {*_WRAPS}:
        inner = [value[key] for key in _WRAPS if key in value] or _only_one_inside(value)
    for entry in reversed(inner):
        yield from _forms(entry, fields, depth - 1)


def _only_one_inside(value: dict[str, Any]) -> list[Any]:
    """The one value that may hold the answer, alone or beside a name or a thought; none where there is a choice."""
    values = list(value.values())
    inside = [
        entry for entry in values if (entry and isinstance(entry, dict | list)) or _looks_like_json(entry)
    ]
    return inside if len(inside) == 1 else values if len(values) == 1 else []


def _looks_like_json(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip()[:1] in ("[", "{")


def _validate(value: dict[str, Any], schema: type[Schema]) -> Schema:
    """The validated object. Where it is wrong, fields that hold JSON as text are read as that JSON."""
    try:
        return schema.model_validate(value)
    except ValidationError:
        opened = {
            key: _opened(inner) if key in schema.model_fields else inner for key, inner in value.items()
        }
        if all(opened[key] is value[key] for key in value):
            raise
        return schema.model_validate(opened)


def _opened(value: Any) -> Any:
    if not _looks_like_json(value):
        return value
    try:
        return json.loads(value, strict=False)
    except (ValueError, RecursionError):
        return value


def _words(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)[:5]
    return "; ".join(f"{'.'.join(map(str, p['loc'])) or 'object'}: {p['msg']}" for p in problems)
