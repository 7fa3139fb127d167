"""Overlap of the records with benchmark files that the user names, by word n-grams."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.errors import UsageError
from solon.eval.material import spell_sample
from solon.eval.reading import read_texts
from solon.eval.result import Figure, SuiteResult, rate
from solon.eval.writing import find_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from solon.eval.material import Material

N = 13
"""Words of an n-gram that two texts hardly share by chance (Brown et al. 2020, appendix C)."""
SHORT = 5
"""A benchmark text of fewer than N words counts as a whole, if it has at least so many."""
MOST_OF_IT = 0.5
SHOWN = 50


class Overlap(BaseModel):
    """A record and the benchmark line that it shares most with. `share`: of the line's n-grams found in the record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    part: str
    line: int
    share: float


class FileOverlap(BaseModel):
    """One benchmark file. `records` share any n-gram with it, `dirty` at least half of one of its texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    texts: int
    too_short: int
    records: Figure
    dirty: Figure
    worst: tuple[Overlap, ...]


class Contamination(SuiteResult):
    """`clean`: no record holds half or more of any benchmark text."""

    n_gram: int
    clean: bool
    files: tuple[FileOverlap, ...]


def evaluate(material: Material) -> Contamination:
    """Against every file of `--against`.

    Raises:
        UsageError: no file was named.
    """
    if not material.against:
        raise UsageError(
            "contamination is measured against files that you name",
            next_step="add --against FILE (text, JSON lines or CSV), once for each benchmark",
        )
    rows, seen = material.records()
    parts = [
        (row.id, part, find_words(text))
        for row in rows
        for part, text in (("prompt", row.prompt), ("answer", row.answer), ("rejected", row.rejected))
        if text
    ]
    files = tuple(_measure(file, parts, len(rows)) for file in material.against)
    return Contamination(
        suite="contamination",
        n=len(rows),
        n_gram=N,
        clean=all(not file.dirty.value for file in files),
        files=files,
        notes=(
            *spell_sample(len(rows), seen),
            "overlap of words only: a paraphrase or a translation of a benchmark is not seen",
        ),
    )


def _measure(file: Path, parts: Sequence[tuple[str, str, list[str]]], n: int) -> FileOverlap:
    lines: dict[int, int] = {}
    where: dict[bytes, set[int]] = {}
    lengths: set[int] = set()
    texts = too_short = 0
    for text_number, (line, text) in enumerate(read_texts(file)):
        texts += 1
        words = find_words(text)
        if len(words) < SHORT:
            too_short += 1
            continue
        size = min(N, len(words))
        lengths.add(size)
        lines[text_number] = line
        for gram in _grams(words, size):
            where.setdefault(gram, set()).add(text_number)
    totals: dict[int, int] = {}
    for numbers in where.values():
        for number in numbers:
            totals[number] = totals.get(number, 0) + 1
    found = [
        Overlap(name=name, part=part, line=lines[number], share=round(hits / totals[number], 4))
        for name, part, words in parts
        for number, hits in _hits(words, where, lengths).items()
    ]
    worst = sorted(found, key=lambda o: (-o.share, o.name, o.line))
    return FileOverlap(
        name=file.name,
        texts=texts,
        too_short=too_short,
        records=rate(len({o.name for o in found}), n),
        dirty=rate(len({o.name for o in found if o.share >= MOST_OF_IT}), n),
        worst=tuple(worst[:SHOWN]),
    )


def _hits(words: list[str], where: dict[bytes, set[int]], lengths: set[int]) -> dict[int, int]:
    hits: dict[int, int] = {}
    for gram in {gram for size in lengths for gram in _grams(words, size)}:
        for number in where.get(gram, ()):
            hits[number] = hits.get(number, 0) + 1
    return hits


def _grams(words: list[str], size: int) -> list[bytes]:
    """Hashed n-grams: 8 bytes each, whatever they say."""
    return [
        hashlib.blake2b(" ".join(words[i : i + size]).encode("utf-8", "replace"), digest_size=8).digest()
        for i in range(len(words) - size + 1)
    ]
