"""Documents as raw rows: text, Markdown, HTML and PDF files, one by one or a folder of them, in bounded memory.

A document is read in parts, each a row of its own that says where it begins (`PART`); the source `Documents` cuts them
into passages. Offsets count characters of the text as it is read: of HTML and PDF the text that was taken out of them.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from typing import Any

from solon.errors import SeedError, UsageError
from solon.formats.seed_files import BadRow, Raw
from solon.formats.text_files import open_text, why_not_unicode
from solon.words import has_words

PART = "part_of_document"
"""The column that says which document a row is a part of, and at which of its characters the part begins."""
_BLOCK = 65_536
_MOST = 100_000
"""Characters of a part."""
LARGEST = 50_000_000
"""Bytes of an HTML or PDF file, whose text is looked for by a parser."""
_BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"\s"))


class _Refused(Exception):
    """Why a document cannot be read, in words that begin with `not`."""


def is_document(path: Path) -> bool:
    """Whether the file's ending is that of a document."""
    return path.suffix.lower() in _READERS


def read_documents(place: Path, max_chars: int) -> Iterator[Raw | BadRow]:
    """Yield the parts of a document, or of all in a folder and its subfolders, each with the number of its document,
    and a `BadRow` for every file that is none or cannot be read.

    Args:
        max_chars: of a row; parts are shorter.

    Raises:
        SeedError: there is no file in the folder.
        UsageError: there is a PDF file, and pypdf is not installed.
    """
    files = [place]
    if place.is_dir():
        found = (path.relative_to(place) for path in place.rglob("*") if path.is_file())
        files = sorted(place / path for path in found if not any(part.startswith(".") for part in path.parts))
        if not files:
            raise SeedError(
                f"there is no document in the folder {place}",
                next_step=f"put files into it that end with {', '.join(_READERS)}",
            )
    for number, path in enumerate(files, start=1):
        name = path.relative_to(place).as_posix() if place.is_dir() else path.name
        if path.is_symlink() and path != place:
            yield BadRow(number, f"not read, for it is a link: {name!r}", "")
        else:
            yield from _read(number, path, name, max_chars)


def _read(number: int, path: Path, name: str, max_chars: int) -> Iterator[Raw | BadRow]:
    empty = True
    try:
        for start, text in _cut(_find_reader(path)(path), min(_MOST, max_chars // 2)):
            if not has_words(text):
                continue
            empty = False
            part = {"document": name, "start": start}
            yield (
                number,
                {"id": f"{name}#{start}" if start else name, "prompt": text, "group": name, PART: part},
            )
    except _Refused as refused:
        yield BadRow(number, f"{refused}: {name!r}", "")
    except SeedError as error:
        yield BadRow(number, f"not readable: {error.cause!r}", "")
    else:
        if empty:
            yield BadRow(number, f"not a word of text in the document {name!r}", "")


def _cut(pieces: Iterable[str], size: int) -> Iterator[tuple[int, str]]:
    """Parts of a text that comes in pieces, each with its first character; blank ones are left out. A part ends where a
    paragraph does, or a line, or a word."""
    start, text = 0, ""
    for piece in chain(pieces, ("",)):
        text += piece
        while len(text) > size or (text and not piece):
            end = _find_break(text, size) if len(text) > size else len(text)
            if text[:end].strip():
                yield start, text[:end]
            start, text = start + end, text[end:]


def _find_break(text: str, size: int) -> int:
    for pattern in _BREAKS:
        if ends := [found.end() for found in pattern.finditer(text, size // 2, size)]:
            return ends[-1]
    return size


def _find_reader(path: Path) -> Callable[[Path], Iterator[str]]:
    if not is_document(path):
        raise _Refused(f"not a document, which ends with {', '.join(_READERS)}")
    return _READERS[path.suffix.lower()]


def _read_text(path: Path) -> Iterator[str]:
    with open_text(path) as stream:
        while piece := stream.read(_BLOCK):
            if "\x00" in piece or why_not_unicode(piece):
                raise _Refused("not text in UTF-8 but bytes of another kind")
            yield piece


def _check_size(path: Path) -> None:
    if path.stat().st_size > LARGEST:
        raise _Refused(f"not read, for it is larger than {LARGEST // 1_000_000} MB; cut it into several")


def _read_html(path: Path) -> Iterator[str]:
    _check_size(path)
    parser = _Html()
    for piece in _read_text(path):
        parser.feed(piece)
        yield parser.take()
    parser.close()
    yield parser.take()


class _Html(HTMLParser):
    """The text of a page, without what nobody reads. A block begins a paragraph; a table is one, with a line for each
    row and a bar between cells. Blocks within a cell are parted where it has several."""

    _HIDDEN = frozenset({"script", "style", "head", "title", "template", "noscript", "svg", "nav", "select"})
    _INLINE = frozenset(
        "a abbr b bdi bdo cite code data del dfn em font i img ins kbd mark q s samp small span strong sub sup time u "  # noqa: SIM905
        "var wbr".split()
    )
    _CELLS = frozenset({"td", "th"})
    _ROWS = frozenset({"tr", "thead", "tbody", "tfoot", "caption", "colgroup", "col"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._text: list[str] = []
        self._last = "\n\n"
        self._hidden = self._verbatim = 0
        self._cells: list[int] = []  # for each open table how many cells its row has so far
        self._in_cell = self._parted = False

    def take(self) -> str:
        """What has been read since it was taken last."""
        text, self._text = "".join(self._text), []
        return text

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._hidden += tag in self._HIDDEN
        self._verbatim += tag == "pre"
        self._break(tag)
        if tag == "table":
            self._cells.append(0)
            self._in_cell = False
        elif tag in self._CELLS and self._cells:
            self._add(" | "[self._last.endswith(" ") :] if self._cells[-1] else "")
            self._cells[-1] += 1
            self._in_cell, self._parted = True, False

    def handle_endtag(self, tag: str) -> None:
        if tag == "body":  # whatever was left open
            self._hidden = 0
        self._hidden = max(0, self._hidden - (tag in self._HIDDEN))
        self._verbatim = max(0, self._verbatim - (tag == "pre"))
        self._break(tag)
        if tag == "table" and self._cells:
            self._cells.pop()
            self._in_cell = bool(self._cells and self._cells[-1])
        elif tag in self._CELLS:
            self._in_cell = False

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        text = data if self._verbatim else re.sub(r"\s+", " ", data)
        if not self._verbatim and (self._last[-1].isspace() or (self._cells and not self._in_cell)):
            text = text.lstrip(" ")
        if self._parted and text.strip():
            text, self._parted = f"\n\n{text.lstrip()}", False
        self._add(text)

    def _break(self, tag: str) -> None:
        if tag == "br":
            self._add(" " if self._in_cell else "\n")
        elif tag in self._ROWS and self._cells:
            self._cells[-1], self._in_cell, self._parted = 0, False, False
            self._add("" if self._last[-1] == "\n" else "\n")
        elif tag == "table":
            self._add("\n\n"[len(self._last) - len(self._last.rstrip("\n")) :])
        elif tag not in self._INLINE | self._CELLS and self._in_cell:
            self._parted = self._last != "| " and self._last[-1] != "\n"
        elif tag not in self._INLINE and self._last[-1] != "\n" and not (self._cells and tag in self._CELLS):
            self._add("\n\n")

    def _add(self, text: str) -> None:
        if text and not self._hidden:
            self._text.append(text)
            self._last = (self._last + text)[-2:]


def _read_pdf(path: Path) -> Iterator[str]:
    try:
        pypdf = importlib.import_module("pypdf")
    except ImportError:
        raise UsageError(
            f"{path} is a PDF file, and pypdf is not installed",
            next_step='install the extra, pip install "solon[pdf]", or leave PDF files out',
        ) from None
    _check_size(path)
    logging.getLogger("pypdf").addHandler(logging.NullHandler())  # what is wrong is said once, by the reason
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise _Refused("not readable without its password; save it without one")
        for page in reader.pages:
            text = page.extract_text().replace("\x00", "")
            yield text.encode("utf-8", "replace").decode() + "\n"
    except _Refused:
        raise
    except Exception as error:  # a foreign library over a file that may be broken in any way
        raise _Refused(f"not readable as PDF ({type(error).__name__})") from None


_READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    ".txt": _read_text,
    ".md": _read_text,
    ".markdown": _read_text,
    ".html": _read_html,
    ".htm": _read_html,
    ".pdf": _read_pdf,
}
