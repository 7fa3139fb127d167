"""The whole record with its lineage: JSONL, CSV and Parquet. Imports `contract`, `records` and `dialogues` only.

These write every record that they are given, whatever its outcome. The text that experts flagged is withheld:
`chosen` or `response` is null and `withheld` says so; its id and flags stay. Of a tie it is left out of `given`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from solon.dialogues import spell_turn
from solon.formats.contract import Format, Piece, finite
from solon.formats.records import ExportRow

_FORMULA = re.compile("[\\s\u200b\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\\t\\r]")
"""How what a spreadsheet may run begins: with a sign, a full-width one too, also after white space and what is not
seen; or with a tab or a carriage return, at which some split the cell."""
COLUMNS = (*(field.name for field in fields(ExportRow)), "withheld")


def withheld_of(row: ExportRow) -> list[str]:
    """Return the columns whose text an expert flagged: these formats write them as null."""
    return [name for name in ("chosen", "response") if row.flags and getattr(row, name) is not None]


def whole(row: ExportRow) -> Iterator[Piece]:
    """Yield the record with all its columns and `withheld`; flagged texts are None."""
    content: dict[str, Any] = {field.name: getattr(row, field.name) for field in fields(ExportRow)}
    for name in ("margin", "confidence", "soft_label"):
        content[name] = finite(content[name])
    shares = row.shares
    content["shares"] = shares and [{"label": label, "share": share} for label, share in shares.items()]
    content["flags"], content["flagged_candidates"] = list(row.flags), list(row.flagged_candidates)
    content["given"] = {side: _without_withheld(facts) for side, facts in row.given.items()}
    withheld = withheld_of(row)
    for name in withheld:
        content[name] = None
    yield {**content, "withheld": withheld}


def _without_withheld(facts: dict[str, Any]) -> dict[str, Any]:
    """What came with an answer; without its text where that was flagged."""
    return {name: fact for name, fact in facts.items() if name != "text" or not facts.get("withheld")}


def nested_as_json(row: ExportRow) -> Iterator[Piece]:
    """Yield the record with faults, evidence, fields, given, lineage and metadata as JSON texts, and calls of tools
    within the content of their turn: a column of one type, whatever the rows hold.
    """
    for piece in whole(row):
        if isinstance(piece, dict):
            yield {
                **piece,
                "messages": [
                    {"role": turn["role"], "content": spell_turn(turn)} for turn in piece["messages"]
                ],
                **{
                    name: _json(piece[name])
                    for name in ("faults", "evidence", "fields", "given", "lineage", "metadata")
                },
            }


def flat(row: ExportRow) -> Iterator[Piece]:
    """Yield the record with one text or number per cell; lists and objects as JSON."""
    for piece in whole(row):
        if isinstance(piece, dict):
            yield {
                key: _json(cell) if isinstance(cell, (list, dict)) else cell for key, cell in piece.items()
            }


def flat_for_spreadsheets(row: ExportRow) -> Iterator[Piece]:
    """Yield the same as `flat`, but a cell that a spreadsheet would run as a formula begins with an
    apostrophe.
    """
    for piece in flat(row):
        if isinstance(piece, dict):
            yield {key: disarm(cell) for key, cell in piece.items()}


def disarm(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: one that begins like one gets an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


FORMATS = (
    Format("jsonl", "the whole record with its lineage, one JSON object a line", whole, whole=True),
    Format("csv", "the whole record as a table; texts exactly as they are", flat, "csv", whole=True),
    Format(
        "csv-spreadsheet", "the same, safe to open in a spreadsheet", flat_for_spreadsheets, "csv", whole=True
    ),
    Format("parquet", "the whole record as a Parquet table", nested_as_json, "parquet", whole=True),
)
