"""Reads texts from files that a user names: plain text, JSON lines, CSV. Empty lines are skipped."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from solon.errors import UsageError
from solon.reading import parse_json, read_lines

KEYS = (
    "prompt",
    "question",
    "instruction",
    "input",
    "problem",
    "text",
    "query",
    "goal",
    "content",
    "answer",
    "response",
)
MOST = 200_000
"""Characters of a text that are looked at."""


def read_texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line or row, text) for every text of a file.

    Of an object (`.jsonl`, `.ndjson`) or row (`.csv`) these are the values of all known keys, of another file
    its lines.

    Raises:
        UsageError: the file cannot be read, is no UTF-8, or no row has a known key.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            if path.suffix.lower() == ".csv":
                rows: Iterator[tuple[int, dict[str, Any]]] = enumerate(csv.DictReader(stream), 2)
                yield from _of_rows(path, rows)
            elif path.suffix.lower() in (".jsonl", ".ndjson"):
                yield from _of_rows(path, _objects(path))
            else:
                yield from ((i, line.strip()[:MOST]) for i, line in enumerate(stream, 1) if line.strip())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", next_step="give UTF-8 text, JSON lines or CSV"
        ) from error


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in read_lines(path, next_step="one JSON object a line"):
        try:
            row = parse_json(line, line=number)
        except ValueError as error:
            raise UsageError(f"{path}, {error}", next_step="one JSON object a line") from None
        yield number, row if isinstance(row, dict) else {"text": row}


def _of_rows(path: Path, rows: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, str]]:
    known = any_row = False
    for number, row in rows:
        any_row = True
        for key, value in row.items():
            if str(key).lower() in KEYS and isinstance(value, str) and value.strip():
                known = True
                yield number, value[:MOST]
    if any_row and not known:
        raise UsageError(
            f"{path}: no row has a text under a known key", next_step=f"known keys: {', '.join(KEYS)}"
        )
