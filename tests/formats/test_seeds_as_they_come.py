"""Seed files as other tools write them: packed, in any Unicode encoding, as lists, with the quirks of tables and of
chats. A run is known by its rows, not by how they are written."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon.config import parse_config
from solon.errors import SeedError
from solon.formats.seed_files import BadRow
from solon.formats.seed_rows import SeedRow
from solon.formats.seeds import read_seeds
from solon.project import Project
from solon.workspace.seeds import tell_content_aside

ROWS: list[dict[str, Any]] = [
    {"id": "a", "prompt": "Why do leaves fall?", "tags": ["botany"]},
    {"id": "b", "prompt": "Was ist ein Gedicht? – in zwei Sätzen", "reference": "Ein Text in Versen."},
    {"id": "c", "prompt": "日本の首都は？", "score": 3},
]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
LIST = json.dumps(ROWS, ensure_ascii=False, indent=2)


def good(file: Path) -> list[SeedRow]:
    return [row for row in read_seeds(file) if isinstance(row, SeedRow)]


def ends(file: Path) -> list[str]:
    return [row.reason for row in read_seeds(file) if isinstance(row, BadRow)]


def only(tmp_path: Path, row: dict[str, Any]) -> SeedRow:
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(row), encoding="utf-8")
    assert ends(file) == []
    (seed,) = good(file)
    return seed


@pytest.mark.parametrize(
    ("name", "pack"),
    [("s.jsonl.gz", gzip.compress), ("s.jsonl.bz2", bz2.compress), ("s.json.xz", lzma.compress)],
)
def test_packed_files_are_read(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / name).write_bytes(pack(LINES.encode()))
    assert [row.prompt for row in good(tmp_path / name)] == [row["prompt"] for row in ROWS]


def test_zstandard_is_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    packed = pyarrow.compress(LINES.encode(), codec="zstd", asbytes=True)
    (tmp_path / "s.jsonl.zst").write_bytes(packed)
    assert [row.id for row in good(tmp_path / "s.jsonl.zst")] == ["a", "b", "c"]


def test_a_packed_file_that_breaks_off_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl.gz").write_bytes(gzip.compress(LINES.encode() * 500)[:-40])
    with pytest.raises(SeedError, match=r"s\.jsonl\.gz"):
        good(tmp_path / "s.jsonl.gz")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("content", [LINES, LIST], ids=["lines", "list"])
def test_any_unicode_encoding_gives_the_same_rows(tmp_path: Path, encoding: str, content: str) -> None:
    (tmp_path / "s.json").write_bytes(content.encode(encoding))
    assert [row.digest() for row in good(tmp_path / "s.json")] == [
        row.digest() for row in good(write(tmp_path / "plain.jsonl", LINES))
    ]


def write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def test_a_list_names_the_line_of_a_bad_element(tmp_path: Path) -> None:
    file = write(tmp_path / "s.json", '[\n{"prompt": "a"},\n{"prompt": ""},\n17,\n{"prompt": "d"}\n]')
    got = list(read_seeds(file))
    assert [row.prompt for row in got if isinstance(row, SeedRow)] == ["a", "d"]
    assert [row.line for row in got if isinstance(row, BadRow)] == [3, 4]


@pytest.mark.parametrize("content", ["", "[]", "\n\n", "\ufeff", "[\n]\n"])
def test_nothing_in_it_is_no_row(tmp_path: Path, content: str) -> None:
    assert list(read_seeds(write(tmp_path / "s.json", content))) == []


@pytest.mark.parametrize(
    "table",
    [
        "id,prompt\r\na,hello\r\n",
        "\ufeffID;Prompt\na;hello\n",
        "sep=;\nid;prompt\na;hello\n",
        'sep=|\nid|"prompt"\na|hello\n',
        "id\tprompt\na\thello\n",
        "id,prompt,,\na,hello,,\n",
        "id,prompt,,\na,hello\n",
        " id , PROMPT \na,hello\n",
        "\n\nid,prompt\na,hello\n",
        "id,prompt\ra,hello\r",
    ],
)
def test_tables_of_other_tools(tmp_path: Path, table: str) -> None:
    (tmp_path / "s.csv").write_bytes(table.encode())
    assert [(row.id, row.prompt, row.metadata) for row in good(tmp_path / "s.csv")] == [("a", "hello", {})]
    assert ends(tmp_path / "s.csv") == []


def test_cells_beyond_the_header_are_no_quirk(tmp_path: Path) -> None:
    file = write(tmp_path / "s.csv", "id,prompt\na,hello,more\nb,bye\n")
    assert ends(file) == ["the row has 3 cells, the header 2"]
    assert [row.id for row in good(file)] == ["b"]


@pytest.mark.parametrize(
    "turns",
    [
        [{"from": "human", "value": "hello"}],
        [{"role": "prompter", "text": "hello"}],
        [{"speaker": "user", "message": "hello"}],
        [{"sender": "Human", "content": [{"type": "text", "text": "hello"}]}],
        [{"from": "user", "value": "hello"}],
        [{"role": "Human", "content": "hello"}],
        [{"role": "user", "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]}],
    ],
)
@pytest.mark.parametrize("column", ["messages", "conversations", "conversation"])
def test_chats_of_other_tools(tmp_path: Path, turns: list[Any], column: str) -> None:
    seed = only(tmp_path, {column: turns})
    assert seed.prompt == "hello"
    assert seed.conversation() == [{"role": "user", "content": "hello"}]
    assert seed.responses == ()


def test_a_developer_speaks_as_the_system(tmp_path: Path) -> None:
    turns = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    assert only(tmp_path, {"messages": turns}).conversation()[0] == {"role": "system", "content": "Be brief."}


def test_a_last_answer_is_the_first_response(tmp_path: Path) -> None:
    turns = [
        {"from": "human", "value": "hello"},
        {"from": "gpt", "value": "Hi."},
        {"from": "human", "value": "How are you?"},
        {"from": "gpt", "value": "  Well.\n"},
    ]
    seed = only(tmp_path, {"conversations": turns, "responses": ["Bad."]})
    assert (seed.prompt, [one.text for one in seed.responses]) == ("How are you?", ["  Well.\n", "Bad."])
    assert len(seed.conversation()) == 3
    alone = only(tmp_path, {"conversations": turns, "responses": ["  Well.\n"]})
    assert [one.text for one in alone.responses] == ["  Well.\n"], "it is not there twice"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"prompt": "a", "n": ' + "9" * 5000 + "}", "more than 4300 digits"),
        ('{"prompt": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested deeper"),
        ('{"prompt": "a", "messages": [{"role": "wizard", "content": "x"}]}', "wizard"),
        ('{"messages": [{"from": "gpt", "value": "x"}]}', "nothing but an answer"),
        ('{"prompt": "caf\udce9"}', "not UTF-8: byte 0xe9"),
    ],
)
def test_a_line_that_cannot_be_read_costs_itself_alone(tmp_path: Path, line: str, told: str) -> None:
    file = tmp_path / "s.jsonl"
    file.write_bytes(f'{{"prompt": "a"}}\n{line}\n{{"prompt": "c"}}\n'.encode("utf-8", "surrogateescape"))
    assert [row.prompt for row in good(file)] == ["a", "c"]
    (reason,) = ends(file)
    assert told in reason


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("keys.jsonl", "".join(json.dumps(dict(reversed(row.items()))) + "\n\n" for row in ROWS)),
        ("list.json", LIST),
        ("order.jsonl", "".join(json.dumps(row) + "\n" for row in reversed(ROWS))),
        ("wide.jsonl", LINES.encode("utf-16")),
        ("packed.jsonl.gz", gzip.compress(LINES.encode())),
    ],
)
def test_the_same_rows_go_on_with_their_run(tmp_path: Path, name: str, content: str | bytes) -> None:
    config = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "never"}}
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with Project(f"sqlite:///{tmp_path / 's.db'}", config=config) as project:
        first = project.run("preference", write(tmp_path / "first.jsonl", LINES))
        again = project.run("preference", tmp_path / name)
        assert again.run_id == first.run_id
        assert again.model_calls == first.model_calls
        (tmp_path / "more.jsonl").write_text(LINES + '{"prompt": "one more"}\n', encoding="utf-8")
        assert project.run("preference", tmp_path / "more.jsonl").run_id != first.run_id


TALK = [
    {"from": "system", "value": "Be brief."},
    {"from": "human", "value": "First?"},
    {"from": "gpt", "value": "One."},
    {"from": "human", "value": "And then?"},
]
SAID = [{"role": "user", "content": "And then?"}]


@pytest.mark.parametrize("column", ["messages", "conversations", "conversation", "Conversations"])
@pytest.mark.parametrize("written", [list, json.dumps])
def test_a_conversation_beside_its_prompt_keeps_its_earlier_turns(
    column: str, written: Callable[[Any], Any], tmp_path: Path
) -> None:
    seed = only(tmp_path, {"prompt": "And then?", column: written(TALK)})
    assert [turn["content"] for turn in seed.conversation()] == ["Be brief.", "First?", "One.", "And then?"]
    assert seed.metadata == {}
    both = only(tmp_path, {"messages": [*SAID], "conversations": [{"from": "human", "value": "And then?"}]})
    assert (both.prompt, both.metadata) == ("And then?", {})


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            {"prompt": "other", "conversations": TALK},
            "both prompt and conversations, and prompt is not the last",
        ),
        ({"messages": SAID, "conversations": TALK}, "both messages and conversations, and they differ"),
        (
            {"conversations": TALK, "conversation": SAID},
            "both conversations and conversation, and they differ",
        ),
        ({"conversations": []}, "conversations is an empty list"),
        ({"messages": None}, "messages is empty"),
        ({"conversation": ""}, "conversation is empty"),
    ],
)
def test_a_conversation_that_does_not_fit_is_refused(row: dict[str, Any], told: str, tmp_path: Path) -> None:
    assert told in ends(write(tmp_path / "s.jsonl", json.dumps(row)))[0]


@pytest.mark.parametrize(
    "beside",
    ["a17", 17, {"number": 3}, [], "[2024-01-01 10:00] hi", "[12, 13]", [12, 13], ["c-1"], [{"number": 3}]],
)
def test_a_column_that_is_no_conversation_stays_a_column(beside: Any, tmp_path: Path) -> None:
    assert only(tmp_path, {"prompt": "a", "conversation": beside}).metadata == {"conversation": beside}
    row = {"conversation": beside, "conversations": SAID}
    assert only(tmp_path, row).prompt == "And then?"


def test_what_messages_say_beside_role_and_content_is_metadata(tmp_path: Path) -> None:
    asked = {"role": "user", "content": "a", "name": "Ann", "weight": 0, "ts": "2020", "empty": ""}
    calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    turns = [
        asked,
        {"role": "assistant", "content": "", "tool_calls": calls, "thinking": "hm"},
        {"role": "tool", "content": "7", "tool_call_id": "c1", "name": "f", "ms": 3},
        {
            "from": "gpt",
            "value": "Seven.",
            "reasoning_content": "7",
            "model": "m",
            "score": 3,
            "function_call": "f",
        },
    ]
    wanted = [
        {"name": "Ann", "weight": 0, "ts": "2020"},
        {"thinking": "hm"},
        {"ms": 3},
        {"reasoning_content": "7", "model": "m", "score": 3, "function_call": "f"},
    ]
    seed = only(tmp_path, {"conversations": turns, "topic": "x"})
    assert seed.metadata == {"topic": "x", "conversations": wanted}
    assert [one.text for one in seed.responses] == ["Seven."]
    plain = [{name: turn[name] for name in turn if name != "ts"} for turn in turns]
    assert only(tmp_path, {"messages": plain}).metadata["messages"][0] == {"name": "Ann", "weight": 0}


def test_columns_that_look_like_content_are_told_before_a_run() -> None:
    config = parse_config({"models": {"default": {"model": "scripted:default"}}})
    row = {
        "prompt": "a",
        "System_Prompt": "Be brief.",
        "history": [["b", "c"]],
        "chosen": "d",
        "answer": 3,
        "k": "l",
    }
    told = tell_content_aside([row, {"prompt": "e", "context": "f", "rejected": ""}], config)
    for words in (
        "System_Prompt (its place: the first turn of `messages`)",
        "history (its place: turns of `messages`)",
        "chosen (its place: `responses`, or a file for `solon import`)",
        "context (its place: `input`)",
    ):
        assert words in told
    assert not any(name in told for name in ("answer", "rejected", "k ("))
    assert tell_content_aside([{"prompt": "a", "topic": "b", "system": None}], config) == ""
    mapped = config.model_copy(
        update={"seeds": config.seeds.model_copy(update={"map": {"messages": "turns"}})}
    )
    turns = [{"role": "user", "content": "a", "name": "Ann", "sender": "b"}]
    told = tell_content_aside([{"turns": turns, "conversations": SAID, "conversation": "c-1"}], mapped)
    assert told.endswith(": conversations (its place: `messages`)")
    assert tell_content_aside([{"messages": turns}, {"conversations": turns}], config) == ""
