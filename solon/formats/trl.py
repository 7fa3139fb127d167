"""The dataset types of TRL, conversational and standard. Imports `contract` and `records` only.

Source: TRL documentation, "Dataset formats and types".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from solon.formats.contract import (
    Format,
    LeftOut,
    Piece,
    assistant,
    conversation,
    find_answer,
    find_bare_prompt,
    lay_out_pair,
    lay_out_texts,
    leave_out,
)
from solon.formats.records import ExportRow


def preference(row: ExportRow) -> Iterator[Piece]:
    """Yield the pair with its prompt as messages, or why there is none."""
    return lay_out_pair(
        row,
        lambda chosen, rejected: {
            "prompt": conversation(row),
            "chosen": [assistant(chosen)],
            "rejected": [assistant(rejected)],
        },
    )


def preference_standard(row: ExportRow) -> Iterator[Piece]:
    """Yield the pair with its prompt as texts, or why there is none."""
    return lay_out_texts(
        row, lambda prompt, chosen, rejected: {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    )


def sft(row: ExportRow) -> Iterator[Piece]:
    """Yield the conversation with the accepted answer last, or why there is none."""
    answer = find_answer(row)
    if isinstance(answer, LeftOut):
        yield answer
    else:
        yield {"messages": [*conversation(row), assistant(answer)]}


def sft_standard(row: ExportRow) -> Iterator[Piece]:
    """Yield prompt and accepted answer as texts, or why there is none."""
    answer, prompt = find_answer(row), find_bare_prompt(row)
    if isinstance(answer, LeftOut):
        yield answer
    elif isinstance(prompt, LeftOut):
        yield prompt
    else:
        yield {"prompt": prompt, "completion": answer}


def prompt_only(row: ExportRow) -> Iterator[Piece]:
    """Yield the prompt as messages, also of a tie, a disputed or a contradicted record, or why it gives none."""
    # a prompt on which the answers tied or people or records disagree, or whose answer was flagged, is still a prompt
    if row.outcome in ("accepted", "tie", "disputed", "contradicted"):
        yield {"prompt": conversation(row)}
    else:
        yield LeftOut(row.outcome)


def prompt_only_standard(row: ExportRow) -> Iterator[Piece]:
    """Yield the prompt as text, also of a tie, a disputed or a contradicted record, or why it gives none."""
    for piece in prompt_only(row):
        prompt = find_bare_prompt(row)
        if isinstance(piece, LeftOut):
            yield piece
        else:
            yield prompt if isinstance(prompt, LeftOut) else {"prompt": prompt}


def unpaired(row: ExportRow) -> Iterator[Piece]:
    """Yield two labelled rows of a pair, or one of a single record or of an answer that was rejected, as messages.

    A flagged text is no good example, but it may be a bad one.
    """
    for text, label in _labelled(row):
        if isinstance(text, LeftOut):
            yield text
        else:
            yield {"prompt": conversation(row), "completion": [assistant(text)], "label": label}


def unpaired_standard(row: ExportRow) -> Iterator[Piece]:
    """Yield the same rows as `unpaired`, as texts."""
    prompt = find_bare_prompt(row)
    for text, label in _labelled(row):
        if isinstance(text, LeftOut):
            yield text
        elif isinstance(prompt, LeftOut):
            yield prompt
        else:
            yield {"prompt": prompt, "completion": text, "label": label}


def stepwise(row: ExportRow) -> Iterator[Piece]:
    """Yield one row for each text of the record: its steps (parts between blank lines) and whether each
    stands.

    A step is wrong where a critic's major or fatal finding quotes it. Steps that came labelled with the seed
    (`completions`, `labels`) go before that.
    """
    prompt = find_bare_prompt(row)
    for side, text in (("chosen", find_answer(row)), ("rejected", _worse(row))):
        if text is None:
            continue
        if isinstance(text, LeftOut):
            yield text
        elif isinstance(prompt, LeftOut):
            yield prompt
        else:
            steps = _given_steps(row, text) or _criticised_steps(row, side, text)
            yield steps if isinstance(steps, LeftOut) else {"prompt": prompt, **steps}


def _worse(row: ExportRow) -> str | LeftOut | None:
    pair = row.rejected if row.has_pair and row.outcome == "accepted" else None
    return LeftOut("empty") if pair is not None and not pair.strip() else pair


def _given_steps(row: ExportRow, text: str) -> dict[str, Any] | None:
    steps, labels = row.metadata.get("completions"), row.metadata.get("labels")
    if not isinstance(steps, list) or not isinstance(labels, list) or len(steps) != len(labels):
        return None
    known = all(isinstance(step, str) for step in steps) and all(isinstance(label, bool) for label in labels)
    return {"completions": steps, "labels": labels} if known and STEP.join(steps) == text else None


def _criticised_steps(row: ExportRow, side: str, text: str) -> dict[str, Any] | LeftOut:
    spans = row.faults.get(side)
    if spans is None:
        return LeftOut("not_criticised")
    if any(start < 0 for start, _ in spans):
        return LeftOut("fault_without_place")
    steps, labels, begin = [], [], 0
    for stop, after in (*(gap.span() for gap in _GAP.finditer(text)), (len(text), len(text))):
        if text[begin:stop].strip():
            steps.append(text[begin:stop].strip())
            labels.append(not any(start < stop and end > begin for start, end in spans))
        begin = after
    return {"completions": steps, "labels": labels}


STEP = "\n"
"""What TRL's trainer puts between steps by default; imported steps are joined by it too."""
_GAP = re.compile(r"\n[^\S\n]*\n\s*")


def _labelled(row: ExportRow) -> Iterator[tuple[str | LeftOut, bool]]:
    if row.outcome == "tie" or (row.label == "tie" and row.outcome != "label"):
        yield leave_out(row, "tie"), False
        return
    if row.outcome == "rejected" and row.response is not None:
        yield (row.response if row.response.strip() else LeftOut("empty")), False
        return
    yield find_answer(row), True
    if row.has_pair and row.outcome == "accepted" and row.rejected is not None:
        yield (row.rejected if row.rejected.strip() else LeftOut("empty")), False


FORMATS = (
    Format("trl-preference", "prompt, chosen and rejected as messages (DPO, reward model)", preference),
    Format("trl-sft", "messages with the accepted answer at the end (SFT)", sft),
    Format("trl-prompt-only", "prompt as messages (GRPO, online DPO)", prompt_only),
    Format("trl-unpaired-preference", "prompt, completion, label as messages (KTO)", unpaired),
    Format("trl-preference-standard", "prompt, chosen and rejected as texts", preference_standard),
    Format("trl-sft-standard", "prompt and completion as texts", sft_standard),
    Format("trl-prompt-only-standard", "prompt as text", prompt_only_standard),
    Format("trl-stepwise", "prompt, completions and labels: steps, and which of them stand (PRM)", stepwise),
    Format("trl-unpaired-preference-standard", "prompt, completion, label as texts", unpaired_standard),
)
