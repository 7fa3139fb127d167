"""What a row says of which answer is better, in whatever words and numbers. Touches no file."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from solon.config.sections import ImportMap
from solon.formats.imported import Row
from solon.formats.json_values import show
from solon.formats.paths import at, is_absent
from solon.formats.seed_rows import RowProblem

TIES = (
    "tie",
    "ties",
    "tied",
    "draw",
    "equal",
    "same",
    "both",
    "both good",
    "tie bothgood",
    "tie both good",
    "no preference",
)
BOTH_BAD = ("both bad", "bothbad", "tie bothbad", "tie both bad", "neither", "none")
_SIDE = re.compile(
    r"(?:(?:model|response|answer|assistant|output|completion|candidate|option|conversation|side|prefer) )?"
    r"(?P<which>[a-h]|[1-9]|left|right|first|second)"
)
YES = ("true", "yes", "y", "1", "good", "accept", "accepted", "correct", "right", "positive", "pos", "chosen", "like",
       "desirable", "thumbs up", "up", "pass", "👍")  # fmt: skip
NO = ("false", "no", "n", "0", "-1", "bad", "reject", "rejected", "incorrect", "wrong", "negative", "neg", "dislike",
      "undesirable", "thumbs down", "down", "fail", "👎")  # fmt: skip


UNKNOWN = ("N/A", "n/a", "NA", "NaN", "nan", "None", "null", "-")
"""Texts by which tables say that there is no number."""


def number_of(value: Any) -> float | None:
    """Return a number, also one written as text; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def yes_or_no(value: Any, name: str) -> bool:
    """Return what a label says: true or false, 1 or 0, and words for either.

    Raises:
        RowProblem: it says neither.
    """
    number = number_of(value)
    said = f"{number:g}" if number is not None else re.sub(r"[\s_-]+", " ", str(value).strip().lower())
    if said in YES or said in NO:
        return said in YES
    raise RowProblem(f"{name} is {show(value, 40)}; it must be true or false, 1 or 0, yes or no")


def read_outcome(one: ImportMap, row: Row, models: Sequence[Any], number: int) -> int | str:
    """Return the place of the better one of `number` answers, `tie` or `both_bad`; an empty text where the columns
    that a map names for it say nothing.

    Raises:
        RowProblem: they say what names no answer.
    """
    if one.chosen is not None:
        return 0
    outcome: int | str = _flagged(one, row, number) if len(one.winner) > 1 else ""
    if len(one.winner) == 1 and not is_absent(said := at(row, one.winner[0])):
        outcome = _named(one, said, models, number)
    if outcome == "" and one.index and not is_absent(said := at(row, one.index)):
        outcome = _place(one, one.index, said, number)
    if outcome == "" and one.strength and not is_absent(said := at(row, one.strength)):
        strength = number_of(said)
        if strength is None or number != 2:
            raise RowProblem(
                f"{one.strength} is {show(said, 40)} for {number} answers; it must be a number, for two"
            )
        outcome = "tie" if strength == 0 else int(strength > 0)
    return outcome


def _flagged(one: ImportMap, row: Row, number: int) -> int | str:
    """The better answer where a flag stands for each, and perhaps one for a tie and one for both being bad."""
    values = [at(row, path) for path in one.winner]
    raised = [
        place
        for place, value in enumerate(values)
        if not is_absent(value) and yes_or_no(value, one.winner[place])
    ]
    if len(raised) != 1:
        raise RowProblem(f"of {', '.join(one.winner)} {len(raised)} are set; one must be")
    return raised[0] if raised[0] < number else ("tie", "both_bad")[min(raised[0] - number, 1)]


def _named(one: ImportMap, value: Any, models: Sequence[Any], number: int) -> int | str:
    """The answer that a word, a number, a column's name or a model's names."""
    said, path = str(value).strip(), one.winner[0]
    hint = "[import] map can say with `values` what it means"
    if said in one.values:
        return {"first": 0, "second": 1}.get(one.values[said], one.values[said])
    if (which := number_of(value)) is not None:  # of a column with this number
        named = [place for place, name in enumerate(one.sides) if name.rstrip("[*]").endswith(f"{which:g}")]
        if len(named) == 1 and number == len(one.sides):
            return named[0]
        raise RowProblem(f"{path} is {show(value, 40)}; {hint}, or `index` and `index_from`")
    for names in (list(one.sides), list(models)):
        if names.count(said) == 1 and len(names) == number:
            return names.index(said)
    words = re.sub(r"[\W_]+", " ", said.lower()).strip()
    if words in TIES or words in BOTH_BAD:
        return "tie" if words in TIES else "both_bad"
    side = _SIDE.fullmatch(words)
    if side is None:
        raise RowProblem(f"{path} is {show(value, 40)}, which names no answer; {hint}")
    mark = side["which"]
    place = {"left": 0, "first": 0, "right": 1, "second": 1}.get(mark)
    if place is None:
        place = int(mark) - 1 if mark.isdigit() else ord(mark) - ord("a")
    if place not in range(number):
        raise RowProblem(f"{path} is {show(value, 40)}, which names none of {number} answers; {hint}")
    return place


def _place(one: ImportMap, path: str, value: Any, number: int) -> int:
    place = number_of(value)
    if place is None or (place - one.index_from) not in range(number):
        raise RowProblem(
            f"{path} is {show(value, 40)}; it must be the number of one of {number} answers, from {one.index_from}"
        )
    return int(place) - one.index_from
