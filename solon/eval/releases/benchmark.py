"""The gate that keeps the texts of benchmarks out of an export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from solon.errors import SolonError, UsageError
from solon.formats.benchmarks import MOST_OF_IT, Benchmark
from solon.formats.records import ExportRow, ScoredRow


class Contaminated(SolonError):
    """An export was to be clean of a benchmark, and a record is not."""


class Gate:
    """A filter for an export, by which no record holds half or more of a benchmark text.

    Args:
        files: the benchmarks.
        drop: leave such records out, counted as `contaminated`; without it the first one ends the export.

    Raises:
        UsageError: a file is missing or cannot be read.
    """

    def __init__(self, files: Sequence[Path], *, drop: bool = False) -> None:
        for file in files:
            if not file.is_file():
                raise UsageError(
                    f"{file}: there is no such file", next_step="check the path given with --require-clean"
                )
        self._benchmarks = [Benchmark(file) for file in files]
        self._drop = drop

    def describe(self) -> list[dict[str, Any]]:
        """Return the benchmarks for a manifest: which file, how many texts, and what became of records that
        hold one.
        """
        return [
            {
                "file": one.name,
                "sha256": one.sha256,
                "texts": one.texts,
                "too_short": one.too_short,
                "contaminated": "left out" if self._drop else "none",
            }
            for one in self._benchmarks
        ]

    def __call__(self, row: ExportRow) -> str | None:
        for part, text in parts_of(row):
            for benchmark in self._benchmarks:
                line, share = max(benchmark.shares(text).items(), key=lambda pair: pair[1], default=(0, 0.0))
                if share < MOST_OF_IT:
                    continue
                if self._drop:
                    return "contaminated"
                raise Contaminated(
                    f"the {part} of record {row.id} holds {share:.0%} of line {line} of {benchmark.name}; "
                    "nothing was written",
                    next_step="leave such records out with --drop-contaminated; "
                    "`solon eval contamination --against FILE` lists them all",
                )
        return None


def parts_of(row: ExportRow) -> Iterator[tuple[str, str]]:
    """Yield the texts of a record that a benchmark could be in, each with its name."""
    for part, text in (("prompt", row.prompt), ("answer", row.answer), ("rejected", row.rejected)):
        if text:
            yield part, text
    yield from (("tied answer", side["text"]) for side in row.given.values() if "text" in side)
    if isinstance(row, ScoredRow):
        yield from (("completion", one.text) for one in row.completions)
        yield from (("criticised text", one.text) for one in row.critiques)


def make_gate(files: Sequence[str | Path], *, drop: bool = False) -> Gate | None:
    """The gate that keeps the texts of these benchmarks out of an export; None where no benchmark is named.

    Args:
        drop: leave out records that hold such a text, in place of refusing the whole export.

    Raises:
        UsageError: `drop` without a benchmark, or a benchmark that cannot be read.
    """
    if files:
        return Gate([Path(file) for file in files], drop=drop)
    if drop:
        raise UsageError(
            "--drop-contaminated says nothing without a benchmark",
            next_step="name one with --require-clean FILE",
        )
    return None
