"""What an import makes of a row of an existing set: a seed with its answers, and what people said of these.

Imports `seed_files` and `seed_rows` only, and touches no file.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from solon.formats.seed_files import BadRow
from solon.formats.seed_rows import COLUMNS, MAX_ID, RowProblem, parse_row

Row = Mapping[str, Any]
Kind = Literal["pair", "single"]
OURS = {name: f"seed/{name}" for name in COLUMNS}
"""Names of a seed's columns in an import: a file's own column of the same name may be anything, and is metadata."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a person answered about a row.

    Attributes:
        choice: `prefer`, `tie`, `both_bad`, `accept` or `reject`.
        response: place of the response that it names, from 0; None where it names none.
        by: who answered, as the file has it; may be empty.
        rationale: why; may be empty.
    """

    choice: str
    response: int | None = None
    by: str = ""
    rationale: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """One row as a seed with its answers, the first of which counts; or answers to a review that waits
    already.

    Attributes:
        kind: `pair` of two responses, or `single`.
        seed: columns of a seed (`solon.formats.seed_rows.COLUMNS`).
        metadata: all else that the row says, also under a name that is a column of a seed.
        said: what people answered, the first one first.
        review: id of the review that the answers are for; the seed is empty then.
        candidates: ids of the candidates of `review`, in the order that `Said.response` counts.
        record: id of the record that it was; a store may hold several of one seed, each with answers of its
            own.
    """

    kind: Kind
    seed: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    said: tuple[Said, ...] = ()
    review: str = ""
    candidates: tuple[str, ...] = ()
    record: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A part of a row that becomes no seed and no answer.

    Attributes:
        reason: why, in a short word; it becomes a key of the summary.
    """

    reason: str


Pieces = Iterable[Imported | Skipped]


Lines = Iterator[tuple[int, Row] | BadRow]


def _as_they_are(lines: Lines) -> Lines:
    return lines


@dataclass(frozen=True, slots=True)
class ImportFormat:
    """One format that can be imported.

    Attributes:
        name: by which it is asked for.
        about: what its rows hold, in words.
        read: yields what a row becomes; raises RowProblem where it, or the rest of it, cannot be used.
        fits: whether a row looks like one of this format.
        whole: True where the file is one JSON list, not one object a line.
        gather: makes rows of the lines of a file that may spread one over several.
        counts_lines: whether the lines of a file are its rows, of which several may be gathered into one.
        settled: gives what reads the rows of one file, by the first of them; None: `read` does.
    """

    name: str
    about: str
    read: Callable[[Row], Pieces]
    fits: Callable[[Row], bool]
    whole: bool = False
    gather: Callable[[Lines], Lines] = _as_they_are
    counts_lines: bool = False
    settled: Callable[[Sequence[Row]], Callable[[Row], Pieces]] | None = None


OF_A_SEED = ("id", "tags", "lang", "specialty", "group", "subject", "source", "licence", "consent")
"""Columns of a seed that a file may have of itself: those that are no request, answer or reference."""


def split_columns(rest: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return of the columns that a reader left over those of a seed, and all others: what is of another kind
    than a seed's column of the name is metadata. Empty cells are left out.
    """
    ours: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for name, value in rest.items():
        if value is not None and value not in ("", [], {}):
            (ours if name in OF_A_SEED and _is_of_kind(name, value) else metadata)[name] = value
    return ours, metadata


def _is_of_kind(name: str, value: Any) -> bool:
    if isinstance(value, str) and name not in ("tags", "id"):
        return bool(value.strip())
    try:
        parse_row({"prompt": "-", name: value}, column_map={}, max_chars=MAX_ID * 1000, line=0)
    except RowProblem:
        return False
    return True


def pair_up(
    shared: Imported, answers: Sequence[dict[str, Any]], outcome: int | str, merits: Sequence[float | None]
) -> Iterator[Imported | Skipped]:
    """Yield a pair of the best answer and each of the others, the worst first.

    Args:
        shared: what all the pairs have in common.
        answers: responses of a seed.
        outcome: place of the best one, `tie` or `both_bad`; empty where nothing but merits says it.
        merits: what each answer is worth, the more the better; None where nobody says it.

    Raises:
        RowProblem: two answers are all there is, and they are the same text.
    """
    places = range(len(answers))
    worth = [-math.inf if merit is None else merit for merit in merits]
    best = outcome if isinstance(outcome, int) else max(places, key=lambda place: worth[place])
    for other in sorted(
        (place for place in places if place != best), key=lambda place: (worth[place], -place)
    ):
        if answers[best]["text"].strip() == answers[other]["text"].strip():
            if len(answers) == 2:
                raise RowProblem("both answers are the same text")
            yield Skipped("same_text")
            continue
        choice = "prefer" if isinstance(outcome, int) else outcome
        if not choice and merits[best] is not None and merits[other] is not None:
            choice = "tie" if merits[best] == merits[other] else "prefer"
        yield _pair(shared, answers[best], answers[other], choice)


def _pair(shared: Imported, better: dict[str, Any], other: dict[str, Any], choice: str) -> Imported:
    """A pair in an order that is drawn from its texts, because the better one must not always stand first."""
    drawn = [hashlib.sha256(one["text"].encode("utf-8", "surrogatepass")).digest() for one in (better, other)]
    second = drawn[0] > drawn[1]
    said = () if not choice else (Said(choice, int(second) if choice == "prefer" else None),)
    responses = [other, better] if second else [better, other]
    return replace(shared, seed={**shared.seed, "responses": responses}, said=said)


def as_object(value: Any) -> Mapping[str, Any]:
    """Return `value` if it is an object, else an empty one: a foreign row may hold anything."""
    return {str(key): part for key, part in value.items()} if isinstance(value, Mapping) else {}


def as_list(value: Any) -> Sequence[Any]:
    """Return `value` if it is a list, else an empty one."""
    return value if isinstance(value, (list, tuple)) else ()
