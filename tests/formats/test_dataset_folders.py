"""Folders of Hugging Face datasets, as the library itself writes them, are seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from solon.config import parse_config
from solon.errors import SeedError
from solon.formats.seed_files import BadRow
from solon.formats.seed_rows import SeedRow
from solon.formats.seeds import read_seeds
from solon.workspace.seeds import fingerprint_seeds

ROWS = [
    {"id": f"h{i}", "question": f"What is {i}?", "group": "g", "responses": [{"text": "a"}, {"text": "b"}]}
    for i in range(3)
]
MAP = {"prompt": "question"}


@pytest.fixture
def datasets() -> Any:
    return pytest.importorskip("datasets", reason="datasets is not installed")


def read(folder: Path, **options: Any) -> list[SeedRow | BadRow]:
    return list(read_seeds(folder, column_map=MAP, **options))


def test_a_saved_data_set(datasets: Any, tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "one")
    found = read(tmp_path / "one")
    assert [(row.id, row.prompt, row.line) for row in found if isinstance(row, SeedRow)] == [
        (f"h{i}", f"What is {i}?", i + 1) for i in range(3)
    ]
    assert [response.text for response in found[0].responses] == ["a", "b"]  # type: ignore[union-attr]
    with pytest.raises(SeedError, match="no split 'train'"):
        read(tmp_path / "one", split="train")


def test_a_selection_keeps_its_order(datasets: Any, tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS).select([2, 0]).save_to_disk(tmp_path / "two")
    assert [row.id for row in read(tmp_path / "two")] == ["h2", "h0"]  # type: ignore[union-attr]


def test_splits_are_named(datasets: Any, tmp_path: Path) -> None:
    parts = {name: datasets.Dataset.from_list(ROWS[:n]) for name, n in (("train", 2), ("test", 1))}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "parts")
    with pytest.raises(SeedError, match="2 splits") as refused:
        read(tmp_path / "parts")
    assert "test, train" in refused.value.next_step
    assert len(read(tmp_path / "parts", split="train")) == 2
    datasets.DatasetDict({"only": parts["test"]}).save_to_disk(tmp_path / "only")
    assert len(read(tmp_path / "only")) == 1


def test_media_are_refused_row_by_row_and_not_decoded(datasets: Any, tmp_path: Path) -> None:
    features = datasets.Features({"question": datasets.Value("string"), "image": datasets.Image()})
    rows = [
        {"question": "x", "image": {"bytes": b"no picture", "path": None}},
        {"question": "y", "image": None},
    ]
    datasets.Dataset.from_list(rows, features=features).save_to_disk(tmp_path / "media")
    bad, good = read(tmp_path / "media")
    assert isinstance(bad, BadRow)
    assert "image" in bad.reason
    assert isinstance(good, SeedRow)


def test_data_files_of_a_repository(datasets: Any, tmp_path: Path) -> None:
    data = tmp_path / "repo" / "data"
    data.mkdir(parents=True)
    (tmp_path / "repo" / "README.md").write_text("a card")
    for place, rows in (
        ("train-00000-of-00002", ROWS[:2]),
        ("train-00001-of-00002", ROWS[2:]),
        ("test-00000-of-00001", ROWS),
    ):
        datasets.Dataset.from_list(rows).to_parquet(data / f"{place}.parquet")
    assert [(row.id, row.line) for row in read(tmp_path / "repo", split="train")] == [  # type: ignore[union-attr]
        ("h0", 1),
        ("h1", 2),
        ("h2", 3),
    ]
    with pytest.raises(SeedError, match="2 splits"):
        read(tmp_path / "repo")


def test_a_broken_or_foreign_folder_is_said(datasets: Any, tmp_path: Path) -> None:
    with pytest.raises(SeedError, match="none of Hugging Face"):
        read(tmp_path)
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(SeedError, match="cannot be read as a saved data set"):
        read(tmp_path)


def test_other_rows_are_other_seeds(datasets: Any, tmp_path: Path) -> None:
    config = parse_config({"seeds": {"map": MAP}})
    folder, more = tmp_path / "x", tmp_path / "more"
    datasets.Dataset.from_list(ROWS).save_to_disk(folder)
    _, before = fingerprint_seeds(folder, config)
    (folder / "cache-1.arrow").write_bytes(b"kept by the library")
    assert fingerprint_seeds(folder, config)[1] == before
    datasets.Dataset.from_list(ROWS[:-1]).save_to_disk(more)
    assert fingerprint_seeds(more, config)[1] != before


def test_a_run_over_a_folder(datasets: Any, tmp_path: Path) -> None:
    from solon.project import Project

    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "seeds")
    config = {"models": {"default": {"model": "scripted:default"}}, "seeds": {"map": MAP}}
    with Project(f"sqlite:///{tmp_path / 's.db'}", config=config) as project:
        assert project.run("preference", tmp_path / "seeds").items == 3
