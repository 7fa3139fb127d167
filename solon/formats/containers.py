"""Files that take rows one by one: JSONL, CSV, Parquet. Imports `errors`, `arrow`, `contract`, `tables` only.

A file appears under its name only when it is complete.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from solon.errors import SolonError, UsageError
from solon.formats.arrow import load_arrow
from solon.formats.contract import Container
from solon.formats.tables import COLUMNS

GROUP_ROWS, GROUP_BYTES = 10_000, 8_000_000
"""A row group of Parquet ends at either; what it takes as JSON is its bytes. The footer grows by group and column."""
# Unicode's line separators: JSON allows them in a string, but Python's splitlines would cut the row there
_LINE_MARKS = (("\u2028", "\\u2028"), ("\u2029", "\\u2029"), ("\x85", "\\u0085"))


class Sink(Protocol):
    """What writes rows to a stream, in the order in which they come. The same rows give the same bytes."""

    def write(self, row: dict[str, Any]) -> None:
        """Write one row.

        Raises:
            UnicodeEncodeError: a text is not Unicode; nothing of the row is written then.
        """

    def close(self) -> None:
        """Write what is left. The stream stays open."""


class JsonlSink:
    """One JSON object a line, UTF-8, in the order of the row's keys."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        del columns  # every line names its own
        self._stream = stream

    def write(self, row: dict[str, Any]) -> None:
        """Write one row as a line; raises UnicodeEncodeError, and writes nothing, where a text is not
        Unicode.
        """
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        for mark, escaped in _LINE_MARKS:
            if mark in line:
                line = line.replace(mark, escaped)
        self._stream.write(line.encode() + b"\n")

    def close(self) -> None:
        """Do nothing: every line is written at once."""


class TextSink:
    """The `text` of each row as it is, UTF-8."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        del columns
        self._stream = stream

    def write(self, row: dict[str, Any]) -> None:
        """Write one text; raises UnicodeEncodeError, and writes nothing, where it is not Unicode."""
        self._stream.write(str(row["text"]).encode())

    def close(self) -> None:
        """Do nothing: every text is written at once."""


class JsonSink:
    """One JSON array, a row a line, UTF-8."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        del columns
        self._stream, self._between = stream, b"[\n"

    def write(self, row: dict[str, Any]) -> None:
        """Write one row as a line; raises UnicodeEncodeError, and writes nothing, where a text is not Unicode."""
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        self._stream.write(self._between + line)
        self._between = b",\n"

    def close(self) -> None:
        """Write the end of the array."""
        self._stream.write(b"[]\n" if self._between.startswith(b"[") else b"\n]\n")


class CsvSink:
    """RFC 4180: CRLF, quotes where needed; the header first, also of an empty table."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        self._stream, self._columns = stream, columns
        self.write({name: name for name in columns})

    def write(self, row: dict[str, Any]) -> None:
        """Write one row in the order of the columns; raises UnicodeEncodeError, and writes nothing, where a
        text is not Unicode.
        """
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerow([row[name] for name in self._columns])
        self._stream.write(text.getvalue().encode())

    def close(self) -> None:
        """Do nothing: every row is written at once."""


class ParquetSink:
    """Row groups of bounded size; the schema does not depend on the rows. Texts have no statistics in the footer."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        self._arrow, parquet = load_arrow(Path(stream.name))
        self._schema = _schema(self._arrow, columns)
        self._writer = parquet.ParquetWriter(
            stream, self._schema, compression="zstd", write_statistics=list(_NUMBERS)
        )
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def write(self, row: dict[str, Any]) -> None:
        """Keep a row for its row group; raises UnicodeEncodeError, and keeps nothing, where a text is not
        Unicode.
        """
        # one bad row must fail alone, not with its row group
        self._bytes += len(json.dumps(row, ensure_ascii=False).encode())
        self._rows.append(row)
        if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        rows, self._rows, self._bytes = self._rows, [], 0
        if rows:
            self._writer.write_table(self._arrow.Table.from_pylist(rows, schema=self._schema))

    def close(self) -> None:
        """Write the last row group and the footer."""
        self._flush()
        self._writer.close()


SINKS: Mapping[Container, Callable[[BinaryIO, Sequence[str]], Sink]] = {
    "jsonl": JsonlSink,
    "csv": CsvSink,
    "parquet": ParquetSink,
    "text": TextSink,
    "json": JsonSink,
}


class PendingFile:
    """A file under a temporary name beside its target, which stays as it was until `publish`.

    Args:
        target: where the file goes.
        container: how its rows are written.
        extra: columns of a table beside its own; a line of JSON has those of its row.
    """

    def __init__(self, target: Path, container: Container, extra: Sequence[str] = ()) -> None:
        self.target = target
        self.rows = 0
        self._scratch = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        self._stream: BinaryIO = self._scratch.open("wb")
        try:
            self._sink = SINKS[container](self._stream, tuple(dict.fromkeys((*COLUMNS, *extra))))
        except BaseException:
            self._drop()
            raise

    def write(self, row: dict[str, Any]) -> None:
        """Write one row and count it; raises UnicodeEncodeError, and writes nothing, where a text is not
        Unicode.
        """
        self._sink.write(row)
        self.rows += 1

    def finish(self) -> tuple[int, str]:
        """Close the file, and return its size in bytes and the SHA-256 of them."""
        self._sink.close()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        with self._scratch.open("rb") as stream:
            return self._scratch.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest()

    def publish(self) -> None:
        """Put the file in the place of its target, in one step. Call it after `finish`."""
        os.replace(self._scratch, self.target)

    def discard(self) -> None:
        """Forget what was written. Does nothing after `publish`."""
        if not self._stream.closed:
            # a Parquet writer left open would write its footer when it is collected
            with contextlib.suppress(OSError):
                self._sink.close()
        self._drop()

    def _drop(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.close()
        with contextlib.suppress(OSError):
            self._scratch.unlink()


def write_text_at_once(target: Path, content: Iterable[str]) -> None:
    """Write UTF-8 text (what is no Unicode is escaped), replacing `target` in one step."""
    scratch = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with scratch.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
            stream.writelines(content)
        os.replace(scratch, target)
    except OSError as error:
        raise explain_os_error(target, error) from None
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink()


@contextlib.contextmanager
def new_folder(target: Path, *, mode: int = 0o777) -> Iterator[Path]:
    """A context with a folder to fill. It gets the name `target` where the context ends well, also in place of an empty
    folder; else it is gone.

    Raises:
        UsageError: there is something at `target` already.
        SolonError: it cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} exists already", next_step="name a new folder, or move the old one away")
    scratch = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        scratch.mkdir(mode, parents=True)
        yield scratch
        if target.exists():
            target.rmdir()
        os.replace(scratch, target)
    except OSError as error:
        raise explain_os_error(target, error) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_target(path: Path) -> None:
    """Refuse a path that cannot be written, before any work is done.

    Raises:
        UsageError: it is a folder, a device or a pipe, or there is no folder that it could lie in.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder", next_step="give the name of a file in it")
    if path.exists() and not path.is_file():
        # the file that is written takes the place of what has the name: a device would be gone
        raise UsageError(f"{path} is no file but a device or a pipe", next_step="give the name of a file")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", next_step="make it first, or name another")


def explain_os_error(path: Path, error: OSError) -> SolonError:
    """Return the error to raise in place of a failed write: which file, why, and what to do."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return SolonError(
        f"{path} cannot be written: {error.strerror or error}",
        next_step=f"{'free some space or ' if full else ''}choose another place; the file that was there is unchanged",
    )


_NUMBERS = ("margin", "confidence", "soft_label")
_SCORES = ("score_chosen", "score_rejected", "score_margin")


def _schema(arrow: Any, columns: Sequence[str]) -> Any:
    text, number = arrow.string(), arrow.float64()
    turns = arrow.list_(arrow.struct([("role", text), ("content", text)]))
    kinds = {
        **dict.fromkeys((*_NUMBERS, "weight", *_SCORES), number),
        "messages": turns,
        "shares": arrow.list_(arrow.struct([("label", text), ("share", number)])),
        "provisional": arrow.bool_(),
        "flags": arrow.list_(text),
        "flagged_candidates": arrow.list_(text),
        "withheld": arrow.list_(text),
    }
    return arrow.schema([(name, kinds.get(name, text)) for name in columns])
