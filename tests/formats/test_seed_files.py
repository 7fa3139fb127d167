"""Seed files: every bad line named, the rest read, memory bounded."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest

from solon.errors import SeedError
from solon.formats.seed_files import MOST_COLUMNS, BadRow
from solon.formats.seed_rows import SeedRow
from solon.formats.seeds import read_seeds


def bad(path: Path, **options: object) -> dict[int, str]:
    return {row.line: row.reason for row in read_seeds(path, **options) if isinstance(row, BadRow)}  # type: ignore[arg-type]


def prompts(path: Path) -> list[str]:
    return [row.prompt for row in read_seeds(path) if isinstance(row, SeedRow)]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    file = tmp_path / "seeds.jsonl"
    lines = [
        b'\xef\xbb\xbf{"prompt": "first"}\r',  # byte order mark, CRLF
        b"",
        b'{"prompt": "cut off',
        b'["prompt"]',
        b'{"prompt": "caf\xe9"}',
        b'{"prompt": "a\x00b"}',
        b'{"prompt": "n", "score": NaN}',
        b'{"question": "x"}',
        b"[" * 100_000,
        b'{"prompt": "dup", "id": "1"}',
        b'{"prompt": "dup", "id": "1"}',
        b'{"prompt": "' + b"x" * 1_000_000 + b'"}',
        b'{"prompt": "\\ud83d"}',
        b'{"prompt": ' + b"9" * 5000 + b"}",
        '{"prompt": "last \U0001f600"}'.encode(),  # no newline at the end
    ]
    file.write_bytes(b"\n".join(lines))
    return file


def test_every_bad_line_is_named_and_the_rest_is_read(broken: Path) -> None:
    assert prompts(broken) == ["first", "n", "dup", "last \U0001f600"]
    reasons = bad(broken)
    assert list(reasons) == [3, 4, 5, 6, 8, 9, 11, 12, 13, 14]
    assert reasons[3].startswith("malformed JSON: Unterminated string")
    assert reasons[4] == "not a JSON object but a list"
    assert reasons[5] == "not UTF-8: byte 0xe9 at 15"
    assert "NUL" in reasons[6]
    assert "no column 'prompt' or 'messages', only 'question'" in reasons[8]
    assert reasons[9] == "malformed JSON: nested deeper than can be read (some hundred levels)"
    assert reasons[11] == "duplicate id (1)"
    assert "1000000 characters" in reasons[12]
    assert "surrogate" in reasons[13]
    assert reasons[14].startswith("malformed JSON")


def test_excerpts_are_short_and_printable(broken: Path) -> None:
    for row in read_seeds(broken):
        if isinstance(row, BadRow):
            assert len(row.excerpt) < 700
            assert row.excerpt.isprintable()


def test_a_line_without_end_is_skipped_without_being_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "big.jsonl"
    with file.open("wb") as stream:
        stream.write(b'{"prompt": "before"}\n{"prompt": "')
        for _ in range(40):
            stream.write(b"x" * 1_000_000)
        stream.write(b'"}\n{"prompt": "after"}\n')
    tracemalloc.start()
    got = list(read_seeds(file, max_chars=10_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row.prompt for row in got if isinstance(row, SeedRow)] == ["before", "after"]
    assert [row.line for row in got] == [1, 2, 3]
    assert isinstance(got[1], BadRow)
    assert "more than seeds.max_chars allows" in got[1].reason
    assert peak < 2_000_000


def test_reading_is_streamed(tmp_path: Path) -> None:
    file = tmp_path / "long.jsonl"
    with file.open("w") as stream:
        for n in range(20_000):
            stream.write(json.dumps({"id": n, "prompt": "word " * 50}) + "\n")
    tracemalloc.start()
    count = sum(1 for _ in read_seeds(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 2_000_000


def test_csv_with_quotes_newlines_and_json_cells(tmp_path: Path) -> None:
    file = tmp_path / "seeds.csv"
    file.write_bytes(
        "\ufeffid,prompt,tags,responses,level\r\n"
        '1,"Say ""hi"",\r\nplease","a, b","[{""text"": ""hi""}]",3\r\n'
        "\r\n"
        "2,Why?,,,\r\n".encode()
    )
    first, second = read_seeds(file)
    assert isinstance(first, SeedRow)
    assert isinstance(second, SeedRow)
    assert (first.prompt, first.tags, first.responses[0].text) == ('Say "hi",\r\nplease', ("a", "b"), "hi")
    assert (first.line, second.line) == (2, 5)
    assert first.metadata == {"level": "3"}
    assert (second.tags, second.responses) == ((), ())


def test_bad_csv_rows_do_not_swallow_their_neighbours(tmp_path: Path) -> None:
    file = tmp_path / "seeds.csv"
    file.write_bytes(
        b"id,prompt\n"
        b'1,good\n2,"never closed\n3,after\n4,too,many\n5\n6,caf\xe9\n7,"closed" badly\n8,\n9,'
        + b"x" * 300_000
        + b"\n10,end\n"
    )
    assert prompts(file) == ["good", "after", "end"]
    reasons = bad(file)
    assert list(reasons) == [3, 5, 6, 7, 8, 9, 10]
    assert reasons[3].startswith("malformed CSV")
    assert reasons[5] == "the row has 3 cells, the header 2"
    assert reasons[7] == "not UTF-8: byte 0xe9 at 5"
    assert reasons[8].startswith("malformed CSV")
    assert reasons[9] == "prompt is empty"


def test_the_lines_of_a_cell_that_is_too_long_are_no_rows(tmp_path: Path) -> None:
    file = tmp_path / "seeds.csv"
    cell = "8,looks like a row\n" * 30_000
    file.write_text(f'id,prompt\n1,good\n2,"{cell}"\n3,end\n')
    assert prompts(file) == ["good", "end"]
    assert list(bad(file)) == [3]


def test_a_csv_header_that_cannot_be_meant(tmp_path: Path) -> None:
    file = tmp_path / "seeds.csv"
    file.write_text("prompt,prompt\na,b\n")
    with pytest.raises(SeedError, match="has the column 'prompt' twice"):
        list(read_seeds(file))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_whatever_separates_the_cells(tmp_path: Path, separator: str) -> None:
    file = tmp_path / "seeds.csv"
    file.write_text(f"prompt{separator}id\na{separator}b\n")
    assert prompts(file) == ["a"]


def test_empty_files_have_no_rows(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.csv"):
        (tmp_path / name).write_bytes(b"")
        assert list(read_seeds(tmp_path / name)) == []


@pytest.mark.parametrize("name", ["wide.csv", "wide.parquet"])
def test_a_file_of_absurdly_many_columns_is_refused_by_its_header(tmp_path: Path, name: str) -> None:
    columns = [f"c{n}" for n in range(MOST_COLUMNS + 1)]
    path = tmp_path / name
    if name.endswith(".csv"):
        path.write_text(",".join(columns) + "\n")
    else:
        pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.table({column: [1] for column in columns}), path)
    with pytest.raises(SeedError, match="has 1001 columns, and at most 1000 are read"):
        list(read_seeds(path))


def test_parquet_with_lists_and_gaps(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [
        {"prompt": "a", "messages": None, "responses": [{"text": "r", "model": "m"}], "n": 1.5},
        {"prompt": None, "messages": [{"role": "user", "content": "hi"}], "responses": None, "n": None},
        {"prompt": "", "messages": None, "responses": None, "n": None},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "s.parquet")
    first, second, third = read_seeds(tmp_path / "s.parquet")
    assert isinstance(first, SeedRow)
    assert isinstance(second, SeedRow)
    assert (first.prompt, first.responses[0].model, first.metadata) == ("a", "m", {"n": 1.5})
    assert (second.prompt, second.line) == ("hi", 2)
    assert isinstance(third, BadRow)
    assert (third.line, third.reason) == (3, "prompt is empty")


def test_parquet_text_that_is_not_utf8_costs_its_own_row_only(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    texts = pyarrow.array([b"a", b"caf\xe9", b"c"], pyarrow.binary()).view(pyarrow.string())
    parquet.write_table(pyarrow.table({"prompt": texts}), tmp_path / "s.parquet")
    assert prompts(tmp_path / "s.parquet") == ["a", "c"]
    assert bad(tmp_path / "s.parquet") == {2: "not UTF-8"}


def test_a_broken_parquet_file_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "s.parquet").write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(SeedError, match=r"s\.parquet cannot be read as Parquet"):
        list(read_seeds(tmp_path / "s.parquet"))


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "s.parquet").write_bytes(b"PAR1")
    with pytest.raises(SeedError, match=r"solon\[parquet\]"):
        list(read_seeds(tmp_path / "s.parquet"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.jsonl", "there is no seed file"),
        ("seed.jsonl", r"did you mean .*seeds\.jsonl"),
        (".", "is a folder"),
        ("notes.txt", "the ending '.txt' is no known seed format"),
    ],
)
def test_files_that_cannot_be_read_at_all(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "seeds.jsonl").write_text("")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(SeedError, match=message):
        read_seeds(tmp_path / name)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_any_unicode_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "s.csv").write_bytes("prompt\nhei på deg\n".encode(encoding))
    assert prompts(tmp_path / "s.csv") == ["hei på deg"]


def test_the_recorded_seed_instructions_are_all_read() -> None:
    root = Path(__file__).resolve().parents[2]
    file = Path(os.environ.get("SOLON_DATA", root / "../shared/data")) / "seed_instructions.jsonl"
    if not file.is_file():
        pytest.skip("no recorded data: set SOLON_DATA to its folder")
    got = list(read_seeds(file))
    assert len(got) == 505
    assert all(isinstance(row, SeedRow) for row in got)
    assert {"kind", "name", "is_classification"} <= set(got[0].metadata)  # type: ignore[union-attr]
