"""Seed rows: what is read, what is refused, and that nothing is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solon.cli.seeds import demo_seeds_path
from solon.errors import SeedError
from solon.formats.seed_files import BadRow
from solon.formats.seed_rows import SeedRow
from solon.formats.seeds import read_seed_rows, read_seeds, write_bad_rows


def write_lines(path: Path, *lines: object) -> Path:
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(raw) + b"\n")
    return path


def read_one(row: dict[str, Any], **options: Any) -> SeedRow | BadRow:
    (got,) = read_seed_rows([row], **options)
    return got


def good(row: dict[str, Any], **options: Any) -> SeedRow:
    got = read_one(row, **options)
    assert isinstance(got, SeedRow), got
    return got


def reason(row: dict[str, Any], **options: Any) -> str:
    got = read_one(row, **options)
    assert isinstance(got, BadRow), got
    return got.reason


def test_every_column_is_read_and_the_rest_is_metadata() -> None:
    row = good(
        {
            "id": 7,
            "prompt": "Why?",
            "input": "the text",
            "reference": "Because.",
            "tags": ["a", "b", "a"],
            "responses": [{"text": "x", "source": "wiki", "model": "m", "score": 3}, "y"],
            "lang": "en",
            "specialty": "law",
            "group": 12.0,
            "subject": "p-1",
            "source": "own",
            "licence": "CC0",
            "consent": True,
            "difficulty": 3,
            "nested": {"k": [1, None]},
        }
    )
    assert (row.id, row.prompt, row.input, row.reference) == ("7", "Why?", "the text", "Because.")
    assert row.tags == ("a", "b")
    assert [(r.text, r.source, r.model) for r in row.responses] == [("x", "wiki", "m"), ("y", "", "")]
    assert row.responses[0].metadata == {"score": 3}
    assert (row.group, row.consent, row.subject) == ("12", "true", "p-1")
    assert row.metadata == {"difficulty": 3, "nested": {"k": [1, None]}}
    assert row.conversation() == [{"role": "user", "content": "Why?\n\nthe text"}]


def test_messages_give_the_prompt_and_text_parts_are_joined() -> None:
    row = good(
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hello"},
                {"role": "assistant", "content": "Hi"},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "And "}, {"type": "text", "text": "now?"}],
                },
            ]
        }
    )
    assert row.prompt == "And now?"
    assert [turn["role"] for turn in row.conversation()] == ["system", "user", "assistant", "user"]
    assert row.conversation()[-1]["content"] == "And now?"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": " \n"}, "prompt is empty"),
        ({"prompt": 3}, "prompt is a number"),
        ({"prompt": ["a"]}, "prompt is a list"),
        ({"question": "Why?"}, "only 'question'"),
        ({"prompt": "a\x00b"}, "NUL"),
        ({"prompt": "a", "note": "b\x00"}, "NUL"),
        ({"prompt": "a\ud800"}, "lone surrogate"),
        ({"prompt": "a", "messages": [{"role": "user", "content": "b"}]}, "both prompt and messages"),
        ({"messages": []}, "messages is an empty list"),
        ({"messages": "hi"}, "not JSON"),
        ({"messages": {"role": "user"}}, "messages is an object, not a list"),
        ({"messages": ["hi"]}, "messages[0] is a text"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "messages[0].role is 'robot'"),
        ({"messages": [{"role": ["user"], "content": "a"}]}, 'messages[0].role is ["user"]'),
        ({"messages": [{"role": "user", "content": " "}]}, "messages[0].content is empty"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content is null"),
        (
            {"messages": [{"role": "assistant", "content": "b"}]},
            "nothing but an answer",
        ),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]},
            "only the first message may be",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "audio"),
        ({"prompt": "a", "image": "cat.png"}, "has an image"),
        ({"prompt": "a", "audio": {"bytes": b"x"}}, "has an image, audio or video"),
        ({"prompt": "a", "photo": b"\x89PNG"}, "binary data"),
        ({"prompt": "a", "responses": []}, "responses is an empty list"),
        ({"prompt": "a", "responses": [{"text": ""}]}, "responses[0].text is empty"),
        ({"prompt": "a", "responses": [{"source": "x"}]}, "responses[0].text is null"),
        ({"prompt": "a", "responses": ["s", "s"]}, "responses[0] and responses[1] are the same text"),
        ({"prompt": "a", "responses": ["s", "t", {"text": "\n s "}]}, "responses[0] and responses[2] are"),
        ({"prompt": "a", "responses": '["s", "s\\t"]'}, "responses[0] and responses[1] are the same text"),
        ({"prompt": "a", "responses": "no"}, "not JSON"),
        ({"prompt": "a", "responses": [3]}, "responses[0] is a number"),
        ({"prompt": "a", "tags": [1]}, "tags is not a list of texts"),
        ({"prompt": "a", "reference": ["x"]}, "reference is a list"),
        ({"prompt": "a", "id": "x" * 201}, "id is longer"),
        ({"prompt": "a", "id": "\x1b[31mred"}, "control characters"),
        ({"prompt": "a", "id": True}, "id is true/false"),
        ({"prompt": "a", "thing": object()}, "holds a object"),
    ],
)
def test_bad_rows_name_their_reason(row: dict[str, Any], expected: str) -> None:
    assert expected in reason(row)


def test_a_row_that_is_too_long_is_refused_and_not_cut() -> None:
    assert "1001 characters, more than the 1000" in reason({"prompt": "a" * 1001}, max_chars=1000)
    assert good({"prompt": "a" * 1000}, max_chars=1000).prompt == "a" * 1000
    assert "more than the 1000" in reason({"prompt": "a", "note": ["b" * 600, "c" * 600]}, max_chars=1000)


def test_nesting_is_bounded() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert "nested deeper" in reason({"prompt": "a", "deep": deep})


def test_renamed_columns() -> None:
    rows = [{"question": "Why?", "prompt": "template 3"}]
    (row,) = read_seed_rows(rows, column_map={"prompt": "question"})
    assert isinstance(row, SeedRow)
    assert row.prompt == "Why?"
    assert row.metadata == {"prompt": "template 3"}
    assert "(from seeds.map.prompt = 'frage')" in reason({"q": "a"}, column_map={"prompt": "frage"})


@pytest.mark.parametrize(
    ("column_map", "hint"),
    [({"promt": "q"}, "did you mean 'prompt'"), ({"question": "prompt"}, "map.prompt =")],
)
def test_a_wrong_map_is_an_error(column_map: dict[str, str], hint: str) -> None:
    with pytest.raises(SeedError, match=hint):
        read_seed_rows([], column_map=column_map)


def test_ids_from_content_are_stable_and_a_repeated_row_is_a_duplicate() -> None:
    rows = [{"prompt": "a"}, {"prompt": "b"}, {"prompt": "a"}, {"lang": "en", "prompt": "a"}]
    first, second, third, fourth = read_seed_rows(rows)
    assert isinstance(first, SeedRow)
    assert isinstance(second, SeedRow)
    assert isinstance(fourth, SeedRow)
    assert first.id == good({"prompt": "a", "tags": None}).id
    assert len({first.id, second.id, fourth.id}) == 3
    assert len(first.id) == 16
    assert int(first.id, 16) >= 0
    assert isinstance(third, BadRow)
    assert "duplicate id" in third.reason
    assert third.line == 3


def test_duplicate_ids_keep_the_first() -> None:
    got = list(read_seed_rows([{"id": "1", "prompt": "a"}, {"id": 1, "prompt": "b"}]))
    assert isinstance(got[0], SeedRow)
    assert got[0].prompt == "a"
    assert got[1] == BadRow(2, "duplicate id (1)", '{"id": 1, "prompt": "b"}')


def test_many_ids_are_told_apart_in_little_memory() -> None:
    from solon.formats.seeds import SeenIds

    seen = SeenIds()
    assert all(seen.add(f"row-{n}") for n in range(20_000))
    assert not any(seen.add(f"row-{n}") for n in range(0, 20_000, 7))
    assert len(seen._slots) * 8 <= 27 * 20_000


def test_values_of_pandas_frames() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "prompt": ["a", "b", None],
            "lang": ["en", None, "en"],
            "group": [1, None, 2],
            "when": pandas.to_datetime(["2024-01-02", None, None]),
            "tags": [["x"], None, []],
        }
    )
    first, second, third = read_seed_rows(frame.to_dict("records"))
    assert isinstance(first, SeedRow)
    assert isinstance(second, SeedRow)
    assert (first.lang, first.group, first.tags) == ("en", "1", ("x",))
    assert first.metadata == {"when": "2024-01-02T00:00:00"}
    assert (second.lang, second.group, second.metadata) == (None, None, {"when": None})
    assert isinstance(third, BadRow)
    assert "prompt is empty" in third.reason


def test_prompts_alone_and_foreign_objects() -> None:
    got = list(read_seed_rows(["Why?", 3]))  # type: ignore[list-item]
    assert isinstance(got[0], SeedRow)
    assert got[0].prompt == "Why?"
    assert isinstance(got[1], BadRow)
    assert got[1].reason == "not a mapping but a int"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_answers_that_differ_within_and_an_answer_that_ends_the_messages_are_taken() -> None:
    assert len(good({"prompt": "a", "responses": ["s", "S", "s s"]}).responses) == 3
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "s"}]
    assert [one.text for one in good({"messages": turns, "responses": ["s ", "t"]}).responses] == ["s ", "t"]


NAMES = st.sampled_from(["id", "prompt", "messages", "responses", "tags", "group", "image", "x"])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.dictionaries(NAMES, JSON, max_size=5), max_size=5))
def test_whatever_stands_in_a_row_each_row_gives_exactly_one_result(rows: list[dict[str, Any]]) -> None:
    got = list(read_seed_rows(rows))
    assert len(got) == len(rows)
    for result in got:
        if isinstance(result, SeedRow):
            assert result.prompt.strip()
            json.dumps([result.metadata, result.conversation()], allow_nan=False).encode()
        else:
            assert result.reason
            assert result.excerpt.isprintable()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_stands_in_a_file_reading_does_not_fail(tmp_path_factory: Any, raw: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in ("a.jsonl", "a.csv"):
        file = folder / name
        file.write_bytes(b'{"prompt":"x"}\n' + raw if name == "a.jsonl" else b"prompt\nx\n" + raw)
        got = list(read_seeds(file))
        assert isinstance(got[0], SeedRow)
        assert got[0].prompt == "x"


def test_bad_rows_are_written_as_jsonl(tmp_path: Path) -> None:
    bad = [BadRow(3, "not UTF-8", "caf\\xe9"), BadRow(9, "ü", "…")]
    assert write_bad_rows(tmp_path / "bad.jsonl", iter(bad)) == 2
    lines = (tmp_path / "bad.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"line": 3, "reason": "not UTF-8", "excerpt": "caf\\xe9"},
        {"line": 9, "reason": "ü", "excerpt": "…"},
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.jsonl"]


def test_the_demo_seeds() -> None:
    rows = list(read_seeds(demo_seeds_path()))
    assert all(isinstance(row, SeedRow) for row in rows)
    assert [row.id for row in rows if isinstance(row, SeedRow)] == [f"demo-{n:02}" for n in range(1, 13)]
    assert all(sum(len(t["content"]) for t in r.conversation()) < 400 for r in rows if isinstance(r, SeedRow))


CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"title": "Emma"}'}}
ASKED = {"role": "user", "content": "Is Emma there?"}


def test_turns_of_tools_are_kept_as_they_came() -> None:
    called = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    found = {"role": "tool", "tool_call_id": "c1", "name": "find", "content": "2 copies"}
    seed = good({"messages": [ASKED, called, found, {"role": "assistant", "content": "Yes."}]})
    assert seed.messages == (ASKED, {**called, "content": ""}, found)
    assert [response.text for response in seed.responses] == ["Yes."]
    of_table = {**called, "tool_calls": json.dumps([CALL])}
    assert good({"messages": [ASKED, of_table, found]}).messages == seed.messages


@pytest.mark.parametrize(
    ("turn", "why"),
    [
        ({"role": "user", "content": "Go", "tool_calls": [CALL]}, "which the assistant makes"),
        ({"role": "assistant", "content": "", "tool_calls": ["find"]}, "no list of objects"),
        ({"role": "assistant", "content": "", "tool_calls": "find"}, "text that is not JSON"),
        ({"role": "assistant", "content": ""}, "content is empty"),
        ({"role": "tool", "content": "4", "tool_call_id": 4}, "tool_call_id is a"),
        ({"role": "tool", "content": " ", "name": "find"}, "content is empty"),
    ],
)
def test_turns_of_tools_that_are_none(turn: dict[str, Any], why: str) -> None:
    assert why in reason({"messages": [ASKED, turn, ASKED]})


def test_a_seed_does_not_end_with_calls() -> None:
    calls = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    assert "the last message calls tools" in reason({"messages": [ASKED, calls]})


@pytest.mark.parametrize("name", ["id", "ID", " Id", "key"])
def test_a_duplicate_is_named_by_its_id_however_its_column_is_written(name: str) -> None:
    rows = [{name: "c1", "prompt": text} for text in "ab"]
    got = list(read_seed_rows(rows, column_map={"id": "key"} if name == "key" else {}))
    assert getattr(got[1], "reason", "") == "duplicate id (c1)"


def test_an_excerpt_shows_how_a_list_begins() -> None:
    turns = [{"from": "martian", "value": "Some words " * 50}, {"from": "gpt", "value": "More."}]
    (bad,) = read_seed_rows([{"id": "a", "conversations": turns}])
    assert isinstance(bad, BadRow)
    assert bad.excerpt.startswith('{"id": "a", "conversations": [{"from": "martian", "value": "Some words')
    deep: Any = ["x" * 1000] * 1000
    for _ in range(50):
        deep = [deep]
    (hostile,) = read_seed_rows([{"prompt": deep}], max_chars=10**7)
    assert isinstance(hostile, BadRow)
    assert len(hostile.excerpt) < 200
