"""Texts that somebody labelled elsewhere, row by row from a file: the text, its label and its group."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solon.errors import SeedError
from solon.formats.headers import known_headers, name_columns
from solon.formats.seed_files import BadRow, excerpt_of, find_reader

TEXTS = ("text", "prompt", "input", "sentence", "message", "content")
LABELS = ("label", "gold", "category", "class", "intent", "answer")
"""Columns that are looked for where none is named, in this order."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text with its label.

    Attributes:
        line: where it stands in its file, from 1.
        text: the text, without blanks at its ends.
        label: the label that was given.
        group: texts of one group are near each other; empty where none is stated.
    """

    line: int
    text: str
    label: str
    group: str = ""


def read_labelled(
    path: Path, *, text: str | None = None, label: str | None = None, max_chars: int = 200_000
) -> Iterator[Labelled | BadRow]:
    """Yield the rows of a file (JSON lines, CSV, Parquet) as texts with labels, and a `BadRow` for what is none.

    Args:
        path: the file; the first row that can be read says which columns it has.
        text: name of the column of texts; None: the first of `TEXTS` that there is.
        label: name of the column of labels; None: the first of `LABELS` that there is. Whole numbers are labels, too.
        max_chars: longer texts are refused.

    Raises:
        SeedError: the file cannot be read, or has no such column.
    """
    if not path.is_file():
        raise SeedError(f"there is no file {path}", next_step="check the path")
    names: tuple[str, str] | None = None
    known = known_headers([*filter(None, (text, label)), *TEXTS, *LABELS, "group"])
    for raw in find_reader(path)(path, max_chars):
        if isinstance(raw, BadRow):
            yield raw
            continue
        line, row = raw[0], name_columns(raw[1], known)
        if names is None:
            names = (_choose(path, row, text, TEXTS, "text"), _choose(path, row, label, LABELS, "label"))
        yield _read_row(line, row, *names, max_chars)


def _choose(path: Path, row: Mapping[str, Any], wanted: str | None, usual: Sequence[str], what: str) -> str:
    for name in (wanted,) if wanted is not None else usual:
        if name in row:
            return name
    near = difflib.get_close_matches(wanted or what, list(row), n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    columns = ", ".join(str(name)[:40] for name in row)[:400]
    missing = f"column {wanted!r}" if wanted is not None else f"column of {what}s that is known"
    raise SeedError(
        f"{path}: there is no {missing} (columns: {columns})",
        next_step=f"{guess}name the column with --{what}",
    )


def _read_row(line: int, row: Mapping[str, Any], text: str, label: str, max_chars: int) -> Labelled | BadRow:
    body, given, group = row.get(text), row.get(label), row.get("group")
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if not isinstance(body, str) or not body.strip():
        return BadRow(line, f"{text} is empty, or no text", excerpt_of(repr(body)))
    if len(body) > max_chars:
        return BadRow(line, f"{text} has more than {max_chars} characters", excerpt_of(body))
    if not isinstance(given, str) or not given.strip():
        return BadRow(line, f"{label} is empty, or no text", excerpt_of(body))
    return Labelled(line, body.strip(), given, str(group) if group not in (None, "") else "")


def refuse_misspelt(
    rows: Iterable[Labelled], listed: Sequence[str] = ()
) -> tuple[list[Labelled], list[BadRow]]:
    """Part rows from those whose label is meant to be another: it differs from a commoner one only in case or space, or
    is none of those listed. The reason says which is nearest.

    Args:
        listed: the labels that there are; empty: those of the file.
    """
    kept, bad = list(rows), []
    common = [label for label, _ in Counter(row.label for row in kept).most_common()]
    right: dict[str, str] = {}
    for name in (*listed, *common):
        right.setdefault(_fold(name), name)
    good = []
    for row in kept:
        meant = right[_fold(row.label)]
        if row.label != meant:
            why = f"label {row.label!r:.60} differs from {meant!r:.60} only in case or space: write {meant!r:.60}"
        elif listed and row.label not in listed:
            near = difflib.get_close_matches(row.label, listed, n=1)
            guess = f"did you mean {near[0]!r}?" if near else f"they are {', '.join(listed[:20])}"
            why = f"label {row.label!r:.60} is none of [label] labels; {guess}"
        else:
            good.append(row)
            continue
        bad.append(BadRow(row.line, why, excerpt_of(row.text)))
    return good, bad


def _fold(label: str) -> str:
    return "".join(label.casefold().split())
