"""Seed files: every row becomes a `SeedRow`, or a `BadRow` with its line and reason.

Imports `errors` and `formats` only. Reading is streamed: memory does not grow with the file but for 13 to 27
bytes per row, which find repeated ids.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import stat
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from solon.errors import SeedError
from solon.formats.containers import write_text_at_once
from solon.formats.dataset_folders import is_dataset, list_data_files, read_dataset
from solon.formats.documents import is_document, read_documents
from solon.formats.headers import fold
from solon.formats.marked import as_seed
from solon.formats.seed_files import BadRow, Raw, excerpt_of, find_reader, peek
from solon.formats.seed_rows import COLUMNS, SeedResponse, SeedRow, SeedVerdict, parse_row

__all__ = [
    "COLUMNS",
    "MAX_CHARS",
    "BadRow",
    "SeedResponse",
    "SeedRow",
    "SeedVerdict",
    "SeenIds",
    "list_data_files",
    "read_seed_rows",
    "read_seeds",
    "write_bad_rows",
]

MAX_CHARS = 200_000


def read_seeds(
    path: str | Path,
    *,
    column_map: Mapping[str, str] | None = None,
    max_chars: int = MAX_CHARS,
    split: str | None = None,
    documents: bool = False,
) -> Iterator[SeedRow | BadRow]:
    """Return, one by one, the seeds of a file or of a folder of Hugging Face `datasets`, and the rows that
    were refused.

    The format follows from the ending: `.jsonl` (`.ndjson`), `.json`, `.csv`, `.tsv` or `.parquet`; all but the last
    may be packed (`.jsonl.gz`).

    Args:
        split: of a folder that has several.
        documents: texts, pages and PDF files, or a folder of them, are read, too, see `solon.formats.documents`.
        column_map: our column = the file's column, e.g. `{"prompt": "question"}`.
        max_chars: rows with more characters in all are refused, never cut.

    Raises:
        SeedError: at the call for a missing file, an unknown folder or ending; while reading, where the file
            as a whole cannot be read. A bad row is never raised.
    """
    renames = _check_map(column_map or {})
    file = Path(path)
    _check_file(file)
    if documents and (not is_dataset(file) if file.is_dir() else is_document(file)):
        return _parse_all(read_documents(file, max_chars), {}, max_chars, source=str(file))
    if is_document(file):
        raise SeedError(
            f"{file}: the ending {file.suffix!r} is no known seed format where each row is a seed",
            next_step="run a recipe that reads documents, such as instruction-backtranslate, or write the requests "
            "into a .jsonl file, one JSON object per line",
        )
    if file.is_dir():
        return _parse_all(read_dataset(file, split, max_chars), renames, max_chars, source=str(file))
    return _parse_all(find_reader(file)(file, max_chars), renames, max_chars, source=str(file))


def read_seed_rows(
    rows: Iterable[Mapping[str, Any] | str],
    *,
    column_map: Mapping[str, str] | None = None,
    max_chars: int = MAX_CHARS,
) -> Iterator[SeedRow | BadRow]:
    """Return, one by one, the seeds of dictionaries (`frame.to_dict("records")`) or bare prompts, and the
    rows refused.

    `line` counts from 1.
    """
    return _parse_all(_numbered(rows), _check_map(column_map or {}), max_chars, source="")


def write_bad_rows(path: str | Path, bad: Iterable[BadRow]) -> int:
    """Write the refused rows as JSONL (line, reason, excerpt), replacing the file, and return their number."""
    count = 0

    def lines() -> Iterator[str]:
        nonlocal count
        for row in bad:
            count += 1
            yield json.dumps(asdict(row), ensure_ascii=False) + "\n"

    write_text_at_once(Path(path), lines())
    return count


def _parse_all(
    raws: Iterable[Raw | BadRow], renames: Mapping[str, str], max_chars: int, *, source: str
) -> Iterator[SeedRow | BadRow]:
    seen = SeenIds()
    for raw in raws:
        if isinstance(raw, BadRow):
            yield raw
            continue
        line, values = raw
        try:
            if "prompt" not in renames and "messages" not in renames:
                values = as_seed(values)
            row = parse_row(values, column_map=renames, max_chars=max_chars, line=line)
        except (ValueError, OverflowError, RecursionError) as problem:  # of which a RowProblem is one
            yield BadRow(line, str(problem), _excerpt(values))
            continue
        if seen.add(row.id):
            yield row
        else:
            own = fold(renames.get("id", "id"))
            named = any(fold(name) == own and value not in (None, "") for name, value in values.items())
            told = row.id if named else "none; an identical row stands above"
            yield BadRow(line, f"duplicate id ({told})", _excerpt(values))


def _numbered(rows: Iterable[Mapping[str, Any] | str]) -> Iterator[Raw | BadRow]:
    for line, row in enumerate(rows, start=1):
        if isinstance(row, str):
            yield line, {"prompt": row}
        elif isinstance(row, Mapping):
            yield line, row
        else:
            yield BadRow(line, f"not a mapping but a {type(row).__name__}", excerpt_of(row))


def _excerpt(values: Mapping[str, Any]) -> str:
    short = {str(peek(key))[:40]: peek(value) for key, value in list(values.items())[:6]}
    return excerpt_of(json.dumps(short, ensure_ascii=False))


def _check_file(file: Path) -> None:
    try:
        mode = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        near = difflib.get_close_matches(file.name, _names_beside(file), n=1)
        hint = f"did you mean {file.with_name(near[0])}?" if near else "check the path given with --seeds"
        raise SeedError(f"there is no seed file {file}", next_step=hint) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise SeedError(f"{file} cannot be opened: {why}", next_step="check the path") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise SeedError(
            f"{file} is a pipe, a device or a socket, and seeds are read more than once",
            next_step="write them to a file first",
        )


def _names_beside(file: Path) -> list[str]:
    try:
        return [entry.name for entry in file.parent.iterdir()]
    except OSError:
        return []


def _check_map(column_map: Mapping[str, str]) -> Mapping[str, str]:
    for name, theirs in column_map.items():
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            swapped = theirs in COLUMNS
            guess = f"did you mean {near[0]!r}?" if near else ""
            hint = f'write map.{theirs} = "{name}"' if swapped else guess
            raise SeedError(
                f"seeds.map names {name!r}, which is no column of a seed ({', '.join(COLUMNS)})",
                next_step=hint or "the form is: our column = column in the file",
            )
    return column_map


class SeenIds:
    """The ids that were seen, as a set of 8-byte hashes in one array: 13 to 27 bytes per id, where Python's
    set takes 70.

    Two different ids collide with probability n^2 / 2^65 (3e-6 at ten million rows).
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._used = 0

    def add(self, name: str) -> bool:
        """Add an id, and tell whether it is new."""
        new = self._insert(_number_of(name))
        if new:
            self._used += 1
            if self._used * 5 > len(self._slots) * 3:
                self._grow()
        return new

    def __contains__(self, name: str) -> bool:
        return self._slots[self._place_of(_number_of(name))] != 0

    def __len__(self) -> int:
        return self._used

    def _insert(self, value: int) -> bool:
        place = self._place_of(value)
        if self._slots[place]:
            return False
        self._slots[place] = value
        return True

    def _place_of(self, value: int) -> int:
        """Where a value stands, or where it would."""
        mask = len(self._slots) - 1
        place = value & mask
        while self._slots[place] not in (0, value):
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", bytes(16 * len(old)))
        for value in old:
            if value:
                self._insert(value)


def _number_of(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") or 1
