"""Personas: people in whose place a model asks, a line each of a file of any length. Imports nothing of Solon but
`errors`.

A line is text, or JSON with a field `persona`.
"""

from __future__ import annotations

import json
import random
from array import array
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import AfterValidator

from solon.errors import ConfigError

LONGEST_PERSONA = 1000
"""Characters of a person; what follows them is left out."""
_EVERY = 1000


def has_lines(path: Path | None) -> Path | None:
    """The path of a file of personas, where it has any.

    Raises:
        ValueError: it cannot be read, or has no line; says which.
    """
    if path is None:
        return None
    try:
        with path.expanduser().open("rb") as file:
            if next(_lines(file), None) is None:
                raise ValueError("the file has no line")
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    return path


Personas = Annotated[Path | None, AfterValidator(has_lines)]
"""A file of personas as a setting of a recipe; one that cannot be read, or has no line, is refused before anything is
stored."""


def draw_line(path: Path, seed: int) -> str:
    """One of the lines of a file that are not blank, each as likely as the others. The file is gone through once in a
    process, and never held.

    Raises:
        ConfigError: it cannot be read, or has no line.
    """
    path = path.expanduser()
    try:
        state = path.stat()
        count, starts = _index(path, state.st_size, state.st_mtime_ns)
        with path.open("rb") as file:
            number = random.Random(seed).randrange(count) if count else 0
            file.seek(starts[number // _EVERY] if count else 0)
            line = next(islice(_lines(file), number % _EVERY, None), None)
    except OSError as error:
        raise ConfigError(f"personas: {path}: {error.strerror}", next_step="name a file of text") from error
    if line is None:
        raise ConfigError(f"personas: {path} has no line", next_step="write a person on each line")
    return _person(line.decode("utf-8", "replace").strip())


@lru_cache(maxsize=4)
def _index(path: Path, _size: int, _changed: int) -> tuple[int, array[int]]:
    """How many lines of a file are not blank, and where each thousandth of them begins; it is counted anew where the
    file's size or time is another."""
    starts, count = array("Q"), 0
    with path.open("rb") as file:
        begin = 0
        while line := file.readline():
            if line.strip():
                if count % _EVERY == 0:
                    starts.append(begin)
                count += 1
            begin += len(line)
    return count, starts


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines that are not blank, from where the file stands."""
    return (line for line in iter(file.readline, b"") if line.strip())


def _person(line: str) -> str:
    """A line of text, or the field `persona` of one of JSON."""
    if line.startswith("{"):
        try:
            line = str(json.loads(line)["persona"])
        except (ValueError, KeyError):
            pass
    return line[:LONGEST_PERSONA]
