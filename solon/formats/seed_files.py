"""Seed files as raw rows: JSON, CSV and Parquet in bounded memory. Imports `errors`, `reading` and neighbours only.

Each reader yields `(line, mapping)` for a row that could be read, or a `BadRow` for one that could not.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from solon.errors import SeedError
from solon.formats.arrow import load_arrow
from solon.formats.json_values import kind_of, read_value
from solon.formats.text_files import (
    PACKED,
    Piece,
    Unreadable,
    open_text,
    read_json_texts,
    read_lines,
    why_not_unicode,
)
from solon.reading import why_not_json

EXCERPT = 160
LONGEST_CELL = 32_000_000
"""Characters that a quote may span before it counts as never closed."""
MOST_COLUMNS = 1000
"""Of a table. Whoever has more has turned it round, or means harm."""
_SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=([^\w\s"]|\t)"?[,;\t]*\s*', re.IGNORECASE)
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
    text = value if isinstance(value, str) else repr(peek(value))
    cut = text[:EXCERPT] + ("..." if len(text) > EXCERPT else "")
    return "".join(char if char.isprintable() else _escape(char) for char in cut.strip())


def sum_up(rows: Sequence[BadRow], most: int = 3) -> list[str]:
    """Return a line for each of the commonest reasons for which rows were refused, with their number and the first
    lines; what is beyond `most` reasons is one line more.
    """
    lines: dict[str, list[int]] = {}
    for row in rows:
        lines.setdefault(row.reason, []).append(row.line)
    commonest = sorted(lines, key=lambda reason: -len(lines[reason]))
    told = [f"{_count_lines(lines[reason])}: {reason}" for reason in commonest[:most]]
    if others := sum(len(lines[reason]) for reason in commonest[most:]):
        rows_, reasons = (
            "row" if others == 1 else "rows",
            "reason" if len(commonest) - most == 1 else "reasons",
        )
        told.append(f"{others} {rows_} for {len(commonest) - most} other {reasons}")
    return told


def _count_lines(lines: list[int]) -> str:
    if len(lines) == 1:
        return f"line {lines[0]}"
    return f"{len(lines)} rows (lines {', '.join(map(str, lines[:3]))}{', ...' if lines[3:] else ''})"


def peek(value: object, depth: int = 4) -> Any:
    """Return a value for an excerpt, of lists and objects the beginning: a hostile one must not cost its own size, or
    its depth, again."""
    if isinstance(value, str):
        return value[:80]
    if isinstance(value, Mapping) and depth:
        return {str(key)[:40]: peek(part, depth - 1) for key, part in islice(value.items(), 4)}
    if isinstance(value, (list, tuple)) and depth:
        return [peek(part, depth - 1) for part in value[:3]]
    short = isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**12)
    return value if value is None or short else f"<{type(value).__name__}>"


def _escape(char: str) -> str:
    byte = ord(char) - 0xDC00  # of what is not UTF-8, see `open_text`
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else repr(char)[1:-1]


def read_json(path: Path, max_chars: int) -> Iterator[Raw | BadRow]:
    """Yield the objects of a file of JSON lines, or of one JSON list, each with its line, and a `BadRow` for what is
    none.

    Empty lines are skipped.

    Raises:
        SeedError: the file cannot be opened, unpacked or decoded.
    """
    with open_text(path) as stream:
        for piece in read_json_texts(stream, _line_limit(max_chars)):
            if isinstance(piece, Unreadable):
                yield _refuse(piece)
            elif text := piece[1].strip().lstrip("\ufeff"):
                yield _json_object(piece[0], text)


def read_csv(path: Path, max_chars: int) -> Iterator[Raw | BadRow]:
    """Yield the rows of a CSV file by the names in its header, each with its line, and a `BadRow` for what is
    none.

    Cells are separated as a line `sep=;` above the header says, otherwise by commas, or by semicolons, tabs or bars
    where by commas the header is one cell.

    Raises:
        SeedError: the file cannot be opened, unpacked or decoded, or its header cannot be used.
    """
    # The csv module's limit is the process's: it is only ever raised. A cell that is too long for a seed must still be
    # read to its end, or the lines in it would be taken for rows.
    csv.field_size_limit(max(csv.field_size_limit(), max_chars + 1, LONGEST_CELL))
    with open_text(path) as stream:
        source = _CsvLines(read_lines(stream, _line_limit(max_chars)))
        header = _read_header(path, source)
        while True:
            source.consumed = []
            try:
                cells = next(csv.reader(source, delimiter=header.separator, strict=True), None)
            except _LineTooLong as problem:
                yield problem.bad
                continue
            except csv.Error as error:
                # an unclosed quote swallows rows: the line that opened it is refused, the rest read again
                ((line, text),) = source.give_back(1)
                yield BadRow(line, f"malformed CSV: {error}", excerpt_of(text))
                continue
            if cells is None:
                return
            if any(cells) or len(cells) == 1:
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
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise SeedError(f"{path} cannot be read as Parquet: {error}", next_step="write it anew") from None


READERS = {
    ".jsonl": read_json,
    ".ndjson": read_json,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}


def find_reader(path: Path) -> Callable[[Path, int], Iterator[Raw | BadRow]]:
    """Return what reads a file, by its ending, behind which one of `PACKED` may stand.

    Raises:
        SeedError: no reader is known for the ending.
    """
    ending = path.suffix.lower()
    if ending in PACKED and path.stem.lower().endswith(tuple(set(READERS) - {".parquet"})):
        ending = Path(path.stem).suffix.lower()
    if ending not in READERS:
        raise SeedError(
            f"{path}: the ending {path.suffix!r} is no known seed format",
            next_step="give a .jsonl (one JSON object per line), .json (one list), .csv, .tsv or .parquet file; all "
            f"but the last may be packed, as in seeds.jsonl.gz ({', '.join(PACKED)})",
        )
    return READERS[ending]


def _line_limit(max_chars: int) -> int:
    # a character takes at most 12 of JSON (an escaped surrogate pair); the rest is for keys
    return 12 * max_chars + 65_536


def _refuse(piece: Unreadable) -> BadRow:
    return BadRow(piece.line, piece.reason, excerpt_of(piece.text))


def _json_object(line: int, text: str) -> Raw | BadRow:
    reason = why_not_unicode(text)
    if reason is None and "\x00" in text:
        reason = "the text contains a NUL character"
    if reason is not None:
        return BadRow(line, reason, excerpt_of(text))
    try:
        value = read_value(text)
    except (ValueError, RecursionError) as error:
        return BadRow(line, f"malformed JSON: {why_not_json(error)}", excerpt_of(text))
    if not isinstance(value, dict):
        return BadRow(line, f"not a JSON object but {kind_of(value)}", excerpt_of(text))
    return line, value


class _LineTooLong(Exception):
    def __init__(self, bad: BadRow) -> None:
        super().__init__(bad.reason)
        self.bad = bad


class _CsvLines:
    """Lines for the csv module; keeps those of the current record, to read them again."""

    def __init__(self, lines: Iterator[Piece]) -> None:
        self._lines = lines
        self._again: deque[tuple[int, str]] = deque()
        self.consumed: list[tuple[int, str]] = []

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        item = self._again.popleft() if self._again else next(self._lines)
        if isinstance(item, Unreadable):
            raise _LineTooLong(_refuse(item))
        self.consumed.append(item)
        return item[1]

    def give_back(self, keep: int = 0) -> list[tuple[int, str]]:
        """Push back the lines of the record but the first `keep`, and return these."""
        kept, rest = self.consumed[:keep], self.consumed[keep:]
        self._again.extendleft(reversed(rest))
        self.consumed = []
        return kept


@dataclass(frozen=True, slots=True)
class _Header:
    """The columns of a CSV file.

    Attributes:
        separator: what stands between two cells.
        names: of the columns; where several have none, these are called by their places.
        unnamed: the names of columns that have none: an empty cell there is no cell.
        least: cells that a row must have, since columns without a name may be missing at its end.
    """

    separator: str
    names: list[str]
    unnamed: list[str]
    least: int


def _read_header(path: Path, source: _CsvLines) -> _Header:
    try:
        separator = _find_separator(path, source)
        cells = next(csv.reader(source, delimiter=separator, strict=True), [])
    except (csv.Error, _LineTooLong) as error:
        raise SeedError(f"{path}: the header cannot be read: {error}", next_step="mend its quotes") from None
    names = [name.strip().strip("\ufeff") for name in cells]
    if reason := why_not_unicode("".join(names)):
        raise SeedError(f"{path}: the header is {reason}", next_step="save the file as UTF-8")
    _check_columns(path, [name for name in names if name])
    least = len(names)
    while least and not names[least - 1]:
        least -= 1
    if names.count("") > 1:
        names = [name or f"column {place}" for place, name in enumerate(names, start=1)]
    unnamed = [name for name, cell in zip(names, cells, strict=True) if not cell.strip()]
    return _Header(separator, names, unnamed, least)


def _find_separator(path: Path, source: _CsvLines) -> str:
    """What separates the cells; the line that says so is taken off, and so are blank lines above the header."""
    first = next(source, "")
    while first and not first.strip():
        first = next(source, "")
    if said := _SEPARATOR_LINE.fullmatch(first):
        return said[1]
    source.give_back(len(source.consumed) - 1)
    order = _SEPARATORS if ".tsv" not in path.name.lower() else _SEPARATORS[::-1]
    return next((one for one in order if _count_cells(source, one) > 1), order[0])


def _count_cells(source: _CsvLines, separator: str) -> int:
    """How many cells the next record has by a separator; 0 where it cannot be read so. It is read again afterwards."""
    try:
        return len(next(csv.reader(source, delimiter=separator, strict=True), ()))
    except csv.Error:
        return 0
    finally:
        source.give_back()


def _csv_row(header: _Header, cells: list[str], consumed: list[tuple[int, str]]) -> Raw | BadRow:
    line = consumed[0][0]
    text = "".join(part for _, part in consumed)
    width = len(header.names)
    if len(cells) > width and not any(cells[width:]):
        cells = cells[:width]
    elif header.least <= len(cells) < width:
        cells += [""] * (width - len(cells))
    reason = why_not_unicode(text)
    if len(cells) != width:
        reason = f"the row has {len(cells)} cells, the header {width}"
    if reason is not None:
        return BadRow(line, reason, excerpt_of(text))
    row = dict(zip(header.names, cells, strict=True))
    for name in header.unnamed:
        if not row[name]:
            del row[name]
    return line, row


def _check_columns(path: Path, names: list[str]) -> None:
    if len(names) > MOST_COLUMNS:
        raise SeedError(
            f"{path} has {len(names)} columns, and at most {MOST_COLUMNS} are read",
            next_step="keep those that a seed needs: see docs/formats.md",
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SeedError(f"{path} has the column {twice[0]!r} twice", next_step="rename one of them")


def _batch_rows(batch: Any, before: int) -> Iterator[Raw | BadRow]:
    try:
        rows: list[Any] = batch.to_pylist()
    except (ValueError, OverflowError):
        rows = [_row_or_reason(batch, index) for index in range(batch.num_rows)]
    for index, row in enumerate(rows, start=before + 1):
        yield BadRow(index, row, "") if isinstance(row, str) else (index, row)


def _row_or_reason(batch: Any, index: int) -> dict[str, Any] | str:
    try:
        row: dict[str, Any] = batch.slice(index, 1).to_pylist()[0]
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, OverflowError) as error:  # a time that Python has no value for
        return f"a value cannot be read: {error}"
    return row
