"""Exported files: atomic, split by group, streamed; wrong targets and failures are explained."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.errors import SolonError, UsageError
from solon.formats.exports import export
from solon.formats.records import ExportRow
from solon.formats.splits import split_of


def pair(n: int = 1, group: str = "") -> ExportRow:
    ask = [{"role": "user", "content": f"Question {n}?"}]
    prompt = f"Question {n}?"
    return ExportRow(f"r{n}", "preference", f"s{n}", prompt, ask, group, chosen="Good", rejected="Bad")


def groups_in(path: Path) -> set[str]:
    return {json.loads(line)["group"] for line in path.read_text(encoding="utf-8").splitlines()}


def test_groups_stay_together_in_a_split(tmp_path: Path) -> None:
    rows = [pair(n, group=f"g{n % 40}") for n in range(400)]
    summary = export(rows, format="jsonl", path=tmp_path / "o.jsonl", test_fraction=0.25)
    assert [(file.split, Path(file.path).name) for file in summary.files] == [
        ("train", "o.train.jsonl"),
        ("test", "o.test.jsonl"),
    ]
    train = groups_in(tmp_path / "o.train.jsonl")
    test = groups_in(tmp_path / "o.test.jsonl")
    assert train
    assert test
    assert not train & test
    assert summary.written == 400


@given(st.text(), st.text(max_size=5), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_test_share_only_adds_groups(group: str, key: str, a: float, b: float) -> None:
    low, high = sorted((a, b))
    if split_of(group, key, low) == "test":
        assert split_of(group, key, high) == "test"
    assert split_of(group, key, 0) == "train"


def test_the_split_meets_its_share_and_depends_on_the_key() -> None:
    groups = [f"g{n}" for n in range(4000)]
    one = [split_of(group, "a", 0.2) for group in groups]
    two = [split_of(group, "b", 0.2) for group in groups]
    assert 0.17 < one.count("test") / 4000 < 0.23
    assert one != two


def test_a_failing_source_leaves_the_old_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "o.jsonl"
    target.write_text("old\n")

    def rows() -> Iterator[ExportRow]:
        yield pair()
        raise RuntimeError("the store went away")

    for name in ("jsonl", "trl-sft"):
        with pytest.raises(RuntimeError):
            export(rows(), format=name, path=target)
    assert target.read_text() == "old\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["o.jsonl"]


def test_a_full_disk_is_explained_and_the_old_file_kept(tmp_path: Path) -> None:
    """A limit on file size stands in for the full disk: the operating system refuses the write for real."""
    target = tmp_path / "o.jsonl"
    target.write_text("old\n")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "from solon.formats.exports import export\n"
        "from solon.formats.records import ExportRow\n"
        "row = ExportRow('r', 'preference', 's', 'p', [], chosen='a' * 5000, rejected='b')\n"
        "from solon.errors import SolonError\n"
        "try:\n    export((row for _ in range(100)), format='jsonl', path=sys.argv[1])\n"
        "except SolonError as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(target)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("SolonError ")
    assert "cannot be written" in done.stdout
    assert done.stderr == ""
    assert target.read_text() == "old\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["o.jsonl"]


@pytest.mark.parametrize(
    ("name", "path", "message"),
    [
        ("trl-prefrence", "o.jsonl", "did you mean 'trl-preference'"),
        ("csv", "o.jsonl", "writes CSV"),
        ("jsonl", "o.csv", "writes JSONL"),
        ("jsonl", ".", "is a folder"),
        ("jsonl", "no/o.jsonl", "there is no folder"),
    ],
)
def test_wrong_options_are_refused_before_any_work(
    tmp_path: Path, name: str, path: str, message: str
) -> None:
    def never() -> Iterator[ExportRow]:
        raise AssertionError("read too early")
        yield

    with pytest.raises(UsageError, match=message):
        export(never(), format=name, path=tmp_path / path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SolonError, match="cannot be written"):
        export([pair()], format="jsonl", path="/proc/o.jsonl")


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    tracemalloc.start()
    summary = export(
        (pair(n) for n in range(8000)), format="jsonl", path=tmp_path / "o.jsonl", test_fraction=0.1
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert summary.written == 8000
    assert peak < 2_000_000
