"""Demonstrations for in-context learning: what was asked, and what is to be said. Imports `contract` and `records`
only."""

from __future__ import annotations

from collections.abc import Iterator

from solon.formats.contract import Format, LeftOut, Piece, assistant, conversation, find_answer, spell_request
from solon.formats.records import ExportRow


def demonstration(row: ExportRow) -> Iterator[Piece]:
    """Yield what was asked and its accepted answer, or a text and its label, also as messages to stand before a new
    request; or why there is none."""
    labelled = row.outcome == "label" and not row.flags and row.label != "contested"
    answer = row.label if labelled and row.label else find_answer(row)
    if isinstance(answer, LeftOut):
        yield answer
        return
    messages = [*conversation(row), assistant(answer)]
    yield {"input": spell_request(row), "output": answer, "messages": messages}


FORMATS = (
    Format(
        "icl",
        "input, output, messages: a few demonstrations that cover the set (in-context learning)",
        demonstration,
        chosen=8,
    ),
)
