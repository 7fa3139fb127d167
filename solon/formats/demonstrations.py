"""Demonstrations for in-context learning: what was asked, and what is to be said. Imports `contract` and `records`
only."""

from __future__ import annotations

from collections.abc import Iterator

from solon.formats.contract import Format, LeftOut, Piece, assistant, conversation, find_answer
from solon.formats.records import ExportRow


def demonstration(row: ExportRow) -> Iterator[Piece]:
    """Yield the last request and its accepted answer, or a text and its label, also as messages to stand before a new
    request; or why there is none."""
    labelled = row.outcome == "label" and not row.flags and row.label != "contested"
    answer = row.label if labelled and row.label else find_answer(row)
    if isinstance(answer, LeftOut):
        yield answer
        return
    turns = conversation(row)
    yield {"input": turns[-1]["content"], "output": answer, "messages": [*turns, assistant(answer)]}


FORMATS = (
    Format(
        "icl",
        "input, output, messages: a few demonstrations that cover the set (in-context learning)",
        demonstration,
        chosen=8,
    ),
)
