"""Text files as they come: packed or not, in any Unicode encoding, as lines or as the elements of one JSON list.

Of Solon it imports `errors` alone. No more than one line or element of a file is in memory.
"""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import json
import lzma
import re
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from solon.errors import SeedError

PACKED = (".gz", ".zst", ".bz2", ".xz")
"""Endings that stand behind the ending of the format. What a file is packed with is told by its first bytes."""
_BLOCK = 65_536
_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive, as Excel workbooks are",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "Parquet",
}
_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)
_BLANK = "\ufeff \t\r\n"
# A string, with its end or without, and what opens, closes and parts values in JSON.
_MARK = re.compile(r'"(?:[^"\\]++|\\.)*+("?)|[\[\]{},]', re.DOTALL)
_STRING_END = re.compile(r'(?:[^"\\]++|\\.)*+"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A piece of a file that cannot be taken for a row.

    Attributes:
        line: where it begins, from 1.
        reason: why, in words.
        text: its beginning.
    """

    line: int
    reason: str
    text: str


Piece = tuple[int, str] | Unreadable


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a text file: unpacked, decoded and without a byte order mark; lines end with a line feed.

    It is UTF-8, UTF-16 or UTF-32, by its byte order mark or else by the zeros among its first bytes. Bytes that are
    not UTF-8 come as lone surrogates, see `why_not_unicode`.

    Raises:
        SeedError: it cannot be opened or unpacked, or it is of another kind; also while it is read.
    """
    try:
        with _open_unpacked(path) as stream:
            head = stream.read(_BLOCK)
        for start, kind in _FOREIGN.items():
            if head.startswith(start):
                raise SeedError(
                    f"{path} is {kind}, whatever its ending says", next_step="save it as JSON lines or as CSV"
                )
        encoding = json.detect_encoding(head[:4])
        errors = "surrogateescape" if encoding.startswith("utf-8") else "surrogatepass"
        text = head.decode(encoding, "replace")
        newline = None if "\r" in text and "\n" not in text else "\n"  # None: a return alone ends a line, too
        with (
            _open_unpacked(path) as stream,
            io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline=newline) as lines,
        ):
            yield lines
    except UnicodeDecodeError as error:
        raise SeedError(
            f"{path} begins as {error.encoding.upper()} and cannot be read as that: {error.reason}",
            next_step="save it as UTF-8",
        ) from None
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.strerror:
            cause = f"{path} cannot be opened: {error.strerror}"
            raise SeedError(cause, next_step="check the path and its permissions") from None
        raise SeedError(f"{path} is damaged or cut off: {error}", next_step="pack it anew") from None


def why_not_unicode(text: str) -> str | None:
    """Return why a text of `open_text` is not Unicode, naming the first byte that is wrong; None where it is."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        if 0xDC80 <= code <= 0xDCFF:
            return f"not UTF-8: byte 0x{code - 0xDC00:02x} at {len(text[: error.start].encode())}"
        return f"not Unicode: a lone surrogate at {error.start}"
    return None


def read_lines(stream: TextIO, limit: int, *, line: int = 1, begun: str = "") -> Iterator[Piece]:
    """Yield the lines of a stream with their numbers; one longer than `limit` characters is skipped without ever
    being in memory.

    Args:
        line: number of the first line.
        begun: what has been read of it already.
    """
    content = begun if begun.endswith("\n") else begun + stream.readline(limit - len(begun))
    while content:
        if len(content) == limit and not content.endswith("\n"):
            size = limit
            while (rest := stream.readline(_BLOCK)) and not rest.endswith("\n"):
                size += len(rest)
            yield _too_long("line", line, size, content)
        else:
            yield line, content
        line += 1
        content = stream.readline(limit)


def read_json_texts(stream: TextIO, limit: int) -> Iterator[Piece]:
    """Yield the lines of a file of JSON lines or, where it begins with a bracket, the elements of that list as they
    are written, each with the line it begins on. What follows the list is read as lines. An object that is spread over
    the lines of a file is yielded as a whole.
    """
    line, begun = 1, stream.readline(_BLOCK)
    while begun and not begun.strip():
        line += begun.endswith("\n")
        begun = stream.readline(_BLOCK)
    if begun.lstrip(_BLANK).startswith("["):
        line, begun = yield from _read_elements(stream, limit, line, begun)
    elif begun.lstrip(_BLANK).rstrip() == "{":
        first, begun = begun, stream.readline(_BLOCK)
        if begun.lstrip().startswith('"'):
            yield from _read_object(stream, limit, line, first + begun)
            return
        yield line, first
        line += 1
    yield from read_lines(stream, limit, line=line, begun=begun)


def _read_object(stream: TextIO, limit: int, line: int, begun: str) -> Iterator[Piece]:
    whole = _Element(limit)
    for piece in _pieces(stream, begun):
        whole.add(piece, line)
    yield from whole.end()


def _read_elements(
    stream: TextIO, limit: int, line: int, first: str
) -> Generator[Piece, None, tuple[int, str]]:
    """The elements of a list; returns the line on which it ends, and what stands behind it there."""
    depth, quoted = 0, False
    element = _Element(limit)
    for piece in _pieces(stream, first):
        begin = at = 0
        if quoted and (end := _STRING_END.match(piece)):
            at, quoted = end.end(), False
        for mark in () if quoted else _MARK.finditer(piece, at):
            char = piece[mark.start()]
            if char == '"':
                quoted = not mark[1]
            elif char in "[{":
                depth += 1
                begin = mark.end() if depth == 1 else begin
            else:
                depth -= char != ","
                if depth == 0 or (depth == 1 and char == ","):
                    element.add(piece[begin : mark.start()], line)
                    yield from element.end()
                    begin = mark.end()
                if depth == 0:
                    return line, piece[begin:]
        element.add(piece[begin:], line)
        line += piece.endswith("\n")
    yield from element.end()
    yield Unreadable(line, "the list is not closed: the file seems to be cut off", "")
    return line, ""


def _pieces(stream: TextIO, piece: str) -> Iterator[str]:
    """A stream by lines, long ones in parts; none ends between a backslash and what it escapes."""
    while piece:
        while piece.endswith("\\") and (more := stream.read(1)):
            piece += more
        yield piece
        piece = stream.readline(_BLOCK)


class _Element:
    """The text of one element of a list, put together from pieces as far as the limit goes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: list[str] = []
        self._line = self._size = 0

    def add(self, text: str, line: int) -> None:
        if not self._held:
            if not text.strip():
                return
            self._line = line
        self._size += len(text)
        if self._size <= self._limit:
            self._held.append(text)

    def end(self) -> Iterator[Piece]:
        """The element, if there is anything; afterwards the next one may begin."""
        if self._size > self._limit:
            yield _too_long("row", self._line, self._size, self._held[0])
        elif self._held:
            yield self._line, "".join(self._held)
        self._held, self._size = [], 0


def _too_long(what: str, line: int, size: int, text: str) -> Unreadable:
    return Unreadable(line, f"the {what} has over {size} characters, more than seeds.max_chars allows", text)


@contextmanager
def _open_unpacked(path: Path) -> Iterator[io.BufferedReader]:
    with path.open("rb") as stream:
        start = stream.peek(16)[:16]
        opener = next((opener for pattern, opener in _OPENERS if pattern.match(start)), None)
        if opener is None:
            yield stream
            return
        with io.BufferedReader(opener(stream)) as unpacked:
            yield unpacked


def _open_zstd(stream: io.BufferedReader) -> Any:
    try:
        return importlib.import_module("compression.zstd").open(stream)  # from Python 3.14 on
    except ImportError:
        pass
    try:
        return importlib.import_module("pyarrow").CompressedInputStream(stream, "zstd")
    except ImportError:
        raise SeedError(
            f"{stream.name} is packed with zstd, and pyarrow, which unpacks it, is not installed",
            next_step='install the extra, pip install "solon[parquet]", or pack it with gzip',
        ) from None


_OPENERS: tuple[tuple[re.Pattern[bytes], Callable[[Any], Any]], ...] = (
    (re.compile(rb"\x1f\x8b"), gzip.open),
    (re.compile(rb"BZh[1-9]1AY&SY"), bz2.open),
    (re.compile(rb"\xfd7zXZ\x00"), lzma.open),
    (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _open_zstd),
)
