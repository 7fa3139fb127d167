"""Folders of Hugging Face `datasets` as raw rows: what `save_to_disk` writes, or a repository's data files.

Of Solon it imports `errors` and `seed_files` alone. `datasets` is imported when a folder is read; nothing is fetched.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from solon.errors import SeedError
from solon.formats.seed_files import READERS, BadRow, Raw

_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
ENDINGS = (".jsonl", ".ndjson", ".csv", ".parquet")
SAVED = ("dataset_info.json", "state.json", "dataset_dict.json")


def read_dataset(folder: Path, split: str | None, max_chars: int) -> Iterator[Raw | BadRow]:
    """Return the rows of a folder of Hugging Face `datasets` one by one, numbered from 1.

    Args:
        split: name of the split; None where there is only one.
        max_chars: of a row; it bounds the length of a line in a data file.

    Raises:
        SeedError: it is no such folder, `datasets` is not installed, or it has several splits and none is
            named.
    """
    if any((folder / name).is_file() for name in SAVED):
        return _rows(_pick(folder, _load_saved(folder), split))
    return _read_files(folder, split, max_chars)


def is_dataset(folder: Path) -> bool:
    """Whether a folder is one of Hugging Face `datasets`."""
    return any((folder / name).is_file() for name in SAVED) or bool(_data_files(folder))


def list_data_files(folder: Path) -> list[Path]:
    """Return the files of a folder whose bytes are its rows; what the library keeps beside them is none of
    them.
    """
    endings = (*ENDINGS, ".arrow")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings and not path.name.startswith(("cache-", ".")) and path.is_file()
    )


def _load_saved(folder: Path) -> Any:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise SeedError(
            f"{folder} is a folder of Hugging Face datasets, and datasets is not installed",
            next_step='pip install "solon[datasets]", or write the rows to a Parquet file',
        ) from None
    try:
        return datasets.load_from_disk(str(folder))
    except Exception as error:  # a foreign library, of whose errors there is no list
        raise SeedError(
            f"{folder} cannot be read as a saved data set: {type(error).__name__}: {error}",
            next_step="write it anew with `save_to_disk`",
        ) from None


def _pick(folder: Path, found: Any, split: str | None) -> Any:
    """One split of several; a data set that is not split is taken whole."""
    if not isinstance(found, Mapping):
        if split is not None:
            raise _no_split(folder, split, [])
        return found
    name = split or (next(iter(found)) if len(found) == 1 else "")
    if name not in found:
        raise _no_split(folder, split, list(found))
    return found[name]


def _rows(rows: Any) -> Iterator[Raw | BadRow]:
    media = [
        name for name, kind in rows.features.items() if type(kind).__name__ in ("Image", "Audio", "Video")
    ]
    for name in media:  # nothing is decoded for a row that is refused with its reason
        rows = rows.cast_column(name, type(rows.features[name])(decode=False))
    yield from enumerate(rows, start=1)


def _read_files(folder: Path, split: str | None, max_chars: int) -> Iterator[Raw | BadRow]:
    """Data files as a repository keeps them: SPLIT-00000-of-00001.parquet, or anything in its data/."""
    files = _data_files(folder)
    if not files:
        raise SeedError(
            f"{folder} is a folder, and none of Hugging Face datasets",
            next_step="name one .jsonl, .csv or .parquet file in it",
        )
    splits: dict[str, list[Path]] = {}
    for path in files:
        splits.setdefault(path.stem.split("-", 1)[0], []).append(path)
    name = split or (next(iter(splits)) if len(splits) == 1 else "")
    if name not in splits:
        raise _no_split(folder, split, list(splits))
    return _read_all(splits[name], max_chars)


def _data_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for place in (folder, folder / "data")
        for path in place.glob("*")
        if path.suffix.lower() in ENDINGS and path.is_file() and (place != folder or _SHARD.search(path.stem))
    )


def _read_all(files: list[Path], max_chars: int) -> Iterator[Raw | BadRow]:
    """Line numbers go on from file to file."""
    before = last = 0
    for path in files:
        for row in READERS[path.suffix.lower()](path, max_chars):
            if isinstance(row, BadRow):
                last = before + row.line
                yield BadRow(last, row.reason, row.excerpt)
            else:
                last = before + row[0]
                yield last, row[1]
        before = last


def _no_split(folder: Path, split: str | None, known: list[str]) -> SeedError:
    problem = f"has no split {split!r}" if split else f"has {len(known)} splits"
    names = ", ".join(sorted(known)) or "none: leave [seeds] split out"
    return SeedError(f"{folder} {problem}", next_step=f"name one with [seeds] split; it has: {names}")
