"""Rows of existing preference and label sets read as seeds with responses, and what people said of these.

Imports `seed_rows` and `trl` only, and touches no file. A reader turns one row into an `Imported`, or says in
a `RowProblem` why it cannot.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from solon.formats.seed_rows import RowProblem
from solon.formats.trl import STEP

Row = Mapping[str, Any]
Kind = Literal["pair", "single"]


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
        seed: columns of a seed (`solon.formats.seed_rows.COLUMNS`); others are kept as metadata.
        said: what people answered, the first one first.
        review: id of the review that the answers are for; the seed is empty then.
        candidates: ids of the candidates of `review`, in the order that `Said.response` counts.
        record: id of the record that it was; a store may hold several of one seed, each with answers of its
            own.
    """

    kind: Kind
    seed: dict[str, Any] = field(default_factory=dict)
    said: tuple[Said, ...] = ()
    review: str = ""
    candidates: tuple[str, ...] = ()
    record: str = ""


@dataclass(frozen=True, slots=True)
class ImportFormat:
    """One format that can be imported.

    Attributes:
        name: by which it is asked for.
        about: what its rows hold, in words.
        read: makes an `Imported` of a row, or raises RowProblem.
        whole: True where the file is one JSON list, not one object a line.
    """

    name: str
    about: str
    read: Callable[[Row], Imported]
    whole: bool = False


PROMPTS = ("prompt", "messages", "conversations", "input", "question", "instruction")
_ROLES = {"human": "user", "gpt": "assistant"}


def read_pair(row: Row) -> Imported:
    """Return a pair from `prompt` (or messages, conversations), `chosen`, `rejected`: texts, messages or
    lists of messages.

    Without a prompt it is what both conversations begin with. The order of the two is drawn from their texts,
    because the better one must not always stand first.

    Raises:
        RowProblem: a side is missing, empty or no answer, or both are the same text.
    """
    used = [name for name in (*PROMPTS, "system") if name in row]
    chosen, rejected = (_side(row, name) for name in ("chosen", "rejected"))
    before = _before(row)
    if before is None:
        before, chosen, rejected = _split_shared(chosen, rejected)
    texts = [_answer_of(chosen, "chosen"), _answer_of(rejected, "rejected")]
    if texts[0] == texts[1]:
        raise RowProblem("chosen and rejected are the same text")
    turn = _draws_second(*texts)
    seed = {
        **_rest(row, {*used, "chosen", "rejected"}),
        "messages": before,
        "responses": [{"text": text} for text in (texts[::-1] if turn else texts)],
    }
    return Imported("pair", seed, (Said("prefer", int(turn)),))


def read_labelled(row: Row) -> Imported:
    """Return a single answer that was accepted or rejected, from `prompt`, `completion` and `label` (true or
    false).

    Raises:
        RowProblem: the label is neither, or there is no prompt or no answer.
    """
    label = row.get("label")
    if not isinstance(label, bool):
        raise RowProblem(f"label is {label!r:.40}; it must be true or false")
    answer = _answer_of(_turns(row.get("completion"), "completion", "assistant"), "completion")
    seed = {
        **_rest(row, {"prompt", "completion", "label"}),
        "messages": _asked(row),
        "responses": [{"text": answer}],
    }
    return Imported("single", seed, (Said("accept" if label else "reject", 0),))


def read_answered(row: Row) -> Imported:
    """Return a single answer of which nobody said anything.

    It is the last turn of a conversation (`messages`, `conversations`), or stands in a column of its own
    beside the prompt (`completion`, `output`, `response`).

    Raises:
        RowProblem: there is no answer.
    """
    apart = next((name for name in ("completion", "output", "response") if row.get(name) is not None), None)
    if apart is None:
        turns = next(
            (_turns(row[name], name, "user") for name in PROMPTS if isinstance(row.get(name), list)), []
        )
        before, last = _with_system(row, turns[:-1]), turns[-1:]
    else:
        before, last = _asked(row), _turns(row[apart], apart, "assistant")
    used = {*PROMPTS, "system", "history", *((apart,) if apart else ())}
    answer = _answer_of(last, apart or "the last message")
    return Imported("single", {**_rest(row, used), "messages": before, "responses": [{"text": answer}]})


def read_alpaca(row: Row) -> Imported:
    """Return a single answer of which nobody said anything, from `instruction`, `input`, `output`, `system`
    and `history`.

    Raises:
        RowProblem: there is no answer, or the history is no list of pairs.
    """
    asked = [str(row.get(name) or "") for name in ("instruction", "input")]
    turns = [{"role": "system", "content": row["system"]}] if row.get("system") else []
    for pair in as_list(row.get("history")):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise RowProblem("history is no list of pairs")
        turns += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    turns.append({"role": "user", "content": "\n\n".join(part for part in asked if part)})
    answer = _answer_of(_turns(row.get("output"), "output", "assistant"), "output")
    used = {"instruction", "input", "output", "system", "history"}
    return Imported("single", {**_rest(row, used), "messages": turns, "responses": [{"text": answer}]})


def read_steps(row: Row) -> Imported:
    """Return an answer in steps, accepted where every step is right, from `prompt`, `completions` and
    `labels`.

    Raises:
        RowProblem: steps and labels are not lists of the same length, or there is no prompt.
    """
    steps, labels = row.get("completions"), row.get("labels")
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps) or not steps:
        raise RowProblem("completions is no list of texts")
    if (
        not isinstance(labels, list)
        or len(labels) != len(steps)
        or not all(isinstance(x, bool) for x in labels)
    ):
        raise RowProblem("labels is no list of true and false, one for each step")
    rest = _rest(row, {"prompt", "completions", "labels"})
    # The steps stay with the seed, so that they can be written out again with their labels.
    seed = {**rest, "completions": steps, "labels": labels, "messages": _asked(row)}
    choice = "accept" if all(labels) else "reject"
    return Imported("single", {**seed, "responses": [{"text": STEP.join(steps)}]}, (Said(choice, 0),))


def read_record(row: Row) -> Imported:
    """Return the seed and the answer of a record that Solon exported (`jsonl`).

    Only a record that was accepted says that its answer stands; others are seeds with responses.

    Raises:
        RowProblem: it is the record of a label, or has neither a pair nor a response.
    """
    if row.get("outcome") == "label":
        raise RowProblem(
            "the record labels a text and answers nothing; labels are given by `solon run label`"
        )
    messages = row.get("messages") or row.get("prompt")
    facts = {name: row[name] for name in ("group", "lang", "source", "licence", "consent") if row.get(name)}
    seed: dict[str, Any] = {**as_object(row.get("metadata")), **facts, "id": row.get("seed_id")}
    seed["messages"] = _turns(messages, "messages", "user")
    record = str(row.get("id") or "")
    stands = row.get("outcome") == "accepted"
    if row.get("chosen") is not None and row.get("rejected") is not None:
        pair = read_pair({"prompt": seed["messages"], "chosen": row["chosen"], "rejected": row["rejected"]})
        seed["responses"] = pair.seed["responses"]
        return Imported("pair", seed, pair.said if stands else (), record=record)
    if row.get("response") is not None:
        seed["responses"] = [{"text": row["response"]}]
        return Imported("single", seed, (Said("accept", 0),) if stands else (), record=record)
    raise RowProblem("the record has neither a pair nor a response (a tie, or its text was withheld)")


def as_object(value: Any) -> Mapping[str, Any]:
    """Return `value` if it is an object, else an empty one: a foreign row may hold anything."""
    return {str(key): part for key, part in value.items()} if isinstance(value, Mapping) else {}


def as_list(value: Any) -> Sequence[Any]:
    """Return `value` if it is a list, else an empty one."""
    return value if isinstance(value, (list, tuple)) else ()


def _before(row: Row) -> list[dict[str, str]] | None:
    """The turns that are answered; None where the row has no prompt of its own."""
    name = next((name for name in PROMPTS if row.get(name) not in (None, "", [])), None)
    return None if name is None else _with_system(row, _turns(row[name], name, "user"))


def _asked(row: Row) -> list[dict[str, str]]:
    turns = _before(row)
    if not turns:
        raise RowProblem(f"there is no prompt (looked for {', '.join(PROMPTS)})")
    return turns


def _with_system(row: Row, turns: list[dict[str, str]]) -> list[dict[str, str]]:
    system = row.get("system")
    if isinstance(system, str) and system.strip() and (not turns or turns[0]["role"] != "system"):
        return [{"role": "system", "content": system}, *turns]
    return turns


def _side(row: Row, name: str) -> list[dict[str, str]]:
    if row.get(name) is None:
        raise RowProblem(f"there is no {name!r}")
    return _turns(row[name], name, "assistant")


def _turns(value: Any, name: str, role: str) -> list[dict[str, str]]:
    """Turns of a text, one message, or a list of messages; {from, value} is understood too."""
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, (list, tuple)) or not value:
        raise RowProblem(f"{name} is neither a text nor a list of messages: {value!r:.60}")
    return [_turn(turn, f"{name}[{index}]") for index, turn in enumerate(value)]


def _turn(turn: Any, where: str) -> dict[str, str]:
    if not isinstance(turn, Mapping):
        raise RowProblem(f"{where} is no message")
    role, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
    role = _ROLES.get(role, role) if isinstance(role, str) else role
    if role not in ("system", "user", "assistant") or not isinstance(content, str):
        raise RowProblem(
            f"{where} has no role and content that are understood: {json.dumps(turn, default=str):.80}"
        )
    return {"role": role, "content": content}


def _split_shared(
    chosen: list[dict[str, str]], rejected: list[dict[str, str]]
) -> tuple[list[dict[str, str]], list[dict[str, str]], list[dict[str, str]]]:
    """The prompt that two whole conversations share, and what differs."""
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    if not shared or chosen[shared - 1]["role"] != "user":
        raise RowProblem("there is no prompt, and chosen and rejected do not begin with the same user turn")
    return chosen[:shared], chosen[shared:], rejected[shared:]


def _answer_of(turns: list[dict[str, str]], name: str) -> str:
    if not turns or turns[-1]["role"] != "assistant":
        raise RowProblem(f"{name} does not end with an assistant's turn")
    if len(turns) > 1:
        raise RowProblem(f"{name} has several turns; the answer must be one")
    if not turns[-1]["content"].strip():
        raise RowProblem(f"{name} is empty")
    return turns[-1]["content"]


def _draws_second(first: str, second: str) -> bool:
    a, b = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (first, second))
    return a > b


def _rest(row: Row, used: set[str]) -> dict[str, Any]:
    """Columns of a seed as they are; all others are kept as metadata, under their names."""
    taken = {*used, "responses", "reference", "verdicts"}
    return {name: value for name, value in row.items() if name not in taken}


FORMATS: Mapping[str, ImportFormat] = {
    form.name: form
    for form in (
        ImportFormat("jsonl", "records that Solon exported", read_record),
        *(
            ImportFormat(name, "pairs: prompt, chosen, rejected", read_pair)
            for name in ("trl-preference", "trl-preference-standard", "llama-factory", "axolotl", "openrlhf")
        ),
        *(
            ImportFormat(name, "answers with label true or false", read_labelled)
            for name in ("trl-unpaired-preference", "trl-unpaired-preference-standard")
        ),
        *(
            ImportFormat(name, "conversations or prompts with one answer", read_answered)
            for name in (
                "trl-sft",
                "trl-sft-standard",
                "sharegpt",
                "llama-factory-sft",
                "axolotl-sft",
                "openrlhf-sft",
            )
        ),
        ImportFormat("alpaca", "instruction, input, output", read_alpaca),
        ImportFormat("trl-stepwise", "prompt, completions, labels", read_steps),
    )
}
