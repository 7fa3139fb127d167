"""A benchmark file as word n-grams, and the gate that keeps its texts out of an export."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from solon.errors import SolonError, UsageError
from solon.eval.reading import read_texts
from solon.formats.records import ExportRow, ScoredRow
from solon.words import find_words

N = 13
"""Words of an n-gram that two texts hardly share by chance (Brown et al. 2020, appendix C)."""
SHORT = 5
"""A benchmark text of fewer than N words counts as a whole, if it has at least so many."""
MOST_OF_IT = 0.5
"""Share of a benchmark text's n-grams from which a record holds it."""
BODIES = 20_000


class Benchmark:
    """The texts of one file by their n-grams, which take 8 bytes each, whatever they say.

    Attributes:
        name: of the file.
        sha256: of its bytes, in hex digits.
        texts: how many texts it has.
        too_short: texts of so few words that they are not looked for.
        bodies: (line, text) of the first texts, for measures that need them whole.
    """

    def __init__(self, file: Path) -> None:
        self.name = file.name
        with file.open("rb") as stream:
            self.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self.texts = self.too_short = 0
        self.bodies: list[tuple[int, str]] = []
        self._lines: list[int] = []
        self._totals: list[int] = []
        self._where: dict[bytes, list[int]] = {}
        self._lengths: set[int] = set()
        for line, text in read_texts(file):
            self._add(line, text)

    def _add(self, line: int, text: str) -> None:
        self.texts += 1
        words = find_words(text)
        if len(words) < SHORT:
            self.too_short += 1
            return
        if len(self.bodies) < BODIES:
            self.bodies.append((line, text))
        size = min(N, len(words))
        self._lengths.add(size)
        grams = set(_grams(words, size))
        for gram in grams:
            self._where.setdefault(gram, []).append(len(self._lines))
        self._lines.append(line)
        self._totals.append(len(grams))

    def shares(self, text: str) -> dict[int, float]:
        """Return, by line, the largest share of one of its texts' n-grams that `text` holds; only lines that
        share any.
        """
        words = find_words(text)
        hits: dict[int, int] = {}
        for gram in {gram for size in self._lengths for gram in _grams(words, size)}:
            for number in self._where.get(gram, ()):
                hits[number] = hits.get(number, 0) + 1
        largest: dict[int, float] = {}
        for number, count in hits.items():
            line = self._lines[number]
            largest[line] = max(largest.get(line, 0.0), count / self._totals[number])
        return largest


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
    if isinstance(row, ScoredRow):
        yield from (("completion", one.text) for one in row.completions)
        yield from (("criticised text", one.text) for one in row.critiques)


def _grams(words: list[str], size: int) -> list[bytes]:
    return [
        hashlib.blake2b(" ".join(words[i : i + size]).encode("utf-8", "replace"), digest_size=8).digest()
        for i in range(len(words) - size + 1)
    ]


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
