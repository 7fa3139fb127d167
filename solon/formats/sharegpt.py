"""ShareGPT conversations, and LLaMA-Factory's use of them. Imports `contract` and `records` only.

Source, read in code: LLaMA-Factory, `data/parser.py` and `SharegptDatasetConverter` of `data/converter.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from solon.formats.contract import (
    Format,
    LeftOut,
    Piece,
    Turn,
    conversation,
    find_answer,
    find_exchange,
    find_pair,
)
from solon.formats.records import ExportRow

_SPEAKER = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


def sft(row: ExportRow) -> Iterator[Piece]:
    """Yield the conversation with the accepted answer last, or why there is none."""
    answer, turns = find_answer(row), conversation(row)
    if isinstance(answer, LeftOut):
        yield answer
    elif any("tool_calls" in turn for turn in turns):
        yield LeftOut("tool_calls")
    else:
        yield {"conversations": [*_said(turns), _gpt(answer)]}


def llama_factory_sft(row: ExportRow) -> Iterator[Piece]:
    """Yield the conversation as LLaMA-Factory reads it, the system prompt in a column of its own, or why
    there is none.
    """
    answer, exchange = find_answer(row), find_exchange(row)
    if isinstance(answer, LeftOut):
        yield answer
    elif isinstance(exchange, LeftOut):
        yield exchange
    else:
        system, turns = exchange[0], _said(exchange[1])
        yield {"conversations": [*turns, _gpt(answer)], "system": system}


def llama_factory(row: ExportRow) -> Iterator[Piece]:
    """Yield the pair as LLaMA-Factory's preference trainers read it, or why there is none."""
    pair, exchange = find_pair(row), find_exchange(row)
    if isinstance(pair, LeftOut):
        yield pair
    elif isinstance(exchange, LeftOut):
        yield exchange
    else:
        system, turns = exchange[0], _said(exchange[1])
        yield {"conversations": turns, "chosen": _gpt(pair[0]), "rejected": _gpt(pair[1]), "system": system}


def _said(turns: list[Turn]) -> list[Turn]:
    return [{"from": _SPEAKER[turn["role"]], "value": turn["content"]} for turn in turns]


def _gpt(text: str) -> Turn:
    return {"from": "gpt", "value": text}


_COLUMNS = {"messages": "conversations", "system": "system"}
_PAIR = {**_COLUMNS, "chosen": "chosen", "rejected": "rejected"}

FORMATS = (
    Format("sharegpt", "conversations of from and value, the accepted answer last", sft),
    Format(
        "llama-factory",
        "pairs for LLaMA-Factory's DPO, ORPO and reward model",
        llama_factory,
        load={"dataset_info.json": {"formatting": "sharegpt", "ranking": True, "columns": _PAIR}},
    ),
    Format(
        "llama-factory-sft",
        "conversations for LLaMA-Factory's SFT",
        llama_factory_sft,
        load={"dataset_info.json": {"formatting": "sharegpt", "columns": _COLUMNS}},
    ),
)
