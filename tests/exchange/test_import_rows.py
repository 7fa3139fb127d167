"""Rows of other sets: what each reader makes of them, and that every exported format comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.formats.annotation import FORMATS as ANNOTATION
from solon.formats.annotation import (
    Question,
    write_argilla,
    write_label_studio,
)
from solon.formats.exports import export
from solon.formats.imported import Imported, Row, Said, Skipped
from solon.formats.imports import FORMATS
from solon.formats.records import ExportRow
from solon.formats.seed_rows import RowProblem
from tests.exchange.reading import read_import

ASK = [{"role": "user", "content": "Why?"}]
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "Why?"},
]
PAIRS = ["jsonl", "trl-preference", "llama-factory", "axolotl", "openrlhf"]
SINGLES = ["jsonl", "trl-sft", "sharegpt", "alpaca", "llama-factory-sft", "axolotl-sft", "openrlhf-sft"]


def read_one(name: str, row: Row) -> Imported:
    """The one seed that a row becomes."""
    [found] = [one for one in {**FORMATS, **ANNOTATION}[name].read(row) if isinstance(one, Imported)]
    return found


def better(found: Imported) -> str:
    place = found.said[0].response
    assert place is not None
    return str(found.seed["responses"][place]["text"])


def texts(found: Imported) -> set[str]:
    return {response["text"] for response in found.seed["responses"]}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("messages", [ASK, CHAT], ids=["one turn", "a conversation"])
def test_pairs_come_back_as_they_were_exported(
    tmp_path: Path, name: str, messages: list[dict[str, str]]
) -> None:
    row = ExportRow(
        id="r", recipe="preference", seed_id="s1", prompt="Why?", messages=messages, chosen="Good.", rejected="Bad.",
        licence="CC0-1.0",
    )  # fmt: skip
    export([row], format=name, path=tmp_path / "o.jsonl")
    found = read_one(name, json.loads((tmp_path / "o.jsonl").read_text()))
    assert found.kind == "pair"
    assert (better(found), texts(found)) == ("Good.", {"Good.", "Bad."})
    assert found.said[0].choice == "prefer"
    assert found.seed["messages"] == messages


@pytest.mark.parametrize("name", SINGLES)
@pytest.mark.parametrize("messages", [ASK, CHAT], ids=["one turn", "a conversation"])
def test_answers_come_back_as_they_were_exported(
    tmp_path: Path, name: str, messages: list[dict[str, str]]
) -> None:
    row = ExportRow(
        id="r", recipe="instruction", seed_id="s1", prompt="Why?", messages=messages, response="So."
    )
    export([row], format=name, path=tmp_path / "o.jsonl")
    found = read_one(name, json.loads((tmp_path / "o.jsonl").read_text()))
    assert (found.kind, texts(found)) == ("single", {"So."})
    assert found.seed["messages"] == messages
    assert found.said == ((Said("accept", 0),) if name == "jsonl" else ())


def test_texts_without_messages_are_understood() -> None:
    found = read_one(
        "trl-preference-standard", {"prompt": "Why?", "chosen": "a", "rejected": "b", "score": 3}
    )
    assert found.seed["messages"] == ASK
    assert better(found) == "a"
    assert found.metadata["score"] == 3
    whole = {
        "chosen": [*CHAT, {"role": "assistant", "content": "a"}],
        "rejected": [*CHAT, {"role": "assistant", "content": "b"}],
    }
    found = read_one("trl-preference", whole)
    assert found.seed["messages"] == CHAT
    assert better(found) == "a"
    label = read_one(
        "trl-unpaired-preference",
        {"prompt": ASK, "completion": [{"role": "assistant", "content": "x"}], "label": False},
    )
    assert label.said == (Said("reject", 0),)
    sft = read_one("trl-sft-standard", {"prompt": "Why?", "completion": "So."})
    assert (sft.seed["messages"], texts(sft), sft.said) == (ASK, {"So."}, ())


def test_steps_go_in_and_out_with_their_labels(tmp_path: Path) -> None:
    given_row = {"prompt": "Why?", "completions": ["One.", "Two."], "labels": [True, False]}
    found = read_one("trl-stepwise", given_row)
    assert found.said == (Said("reject", 0),)
    [response] = found.seed["responses"]
    metadata = {name: found.metadata[name] for name in ("completions", "labels")}
    row = ExportRow(
        id="r", recipe="instruction", seed_id="s", prompt="Why?", messages=ASK, response=response["text"],
        metadata=metadata,
    )  # fmt: skip
    export([row], format="trl-stepwise", path=tmp_path / "o.jsonl")
    assert json.loads((tmp_path / "o.jsonl").read_text()) == given_row


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("trl-preference", {"prompt": "x", "chosen": "a"}, "there is no 'rejected'"),
        ("trl-preference", {"prompt": "x", "chosen": "a", "rejected": "a"}, "the same text"),
        ("trl-preference", {"prompt": "x", "chosen": "a ", "rejected": "\na"}, "the same text"),
        ("trl-preference", {"chosen": "a", "rejected": "b"}, "do not begin with the same user turn"),
        ("trl-preference", {"prompt": 3, "chosen": "a", "rejected": "b"}, "neither a text nor a list"),
        ("openrlhf", {"prompt": [{"role": "narrator", "content": "x"}], "chosen": "a", "rejected": "b"}, "understood"),
        ("trl-unpaired-preference", {"prompt": "x", "completion": "a", "label": "maybe"}, "true or false"),
        ("trl-stepwise", {"prompt": "x", "completions": ["a"], "labels": [1]}, "labels"),
        ("trl-sft", {"messages": [{"role": "user", "content": "x"}]}, "assistant"),
        ("alpaca", {"instruction": "x", "output": ""}, "there is no 'output'"),
        ("alpaca", {"instruction": "x", "output": "y", "history": ["z"]}, "pairs"),
        ("jsonl", {"prompt": "x", "outcome": "tie"}, "neither a pair nor a response"),
        ("sharegpt", {}, "assistant"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_used_say_why(name: str, row: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowProblem, match=reason):
        read_one(name, row)


INNER = [
    "role",
    "content",
    "from",
    "value",
    "choice",
    "result",
    "choices",
    "prompt",
    "answer_1",
    "review_id",
    "candidate_1",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER), inner),
    max_leaves=8,
)  # fmt: skip
KEYS = [
    "prompt", "messages", "conversations", "chosen", "rejected", "label", "labels", "completions", "completion",
    "instruction", "output", "history", "system", "metadata", "data", "annotations", "fields", "responses",
]  # fmt: skip


@given(row=st.dictionaries(st.sampled_from(KEYS), JSON), name=st.sampled_from(sorted(FORMATS)))
def test_no_row_breaks_a_reader(row: dict[str, Any], name: str) -> None:
    try:
        found = list(FORMATS[name].read(row))
    except RowProblem:
        return
    assert all(isinstance(one, Skipped) or one.seed["responses"] for one in found)


@given(row=st.dictionaries(st.sampled_from(KEYS), JSON))
def test_no_task_breaks_the_annotation_readers(row: dict[str, Any]) -> None:
    for form in ANNOTATION.values():
        try:
            list(form.read(row))
        except RowProblem:
            continue


def test_the_better_answer_does_not_always_stand_first() -> None:
    places = {
        read_one("trl-preference", {"prompt": "x", "chosen": f"good {n}", "rejected": f"bad {n}"})
        .said[0]
        .response
        for n in range(20)
    }
    assert places == {0, 1}


QUESTION = Question("rev1", "preference", "Why?", "", (("c1", "first"), ("c2", "second")))


def test_argilla_answers_go_to_their_review() -> None:
    record = write_argilla(QUESTION)
    assert record["fields"] == {"prompt": "Why?", "input": "", "answer_1": "first", "answer_2": "second"}
    answered = {
        **record,
        "responses": {
            "choice": [{"value": "prefer answer_2", "user_id": "u1"}, {"value": "tie", "user_id": "u2"}],
            "rationale": [{"value": "It is shorter.", "user_id": "u1"}],
        },
    }
    found = read_one("argilla", json.loads(json.dumps(answered)))
    assert (found.review, found.candidates) == ("rev1", ("c1", "c2"))
    assert found.said == (Said("prefer", 1, "u1", "It is shorter."), Said("tie", None, "u2"))
    with pytest.raises(RowProblem, match="none of"):
        read_one("argilla", {**record, "responses": {"choice": [{"value": "maybe"}]}})


def test_label_studio_annotations_go_to_their_review() -> None:
    task = write_label_studio(QUESTION)

    def annotation(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"result": [{"value": value} for value in results], **more}

    done = {
        **task,
        "annotations": [
            annotation({"selected": "right"}, completed_by=1, was_cancelled=True),
            annotation(
                {"selected": "left"}, {"text": ["Clear."]}, completed_by={"id": 7, "email": "a@b.example"}
            ),
            annotation({"selected": "left"}, {"choices": ["both_bad"]}, completed_by=8),
        ],
    }
    found = read_one("label-studio", done)
    assert found.review == "rev1"
    assert found.said == (Said("prefer", 0, "7", "Clear."), Said("both_bad", None, "8"))
    foreign = read_one(
        "label-studio",
        {"id": 3, "data": {"prompt": "Why?", "answer_1": "a", "answer_2": "b"}, "annotations": []},
    )
    assert (foreign.review, texts(foreign)) == ("", {"a", "b"})


def test_an_answer_after_an_answer_is_refused_in_words_of_the_file(tmp_path: Path) -> None:
    talk = "\n\nHuman: q?\n\nAssistant: a\n\nAssistant: "
    (tmp_path / "rows.jsonl").write_text(json.dumps({"chosen": f"{talk}good", "rejected": f"{talk}bad"}))
    (bad,) = read_import("hh-rlhf", tmp_path / "rows.jsonl").bad
    assert bad.reason.startswith("chosen and rejected follow another turn of the assistant's")
