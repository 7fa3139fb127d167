"""Personas: people in whose place a model asks, a line each of a file of any length.

A line is text, or JSON with a field `persona`.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import AfterValidator

from solon.errors import ConfigError
from solon.formats.json_values import read_value
from solon.reading import why_not_json

LONGEST_PERSONA = 1000
"""Characters of a person; what follows them is left out."""
_EVERY = 1000


def has_lines(path: Path | None) -> Path | None:
    """The path of a file of personas, where it has any and every line is one.

    Raises:
        ValueError: it cannot be read, has no line, or some are no persons; says which.
    """
    if path is None:
        return None
    try:
        if not _index_of(path.expanduser())[0]:
            raise ValueError("the file has no line")
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    return path


Personas = Annotated[Path | None, AfterValidator(has_lines)]
"""A file of personas as a setting of a recipe; one that cannot be read, has no line or one that is no person is refused
before anything is stored."""


def draw_line(path: Path, seed: int) -> str:
    """One of the lines of a file that are not blank, each as likely as the others. The file is gone through once in a
    process, and never held.

    Raises:
        ConfigError: it cannot be read, has no line, or one that is no person.
    """
    path = path.expanduser()
    try:
        count, starts = _index_of(path)
        with path.open("rb") as file:
            number = random.Random(seed).randrange(count) if count else 0
            file.seek(starts[number // _EVERY] if count else 0)
            line = next(islice(_lines(file), number % _EVERY, None), None)
    except OSError as error:
        raise ConfigError(f"personas: {path}: {error.strerror}", next_step="name a file of text") from error
    except ValueError as error:
        raise ConfigError(f"personas: {path}: {error}", next_step="mend these lines") from None
    if line is None:
        raise ConfigError(f"personas: {path} has no line", next_step="write a person on each line")
    return _person(line)


def _index_of(path: Path) -> tuple[int, array[int]]:
    state = path.stat()
    return _index(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _index(path: Path, _size: int, _changed: int) -> tuple[int, array[int]]:
    """How many lines of a file are not blank, and where each thousandth of them begins; it is counted anew where the
    file's size or time is another.

    Raises:
        ValueError: some lines are no persons; with their number, and the first of them.
    """
    starts, count, wrong, first = array("Q"), 0, 0, ""
    with path.open("rb") as file:
        begin = 0
        for number, line in enumerate(iter(file.readline, b""), start=1):
            if line.strip():
                if count % _EVERY == 0:
                    starts.append(begin)
                count += 1
                try:
                    _person(line)
                except ValueError as problem:
                    wrong, first = wrong + 1, first or f"line {number} {problem}"
            begin += len(line)
    if wrong:
        raise ValueError(f"{first} ({wrong} of {count} lines are no persons)")
    return count, starts


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines that are not blank, from where the file stands."""
    return (line for line in iter(file.readline, b"") if line.strip())


def _person(line: bytes) -> str:
    """A line of text, or the field `persona` of one of JSON.

    Raises:
        ValueError: it is neither, in words that follow its number.
    """
    try:
        text = line.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("is not in UTF-8") from None
    if text.startswith(("{", "[")):
        try:
            value = read_value(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"is no JSON ({why_not_json(error)}): {text!r:.60}") from None
        person = value.get("persona") if isinstance(value, dict) else None
        if type(person) is not str:
            raise ValueError(f"has no field `persona` of text: {text!r:.60}")
        text = person.strip()
    if not any(sign.isalpha() for sign in text):
        raise ValueError(f"has not a word: {text!r:.60}")
    return text[:LONGEST_PERSONA]
