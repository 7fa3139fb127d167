"""Seed files as raw rows: JSONL, CSV and Parquet in bounded memory. Of Solon it imports `errors` alone.

Each reader yields `(line, mapping)` for a row that could be read, or a `BadRow` for one that could not.
"""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from solon.errors import SeedError
from solon.formats.arrow import load_arrow

EXCERPT = 160
LONGEST_CELL = 32_000_000
"""Characters that a quote may span before it counts as never closed."""
BOM = b"\xef\xbb\xbf"
Raw = tuple[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was refused.

    Attributes:
        line: where it stands, from 1.
        reason: why, in words.
        excerpt: how it begins, with control characters escaped.
    """

    line: int
    reason: str
    excerpt: str


def excerpt_of(value: object) -> str:
    """Return the beginning of a refused row, safe to print on a terminal."""
    if isinstance(value, bytes):
        text = value[: EXCERPT * 4].decode("utf-8", "backslashreplace")
    else:
        text = value if isinstance(value, str) else repr(value)
    cut = text[:EXCERPT] + ("..." if len(text) > EXCERPT else "")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in cut.strip())


def read_jsonl(path: Path, max_chars: int) -> Iterator[Raw | BadRow]:
    """Yield the objects of a file of JSON lines, each with its line, and a `BadRow` for what is none.

    Empty lines are skipped.

    Raises:
        SeedError: the file cannot be opened or is UTF-16.
    """
    with _open(path) as stream:
        for line, content in _physical_lines(stream, _line_limit(max_chars)):
            if isinstance(content, BadRow):
                yield content
            elif content.strip():
                yield _json_object(line, content)


def read_csv(path: Path, max_chars: int) -> Iterator[Raw | BadRow]:
    """Yield the rows of a CSV file by the names in its header, each with its line, and a `BadRow` for what is
    none.

    Raises:
        SeedError: the file cannot be opened, is UTF-16, or its header cannot be used.
    """
    # The csv module's limit is the process's: it is only ever raised. A cell that is too long for a seed must still be
    # read to its end, or the lines in it would be taken for rows.
    csv.field_size_limit(max(csv.field_size_limit(), max_chars + 1, LONGEST_CELL))
    with _open(path) as stream:
        source = _CsvLines(stream, _line_limit(max_chars))
        header = _csv_header(path, source)
        while True:
            source.consumed.clear()
            try:
                cells = next(csv.reader(source, strict=True), None)
            except _LineTooLong as problem:
                yield problem.bad
                continue
            except csv.Error as error:
                # an unclosed quote swallows rows: the line that opened it is refused, the rest read again
                line, text = source.give_back()
                yield BadRow(line, f"malformed CSV: {error}", excerpt_of(text))
                continue
            if cells is None:
                return
            if cells:
                yield _csv_row(header, cells, source.consumed)


def read_parquet(path: Path, max_chars: int) -> Iterator[Raw | BadRow]:
    """Yield the rows of a Parquet file, counted from 1, and a `BadRow` for one that is not UTF-8.

    Raises:
        SeedError: pyarrow is not installed, or the file as a whole cannot be read.
    """
    del max_chars  # rows are refused one by one; a row group is in memory as a whole in any case
    pyarrow, parquet = load_arrow(path, SeedError)
    try:
        with parquet.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow.names)
            line = 0
            for batch in file.iter_batches(batch_size=256):
                yield from _batch_rows(batch, line)
                line += batch.num_rows
    except (pyarrow.ArrowException, OSError) as error:
        raise SeedError(f"{path} cannot be read as Parquet: {error}", next_step="write it anew") from None


READERS = {".jsonl": read_jsonl, ".ndjson": read_jsonl, ".csv": read_csv, ".parquet": read_parquet}


def _open(path: Path) -> BinaryIO:
    try:
        stream = path.open("rb")
    except OSError as error:
        cause = f"{path} cannot be opened: {error.strerror}"
        raise SeedError(cause, next_step="check its permissions") from None
    start = stream.read(4)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        stream.close()
        raise SeedError(f"{path} is UTF-16, not UTF-8", next_step="save it as UTF-8 and run again")
    stream.seek(len(BOM) if start.startswith(BOM) else 0)
    return stream


def _line_limit(max_chars: int) -> int:
    # a character takes at most 12 bytes of JSON (an escaped surrogate pair); the rest is for keys
    return 12 * max_chars + 65_536


def _physical_lines(stream: BinaryIO, limit: int) -> Iterator[tuple[int, bytes | BadRow]]:
    """Lines with their numbers; one longer than `limit` bytes is skipped without ever being in memory."""
    line = 0
    while content := stream.readline(limit):
        line += 1
        if len(content) == limit and not content.endswith(b"\n"):
            size = limit
            while (rest := stream.readline(1 << 16)) and not rest.endswith(b"\n"):
                size += len(rest)
            reason = f"the line has over {size} bytes, more than seeds.max_chars allows"
            yield line, BadRow(line, reason, excerpt_of(content))
        else:
            yield line, content


def _json_object(line: int, content: bytes) -> Raw | BadRow:
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        reason = f"not UTF-8: byte 0x{content[error.start]:02x} at {error.start}"
        return BadRow(line, reason, excerpt_of(content))
    if "\x00" in text:
        return BadRow(line, "the text contains a NUL character", excerpt_of(text))
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except RecursionError:
        return BadRow(line, "malformed JSON: nested too deeply", excerpt_of(text))
    except json.JSONDecodeError as error:
        return BadRow(line, f"malformed JSON: {error.msg} at character {error.pos + 1}", excerpt_of(text))
    except ValueError as error:
        return BadRow(line, f"malformed JSON: {error}", excerpt_of(text))
    if not isinstance(value, dict):
        return BadRow(line, f"not a JSON object but a {type(value).__name__}", excerpt_of(text))
    return line, value


class _LineTooLong(Exception):
    def __init__(self, bad: BadRow) -> None:
        super().__init__(bad.reason)
        self.bad = bad


class _CsvLines:
    """Physical lines for the csv module; keeps those of the current record, to read them again."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._lines = _physical_lines(stream, limit)
        self._again: deque[tuple[int, str]] = deque()
        self.consumed: list[tuple[int, str]] = []

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        if self._again:
            item = self._again.popleft()
        else:
            line, content = next(self._lines)
            if isinstance(content, BadRow):
                raise _LineTooLong(content)
            item = (line, content.decode("utf-8", "surrogateescape"))
        self.consumed.append(item)
        return item[1]

    def give_back(self) -> tuple[int, str]:
        """Push back all lines of the record but its first, and return that one."""
        first, *rest = self.consumed
        self._again.extendleft(reversed(rest))
        return first


def _csv_header(path: Path, source: _CsvLines) -> list[str]:
    try:
        header = next(csv.reader(source, strict=True), None) or []
    except (csv.Error, _LineTooLong) as error:
        raise SeedError(f"{path}, line 1: the header cannot be read: {error}") from None
    names = [name.strip() for name in header]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SeedError(f"{path}: the header names {twice[0]!r} twice", next_step="rename one of the columns")
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        raise SeedError(
            f"{path}: the header has one column, {names[0]!r:.80}",
            next_step="separate the columns with commas, not with semicolons or tabs",
        )
    return names


def _csv_row(header: list[str], cells: list[str], consumed: list[tuple[int, str]]) -> Raw | BadRow:
    line = consumed[0][0]
    text = "".join(part for _, part in consumed)
    if len(cells) != len(header):
        reason = f"the row has {len(cells)} cells, the header {len(header)}"
        return BadRow(line, reason, excerpt_of(text))
    if not text.isascii() and any("\udc80" <= char <= "\udcff" for char in text):
        raw = text.encode("utf-8", "surrogateescape")
        return BadRow(line, "not UTF-8", excerpt_of(raw))
    return line, dict(zip(header, cells, strict=True))


def _check_columns(path: Path, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SeedError(f"{path} has the column {twice[0]!r} twice", next_step="rename one of them")


def _batch_rows(batch: Any, before: int) -> Iterator[Raw | BadRow]:
    try:
        rows: list[Any] = batch.to_pylist()
    except UnicodeDecodeError:
        rows = [_row_or_none(batch, index) for index in range(batch.num_rows)]
    for index, row in enumerate(rows, start=before + 1):
        yield BadRow(index, "not UTF-8", "") if row is None else (index, row)


def _row_or_none(batch: Any, index: int) -> dict[str, Any] | None:
    try:
        row: dict[str, Any] = batch.slice(index, 1).to_pylist()[0]
    except UnicodeDecodeError:
        return None
    return row
