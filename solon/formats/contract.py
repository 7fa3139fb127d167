"""What an export format is, and the gates that all of them share. Imports `records` and `dialogues` of Solon only.

A format turns one `ExportRow` into rows of its own shape, or says why it leaves something out. It knows no
file: containers write the rows, `exports` counts them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from solon.dialogues import spell_turn
from solon.formats.records import ExportRow

Container = Literal["jsonl", "csv", "parquet", "text", "json"]
Turn = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One thing that a format does not write.

    Attributes:
        reason: why, in a short word; it becomes a key of the summary.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What whoever reads the rows has to know of one that is written.

    Attributes:
        about: in a short word, see `solon.formats.facts.REMARKS`.
    """

    about: str


Piece = dict[str, Any] | LeftOut | Remark


@dataclass(frozen=True, slots=True)
class Format:
    """One export format.

    Attributes:
        name: by which it is asked for.
        about: what its rows hold, in words.
        rows: what the format makes of a record. It yields at least one piece, never nothing: whatever is not
            written is counted.
        container: the kind of file that the rows are written to.
        load: what a consumer has to be told to read the file (copied into the manifest).
        whole: writes every record as it is, also one that nothing can be learned from.
        scored: writes what panel and critics said beside a record: its records are to be `ScoredRow`s.
        chosen: so many records are chosen where nobody says how many, those that cover the others best; 0: all are
            written.
        beside: what a consumer reads beside the data of a folder: the texts of its files by name, made of the name of
            the set and the path of each split, empty where it has no rows. None: nothing.
    """

    name: str
    about: str
    rows: Callable[[ExportRow], Iterator[Piece]]
    container: Container = "jsonl"
    load: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = False
    scored: bool = False
    chosen: int = 0
    beside: Callable[[str, Mapping[str, str]], Mapping[str, str]] | None = None

    def pieces(self, row: ExportRow) -> Iterator[Piece]:
        """Yield what the format makes of a record, but `identical` in place of texts that it makes equal: two sides
        of a pair, or one answer that is labelled good and bad.
        """
        if self.whole:
            yield from self.rows(row)
            return
        pieces = list(self.rows(row))
        if any(_contradict(pieces, *names) for names in (("completion", "label"), ("completions", "labels"))):
            pieces = [LeftOut("identical")]
        for piece in pieces:
            yield LeftOut("identical") if isinstance(piece, dict) and _sides_agree(piece) else piece


def _sides_agree(piece: Mapping[str, Any]) -> bool:
    if "choices" in piece:
        return len({_said(side) for side in piece["choices"]}) == 1
    return any(
        better in piece and worse in piece and _said(piece[better]) == _said(piece[worse])
        for better, worse in (("chosen", "rejected"), ("preferred_output", "non_preferred_output"))
    )


def _contradict(pieces: Sequence[Piece], answer: str, label: str) -> bool:
    """Whether one answer carries two labels."""
    labels: dict[str, Any] = {}
    said = (piece for piece in pieces if isinstance(piece, dict) and answer in piece and label in piece)
    return any(labels.setdefault(_said(piece[answer]), piece[label]) != piece[label] for piece in said)


def _said(side: Any) -> str:
    """What a side of a pair says, however a format writes it: white space around it is taken away by chat templates."""
    if isinstance(side, Mapping):
        return str(side.get("content", side.get("value", ""))).strip()
    return "\0".join(map(_said, side)) if isinstance(side, (list, tuple)) else str(side).strip()


def leave_out(row: ExportRow, outcome: str) -> LeftOut:
    """Return a record's outcome as why it is left out. A tie that a lead left contested is counted as that."""
    return LeftOut("contested" if outcome == "tie" and row.label == "contested" else outcome)


def find_pair(row: ExportRow) -> tuple[str, str] | LeftOut:
    """Return the chosen and the rejected text, or why the record has no pair that may be learned from."""
    if row.outcome == "tie" or (row.label == "tie" and row.outcome != "label"):
        return leave_out(row, "tie")
    if row.outcome != "accepted":
        return LeftOut(row.outcome)
    if row.chosen is None or row.rejected is None:
        return LeftOut("no_pair")
    if row.flags:
        return LeftOut("flagged")
    if not row.chosen.strip() or not row.rejected.strip():
        return LeftOut("empty")
    return row.chosen, row.rejected


def lay_out_pair(row: ExportRow, lay_out: Callable[[str, str], Piece]) -> Iterator[Piece]:
    """Yield what `lay_out` makes of the chosen and the rejected text, or why there is no pair."""
    found = find_pair(row)
    yield found if isinstance(found, LeftOut) else lay_out(*found)


def lay_out_texts(row: ExportRow, lay_out: Callable[[str, str, str], Piece]) -> Iterator[Piece]:
    """Yield what `lay_out` makes of the prompt as one text, the chosen and the rejected text, or why there are none."""
    pair, prompt = find_pair(row), find_bare_prompt(row)
    if isinstance(pair, LeftOut):
        yield pair
    else:
        yield prompt if isinstance(prompt, LeftOut) else lay_out(prompt, *pair)


def find_answer(row: ExportRow) -> str | LeftOut:
    """Return the text to imitate, or why there is none: the response of a single recipe, else the chosen one,
    never a flagged one.
    """
    if row.outcome != "accepted":
        return leave_out(row, row.outcome)
    if row.answer is None:
        return LeftOut("no_response")
    if row.flags:
        return LeftOut("flagged")
    return row.answer if row.answer.strip() else LeftOut("empty")


def find_bare_prompt(row: ExportRow) -> str | LeftOut:
    """Return the prompt as one text. A longer conversation has none, since that takes the model's chat
    template.
    """
    if len(row.messages) > 1:
        return LeftOut("multi_turn")
    return row.messages[0]["content"] if row.messages else row.prompt


def conversation(row: ExportRow) -> list[Turn]:
    """Return the turns up to and including the last user turn, as new dictionaries of role and content, and of what
    the seed said of tools."""
    return [dict(turn) for turn in row.messages or [{"role": "user", "content": row.prompt}]]


def spell_request(row: ExportRow) -> str:
    """Return what was asked as one text: the prompt, or all turns of a conversation, each after who speaks."""
    turns = conversation(row)
    if len(turns) == 1:
        return str(turns[0]["content"])
    return "\n\n".join(f"{turn['role']}: {spell_turn(turn)}" for turn in turns)


def find_exchange(row: ExportRow) -> tuple[str, list[Turn]] | LeftOut:
    """Return the system prompt (or an empty text) and the other turns, or why they do not fit.

    They fit if user and assistant take turns and the user is last.
    """
    turns = conversation(row)
    system = turns.pop(0)["content"] if turns[0]["role"] == "system" else ""
    expected = ["user", "assistant"] * (len(turns) // 2) + ["user"]
    return (
        (system, turns) if [turn["role"] for turn in turns] == expected else LeftOut("turns_do_not_alternate")
    )


def finite(value: Any) -> Any:
    """Return `value`, or None for a float that JSON cannot say."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def assistant(text: str) -> Turn:
    """Return the text as a turn of the assistant."""
    return {"role": "assistant", "content": text}
