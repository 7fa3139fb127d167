"""Whatever stands in a row of a foreign set is used, or kept as metadata, or the row is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.eval import importing
from solon.formats.imported import Imported
from solon.formats.imports import FORMATS
from solon.formats.layouts import ASKED, HISTORY, REFERENCE, SYSTEM
from solon.formats.seed_rows import COLUMNS, RowProblem
from tests.exchange.reading import Found, read_import

Row = dict[str, Any]
SIDES: Row = {"chosen": "good", "rejected": "bad"}


def user(text: str) -> Row:
    return {"role": "user", "content": text}


def bot(text: str) -> Row:
    return {"role": "assistant", "content": text}


def read(tmp_path: Path, *rows: Row, name: str = "auto") -> Found:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_import(name, path)


def one_of(row: Row, name: str = "trl-preference") -> Imported:
    [found] = FORMATS[name].read(row)
    assert isinstance(found, Imported)
    return found


def turns(found: Imported) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in found.seed["messages"]]


def answers(found: Imported) -> set[str]:
    return {response["text"] for response in found.seed["responses"]}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"instruction": "Sum.", "input": "A table."}, [("user", "Sum.\nA table.")]),
        ({"prompt": "Answer.", "input": "A table."}, [("user", "Answer.\nA table.")]),
        ({"question": "Who?", "context": "A long passage."}, [("user", "Who?\nA long passage.")]),
        ({"query": "Who?", "document": "A long passage."}, [("user", "Who?\nA long passage.")]),
        ({"task": "Translate it.", "input": "Hallo"}, [("user", "Translate it.\nHallo")]),
        ({"task": "translation", "prompt": "Say it in French."}, [("user", "Say it in French.")]),
        ({"prompt": "Do it.", "instruction": "Do it."}, [("user", "Do it.")]),
        (
            {"prompt": "Text: the long passage.\nWho is it?", "context": "the long passage.", "question": "Who is it?"},
            [("user", "Text: the long passage.\nWho is it?")],
        ),
        ({"system": "Be brief.", "prompt": "Who?"}, [("system", "Be brief."), ("user", "Who?")]),
        ({"system_prompt": "Be brief.", "prompt": "Who?"}, [("system", "Be brief."), ("user", "Who?")]),
        ({"system": "", "prompt": "Who?", "input": None}, [("user", "Who?")]),
        ({"messages": [user("Who?")], "input": "A table."}, [("user", "Who?\nA table.")]),
        ({"prompt": "And?", "history": [["x", "y"]]}, [("user", "x"), ("assistant", "y"), ("user", "And?")]),
        ({"prompt": "And?", "history": [user("x"), bot("y")]}, [("user", "x"), ("assistant", "y"), ("user", "And?")]),
        ({"prompt": "And?", "chat_history": ["x", "y"]}, [("user", "x"), ("assistant", "y"), ("user", "And?")]),
        (
            {"prompt": "And?", "history": [{"input": "x", "output": "y"}]},
            [("user", "x"), ("assistant", "y"), ("user", "And?")],
        ),
        (
            {"prompt": "And?", "history": "Human: x\n\nAssistant: y"},
            [("user", "x"), ("assistant", "y"), ("user", "And?")],
        ),
        ({"prompt": "And?", "history": []}, [("user", "And?")]),
        ({"prompt": [user("a"), bot("b"), user("c")]}, [("user", "a"), ("assistant", "b"), ("user", "c")]),
        ({"prompt": [{"role": "developer", "content": "x"}, user("c")]}, [("system", "x"), ("user", "c")]),
        ({"prompt": [{"from": "human", "value": "c"}]}, [("user", "c")]),
        ({"prompt": {"role": "user", "content": ["a", {"type": "text", "text": "b"}]}}, [("user", "ab")]),
        ({"prompt": "[1, 2] sorted?"}, [("user", "[1, 2] sorted?")]),
        ({"prompt": "\n\nHuman: Hi.\n\nAssistant:"}, [("user", "\n\nHuman: Hi.\n\nAssistant:")]),
        ({"prompt": "Explain `<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n`."}, None),
    ],
)  # fmt: skip
def test_all_columns_of_a_request_are_in_the_prompt(asked: Row, wanted: list[tuple[str, str]] | None) -> None:
    found = one_of({**asked, **SIDES})
    if asked.get("prompt") == "\n\nHuman: Hi.\n\nAssistant:":
        wanted = [("user", "Hi.")]
    assert turns(found) == (wanted or [("user", asked["prompt"])])
    assert answers(found) == {"good", "bad"}


@pytest.mark.parametrize(
    "transcript",
    [
        "\n\nHuman: Hi.\n\nAssistant: {}",
        "Human: Hi.\nAssistant: {}",
        "User: Hi.\n\nAI: {}",
        "### User: Hi.\n### Assistant: {}",
        "### Human:\nHi.\n\n### Assistant:\n{}",
        "**User:** Hi.\n\n**Assistant:** {}",
        "<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\n{}<|im_end|>\n",
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi.<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
        "<bos><start_of_turn>user\nHi.<end_of_turn>\n<start_of_turn>model\n{}<end_of_turn>",
        "<|user|>\nHi.</s>\n<|assistant|>\n{}</s>",
    ],
)
def test_transcripts_as_text_are_turns(transcript: str) -> None:
    row = {"chosen": transcript.format("Eight: a\nb."), "rejected": transcript.format("None.")}
    found = one_of(row)
    assert (turns(found), answers(found)) == ([("user", "Hi.")], {"Eight: a\nb.", "None."})


def test_an_answer_that_looks_like_a_transcript_of_something_else_is_an_answer() -> None:
    text = "User: here you put your name\nAssistant: here I answer"
    assert answers(one_of({"prompt": "Write a dialogue.", "chosen": text, "rejected": "no"})) == {text, "no"}


@pytest.mark.parametrize(
    "row",
    [
        {
            "prompt": "Name it.",
            "chosen": [user("Name it."), bot("good")],
            "rejected": [user("Name it."), bot("bad")],
        },
        {"prompt": "Name it.", "chosen": "Name it.\ngood", "rejected": "Name it.\nbad"},
        {"prompt": "Name it. ", "chosen": [user(" Name it."), bot("good")], "rejected": "bad"},
        {"prompt": [user("Name it.")], "chosen": [user("Name it."), bot("good")], "rejected": [bot("bad")]},
        {"prompt": "Name it.", "messages": [user("Name it."), bot("good")], **SIDES},
        {
            "chosen": json.dumps([user("Name it."), bot("good")]),
            "rejected": json.dumps([user("Name it."), bot("bad")]),
        },
    ],
)
def test_a_prompt_repeated_in_the_sides_is_taken_off(row: Row) -> None:
    found = one_of(row)
    assert [(role, text.strip()) for role, text in turns(found)] == [("user", "Name it.")]
    assert answers(found) == {"good", "bad"}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Name it.", "chosen": [user("Something else?"), bot("good")], "rejected": "bad"},
        {"chosen": [user("a"), bot("x"), user("c"), bot("good")],
         "rejected": [user("a"), bot("y"), user("c"), bot("bad")]},
        {"prompt": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}], **SIDES},
        {"prompt": "p", "image": "x.png", **SIDES},
        {"prompt": "p", "history": ["a", "b", "c"], **SIDES},
        {"prompt": [{"role": "narrator", "content": "x"}], **SIDES},
        {"prompt": 7, **SIDES},
        {"prompt": "p", "chosen": "good"},
        {"prompt": "p", "chosen": "good", "rejected": ["bad", {"x": 1}]},
        {"prompt": "p", "chosen": "", "rejected": "bad"},
    ],
)  # fmt: skip
def test_what_cannot_be_put_together_costs_its_row_and_says_why(tmp_path: Path, row: Row) -> None:
    found = read(tmp_path, row, {"prompt": "q", **SIDES}, name="trl-preference")
    assert len(found.seeds) == 1
    assert [bad.line for bad in found.bad] == [1]
    assert found.bad[0].reason


@pytest.mark.parametrize(
    "said", [1, 0, "1", "0", 1.0, "1.0", "0.0", True, "true", "False", "YES", "no", "good", "thumbs_down"]
)
def test_labels_of_single_answers_in_many_spellings(said: Any) -> None:
    found = one_of({"prompt": "p", "completion": "c", "label": said}, "trl-unpaired-preference")
    good = str(said).lower() in ("1", "1.0", "true", "yes", "good")
    assert found.said[0].choice == ("accept" if good else "reject")


@pytest.mark.parametrize("said", [2, "maybe", 0.5, [], {"x": 1}, "NaN", -2])
def test_a_label_that_is_neither_costs_its_row(tmp_path: Path, said: Any) -> None:
    found = read(tmp_path, {"prompt": "p", "completion": "c", "label": said}, name="trl-unpaired-preference")
    assert found.seeds == []
    assert len(found.bad) == 1


def test_rows_under_one_id_are_records_of_their_own(tmp_path: Path) -> None:
    rows = [{"id": "dup", "prompt": "q", "chosen": "a", "rejected": other} for other in ("b", "c", "d")]
    found = read(tmp_path, *rows, rows[0], {"id": "dup", "prompt": "other", **SIDES})
    assert len({one.seed["id"] for one in found.seeds}) == len(found.seeds) == 4
    assert [one.metadata.get("id") for one in found.seeds] == [None, "dup", "dup", "dup"]
    assert [bad.line for bad in found.bad] == [4], "the row that stands twice"
    again = read(tmp_path, *rows, rows[0], {"id": "dup", "prompt": "other", **SIDES})
    assert [one.seed["id"] for one in again.seeds] == [one.seed["id"] for one in found.seeds]


def test_columns_of_ours_of_another_kind_are_metadata_and_cost_no_row(tmp_path: Path) -> None:
    odd: Row = {
        "id": {"a": 1}, "tags": {"k": 1}, "lang": ["en"], "group": [1], "source": ["x", "y"], "subject": {"s": 1},
        "licence": [], "consent": False, "specialty": [2], "responses": "r", "verdicts": {"v": 1},
        "reference": {"r": 1}, "messages": 4, "conversations": [1, 2], "context": 7.5, "document": {"page": 3},
        "task": True, "history": [[1, 2]], "system": 0,
    }  # fmt: skip
    rows = [{"prompt": f"q {name}", **SIDES, name: value} for name, value in odd.items()]
    found = read(tmp_path, *rows)
    assert found.bad == []
    for one, (name, value) in zip(found.seeds, odd.items(), strict=True):
        ours = one.seed if name == "consent" else one.metadata
        assert ours.get(name, []) == value, name


def test_tool_turns_are_kept() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    asked = [
        user("What is 1 + 1?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "name": "add", "content": "2"},
    ]
    for row in (
        {"prompt": asked, **SIDES},
        {"chosen": [*asked, bot("good")], "rejected": [*asked, bot("bad")]},
        {"conversations": [{"from": "human", "value": "What is 1 + 1?"},
                           {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 1}}'},
                           {"from": "observation", "value": "2"}],
         "chosen": {"from": "gpt", "value": "good"}, "rejected": {"from": "gpt", "value": "bad"}},
    ):  # fmt: skip
        found = one_of(row)
        spoken = turns(found)
        assert [role for role, _ in spoken] == ["user", "assistant", "tool"]
        assert '"add"' in spoken[1][1]
        assert spoken[2][1] == "2"
        assert answers(found) == {"good", "bad"}


NAMES = sorted(
    {*ASKED, *HISTORY, *REFERENCE, *SYSTEM, *COLUMNS, "score", "extra", "completion", "answer", "label"}
)
MARKS = st.integers(0, 999).map("mark {:03}".format)
VALUES = st.recursive(
    st.one_of(MARKS, MARKS.map(user), MARKS.map(bot), st.none(), st.integers(-3, 3)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "x", "content"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(row=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5), name=st.sampled_from(sorted(FORMATS)))
def test_every_mark_of_a_row_is_kept_or_the_row_is_refused(row: Row, name: str) -> None:
    whole = {"prompt": "Name it.", **SIDES, **row}
    try:
        found = [one for one in FORMATS[name].read(whole) if isinstance(one, Imported)]
    except RowProblem:
        return
    kept = json.dumps([[one.seed, one.metadata, one.record] for one in found])
    text = json.dumps(whole)
    assert found
    missing = {text[at : at + 8] for at in range(len(text)) if text.startswith("mark ", at)} - {
        kept[at : at + 8] for at in range(len(kept)) if kept.startswith("mark ", at)
    }
    assert not missing


def test_an_id_of_nought_is_an_id(tmp_path: Path) -> None:
    first, second = read(
        tmp_path, {"id": 0, "prompt": "Who?", **SIDES}, {"id": 0, "prompt": "When?", **SIDES}
    ).seeds
    assert (first.seed["id"], second.metadata["id"]) == (0, "0")
    assert importing._seed_row(first)["id"] == "0"


def test_what_stands_beside_the_function_of_a_tool_call_is_metadata() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    asked = [user("Rain?"), {"role": "assistant", "content": None, "tool_calls": [call]}, user("So?")]
    found = one_of({"prompt": asked, **SIDES})
    assert turns(found)[1] == ("assistant", '{"name": "weather", "arguments": "{}"}')
    assert found.metadata["prompt"] == [{}, {"tool_calls": [{"id": "c1", "type": "function"}]}, {}]


def test_an_answer_of_the_arena_that_is_null_costs_its_row() -> None:
    flags = {"winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0, "model_a": "m", "model_b": "n"}
    row = {"prompt": '["Who?"]', "response_a": "[null]", "response_b": '["Me."]', **flags}
    with pytest.raises(RowProblem, match=r"there is no 'response_a"):
        one_of(row, "arena")
    assert answers(one_of({**row, "response_a": '["You."]'}, "arena")) == {"You.", "Me."}


@pytest.mark.parametrize("levels", [200, 400, 900])
@pytest.mark.parametrize("column", ["context", "messages", "chosen", "history", "other"])
@pytest.mark.parametrize("name", ["auto", "trl-preference"])
def test_nesting_without_end_costs_its_row_alone(tmp_path: Path, levels: int, column: str, name: str) -> None:
    path = tmp_path / "rows.jsonl"
    row = json.dumps({"prompt": "q", **SIDES, column: "DEEP"}).replace(
        '"DEEP"', "[" * levels + "1" + "]" * levels
    )
    lines = [row, json.dumps({"prompt": "q", **SIDES})]
    path.write_text("\n".join(lines), encoding="utf-8")
    found = read_import(name, path)
    assert [bad.line for bad in found.bad] == [1]
    assert (
        f"column '{column}' is nested deeper" in found.bad[0].reason or "nested deeper" in found.bad[0].reason
    )
    assert len(found.seeds) == 1


CHAT = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "List roles", "chosen": json.dumps(CHAT), "rejected": json.dumps(CHAT[:1])},
        {
            "prompt": "List roles",
            "completions": [{"text": json.dumps(CHAT), "score": 2}, {"text": "no", "score": 1}],
        },
        {"prompt": "List roles", "response": json.dumps(CHAT)},
    ],
    ids=["pair", "listed", "single"],
)
def test_an_answer_that_happens_to_be_messages_in_json_stays_text(
    row: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    (seed,) = (one.seed for one in read_import("auto", tmp_path / "rows.jsonl").seeds)
    assert json.dumps(CHAT) in [one["text"] for one in seed["responses"]]
    assert [turn["content"] for turn in seed["messages"]] == ["List roles"]


def test_messages_written_as_a_text_are_read_where_they_answer_the_request(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "List roles"}]
    sides = {"chosen": [*asked, CHAT[1]], "rejected": [{"role": "assistant", "content": "z"}]}
    row = {"prompt": "List roles", **{name: json.dumps(turns) for name, turns in sides.items()}}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    (seed,) = (one.seed for one in read_import("auto", tmp_path / "rows.jsonl").seeds)
    assert {one["text"] for one in seed["responses"]} == {"y", "z"}
