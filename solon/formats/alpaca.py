"""Alpaca rows: instruction, input, output, with system and history. Imports `contract` and `records` only.

Source, read in code: LLaMA-Factory, `data/parser.py` and `AlpacaDatasetConverter` of `data/converter.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from solon.formats.contract import Format, LeftOut, Piece, find_answer, find_exchange
from solon.formats.records import ExportRow


def alpaca(row: ExportRow) -> Iterator[Piece]:
    """Yield the record as one Alpaca row, or why it has none; earlier turns become `history`."""
    answer, exchange = find_answer(row), find_exchange(row)
    if isinstance(answer, LeftOut):
        yield answer
    elif isinstance(exchange, LeftOut):
        yield exchange
    else:
        system, turns = exchange
        texts = [turn["content"] for turn in turns]
        yield {
            "instruction": texts[-1].removesuffix(f"\n\n{row.input}") if row.input else texts[-1],
            "input": row.input,
            "output": answer,
            "system": system,
            "history": [[asked, replied] for asked, replied in zip(texts[:-1:2], texts[1:-1:2], strict=True)],
        }


# Without these LLaMA-Factory reads instruction, input and output, and drops system and history.
_COLUMNS = {
    "prompt": "instruction",
    "query": "input",
    "response": "output",
    "system": "system",
    "history": "history",
}

FORMATS = (
    Format(
        "alpaca",
        "instruction, input, output; system and history beside them",
        alpaca,
        load={"dataset_info.json": {"formatting": "alpaca", "columns": _COLUMNS}},
    ),
)
