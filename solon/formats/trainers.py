"""Rows for OpenAI's fine-tuning, Axolotl, OpenRLHF and verifiers. Imports `contract`, `trl` and `records` only.

Sources: OpenAI's guide "Direct preference optimization", whose file Azure and Fireworks read, too; documentation of
verifiers, "Environments". Read in code: Axolotl, `prompt_strategies/dpo/chat_template.py` (type
`chat_template.default`) and `prompt_strategies/chat_template.py`; OpenRLHF, `datasets/reward_dataset.py` and
`datasets/sft_dataset.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from solon.formats import trl
from solon.formats.contract import (
    Format,
    LeftOut,
    Piece,
    assistant,
    conversation,
    find_answer,
    lay_out_pair,
)
from solon.formats.records import ExportRow


def axolotl(row: ExportRow) -> Iterator[Piece]:
    """Yield the pair as Axolotl's DPO reads it, or why there is none."""
    # It looks for the text in what the chat template made of it, and templates trim: an answer with white space around
    # it would be cut down to its last character.
    return lay_out_pair(
        row,
        lambda chosen, rejected: {
            "messages": conversation(row),
            "chosen": assistant(chosen.strip()),
            "rejected": assistant(rejected.strip()),
        },
    )


def openai_preference(row: ExportRow) -> Iterator[Piece]:
    """Yield the pair as OpenAI's fine-tuning by preferences reads it, or why there is none."""
    return lay_out_pair(
        row,
        lambda chosen, rejected: {
            "input": {"messages": conversation(row)},
            "preferred_output": [assistant(chosen)],
            "non_preferred_output": [assistant(rejected)],
        },
    )


def openrlhf_sft(row: ExportRow) -> Iterator[Piece]:
    """Yield the conversation and the accepted answer as OpenRLHF's SFT reads them, or why there is no answer."""
    answer = find_answer(row)
    if isinstance(answer, LeftOut):
        yield answer
    else:
        yield {"input": conversation(row), "output": [assistant(answer)]}


_AXOLOTL = {"ds_type": "json", "type": "chat_template.default"}
_OPENRLHF = {"apply_chat_template": True, "prompt_key": "prompt"}


def verifiers(row: ExportRow) -> Iterator[Piece]:
    """Yield a task for an environment of verifiers: prompt, accepted answer, and as `info` (JSON, since rows differ in
    it) the ids and the criteria of the request; or why there is none."""
    answer = find_answer(row)
    if isinstance(answer, LeftOut):
        yield answer
        return
    info = {
        "recipe": row.recipe,
        "record": row.id,
        "seed": row.seed_id,
        "criteria": row.lineage.get("criteria") or [],
    }
    yield {
        "prompt": conversation(row),
        "answer": answer,
        "info": json.dumps(info, ensure_ascii=False),
    }


FORMATS = (
    Format("openai-preference", "pairs for OpenAI's fine-tuning by preferences (DPO)", openai_preference),
    Format("axolotl", "pairs for Axolotl's DPO", axolotl, load={"rl": "dpo", "datasets": [_AXOLOTL]}),
    Format(
        "axolotl-sft",
        "messages for Axolotl's SFT",
        trl.sft,
        load={"datasets": [{"ds_type": "json", "type": "chat_template", "field_messages": "messages"}]},
    ),
    Format(
        "openrlhf",
        "pairs for OpenRLHF's reward model and DPO",
        trl.preference,
        load={**_OPENRLHF, "chosen_key": "chosen", "rejected_key": "rejected"},
    ),
    Format(
        "openrlhf-sft",
        "input and output for OpenRLHF's SFT",
        openrlhf_sft,
        load={"apply_chat_template": True, "input_key": "input", "output_key": "output"},
    ),
    Format(
        "verifiers", "tasks for verifiers: prompt, answer, info with the criteria of the request", verifiers
    ),
)
