"""Text files that people wrote: read as UTF-8, or refused with the cause and its line. Imports nothing but errors."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from solon.errors import SolonError, UsageError

_MOST_BYTES = 1 << 26
"""Of a file, or of a line of one, that is read whole; nothing that a person wrote is as long."""
LONGEST_NUMBER = 4300
"""Digits of a whole number: Python converts no more of them to and from text."""
_DEEPEST = 64
"""Levels of tables and lists in TOML; no file of Solon has as many."""
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}


def read_text(
    path: Path, *, most: int = _MOST_BYTES, raises: type[SolonError] = UsageError, next_step: str = ""
) -> str:
    """Return what a text file holds, without a byte order mark.

    Args:
        most: bytes that it may have.
        raises: the kind of error where it cannot be read.
        next_step: what that error advises.
    """
    with _opened(path, raises, next_step) as stream:
        content = stream.read(most + 1)
        if len(content) > most:
            raise ValueError(f"it has more than {most} bytes")
        return _decode(content)


def read_lines(path: Path, *, next_step: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file that hold anything, with their numbers from 1.

    Raises:
        UsageError: it cannot be read.
    """
    with _opened(path, UsageError, next_step) as stream:
        number = 0
        while content := stream.readline(_MOST_BYTES + 1):
            number += 1
            if len(content) > _MOST_BYTES:
                raise ValueError(f"line {number} has more than {_MOST_BYTES} bytes")
            if content.strip():
                yield number, _decode(content, number)


def read_objects(
    path: Path, *, next_step: str = "one JSON object a line"
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the JSON objects of a file that has one a line, with their line numbers.

    Raises:
        UsageError: it cannot be read, or a line holds something else.
    """
    for number, line in read_lines(path, next_step=next_step):
        try:
            row = parse_json(line, line=number)
        except ValueError as error:
            raise UsageError(f"{path}, {error}", next_step=next_step) from None
        if not isinstance(row, dict):
            raise UsageError(
                f"{path}, line {number}: a {type(row).__name__}, not an object", next_step=next_step
            )
        yield number, row


def read_toml(path: Path, *, raises: type[SolonError], next_step: str = "") -> dict[str, Any]:
    """Return what a TOML file holds; where it cannot be read, or goes deeper than any that a person writes, that is an
    error of the kind `raises` with the advice `next_step`."""
    text = read_text(path, raises=raises, next_step=next_step)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        why = why_unreadable(error, text)
        raise raises(f"{path} cannot be read as TOML: {why}", next_step=next_step) from None
    if _is_deep(data):
        cause = f"{path}: its tables stand in each other deeper than {_DEEPEST} levels"
        raise raises(cause, next_step=next_step)
    return data


def _is_deep(data: Any) -> bool:
    """Tell whether tables and lists stand in each other too deep, as a table with thousands of dots in its name makes
    them."""
    level = [data]
    for _ in range(_DEEPEST):
        tables = [value.values() if isinstance(value, dict) else value for value in level]
        level = [value for table in tables for value in table if isinstance(value, (dict, list))]
    return bool(level)


def parse_json(text: str, *, line: int = 1) -> Any:
    """Return the value of a JSON text.

    Args:
        line: where the text begins in its file.

    Raises:
        ValueError: it is none that can be read; names the line and why.
    """
    try:
        return json.loads(text.rstrip())
    except json.JSONDecodeError as error:
        raise ValueError(
            f"line {line + error.lineno - 1}: not JSON ({error.msg} at character {error.colno})"
        ) from None
    except (RecursionError, ValueError) as error:
        raise ValueError(why_unreadable(error, text, line=line)) from None


def why_unreadable(error: Exception, text: str, *, line: int = 1) -> str:
    """Return why a parser gave a text up: its own words, or line and limit where one of Python's limits was passed."""
    lines = text.splitlines() or [""]
    if isinstance(error, RecursionError):
        depth = [row.count("[") + row.count("{") for row in lines]
        return f"line {line + depth.index(max(depth))}: it is {_limit_of(error)}"
    if limit := _limit_of(error):
        long = re.compile(rf"\d[\d_]{{{LONGEST_NUMBER},}}")
        where = next((number for number, row in enumerate(lines, start=line) if long.search(row)), line)
        return f"line {where}: {limit}"
    return str(error) or type(error).__name__


def why_not_json(error: Exception) -> str:
    """Return why `json.loads` gave up a text that is one value of a row: the place in the text, or the limit."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos + 1}"
    return _limit_of(error) or str(error)


def _limit_of(error: Exception) -> str:
    """Which of Python's limits a parser has passed; empty where it gave up for another reason."""
    if isinstance(error, RecursionError):
        return "nested deeper than can be read (some hundred levels)"
    too_long = "integer string conversion" in str(error)
    return f"a number has more than {LONGEST_NUMBER} digits" if too_long else ""


@contextmanager
def _opened(path: Path, raises: type[SolonError], next_step: str) -> Iterator[BinaryIO]:
    """A file to read; what the system or `_decode` says against it comes out as `raises`, naming the file."""
    try:
        with path.open("rb") as stream:
            yield stream
    except (OSError, ValueError) as error:
        cause = error.strerror or error if isinstance(error, OSError) else error
        raise raises(f"{path} cannot be read: {cause}", next_step=next_step) from None


def _decode(content: bytes, line: int = 1) -> str:
    try:
        return content.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        for mark, name in _MARKS.items():
            if line == 1 and content.startswith(mark):
                raise ValueError(f"it is {name}; save it as UTF-8") from None
        begin = content.rfind(b"\n", 0, error.start) + 1
        where = line + content.count(b"\n", 0, error.start)
        byte, place = content[error.start], error.start - begin + 1
        raise ValueError(
            f"line {where} is not UTF-8: byte 0x{byte:02x} at {place}; save it as UTF-8"
        ) from None
