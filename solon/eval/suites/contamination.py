"""Overlap of the records with benchmark files that the user names: by word n-grams, and by likeness of embeddings."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.errors import UsageError
from solon.eval.embedding import Embedder, load_embedder
from solon.eval.material import spell_sample
from solon.eval.releases.benchmark import parts_of
from solon.eval.result import NO_RECORDS, Figure, SuiteResult, rate
from solon.formats.benchmarks import MOST_OF_IT, Benchmark, N

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from solon.eval.material import Material
    from solon.formats.records import ExportRow

SHOWN = 50
AT_ONCE = 250
"""Records that are read at a time."""
ALIKE = 0.9
"""Cosine from which two texts are worth a look: a paraphrase, or merely the same subject in the same words."""


class Overlap(BaseModel):
    """A record and the benchmark line that it shares most with.

    Attributes:
        name: id of the record.
        part: which of its texts: prompt, answer or rejected.
        line: of the benchmark file.
        share: of the line's n-grams that are found in the text, or the cosine of the two.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    part: str
    line: int
    share: float


class FileOverlap(BaseModel):
    """What the records share with one benchmark file.

    Attributes:
        name: of the file.
        texts: that it has.
        too_short: texts of so few words that they are not looked for.
        records: share of the records that have any n-gram in common with it.
        dirty: share of the records that hold at least half of one of its texts.
        worst: the largest overlaps, at most 50.
        alike: share of the records that come close to one of its texts by their embeddings, which proves
            nothing.
        closest: the closest of those, at most 50.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    texts: int
    too_short: int
    records: Figure
    dirty: Figure
    worst: tuple[Overlap, ...]
    alike: Figure
    closest: tuple[Overlap, ...]


class Contamination(SuiteResult):
    """Overlap of the records with benchmark files.

    Attributes:
        n_gram: words of an n-gram.
        clean: True where no record holds half or more of any benchmark text.
        embedding: what likeness was measured with.
        files: one for each file.
    """

    n_gram: int
    clean: bool
    embedding: str
    files: tuple[FileOverlap, ...]

    def headline(self) -> dict[str, Figure]:
        """Of the file that is in the records the most."""
        worst = max(self.files, key=lambda file: (file.dirty.value or 0.0, file.records.value or 0.0))
        return {
            f"records that hold half of a text of {worst.name} or more": worst.dirty,
            "records that share a run of words with it": worst.records,
            "records that come close to one of its texts": worst.alike,
        }

    def next_step(self) -> str:
        """Keep it clean, or leave out what is not."""
        if not self.n:
            return NO_RECORDS
        if self.clean:
            return "keep it so: `solon release create NAME --require-clean FILE`"
        return "leave those records out: `solon export --require-clean FILE --drop-contaminated`"


def evaluate(material: Material) -> Contamination:
    """Return the overlap of the records with every file of `--against`.

    Raises:
        UsageError: no file was named.
    """
    if not material.against:
        raise UsageError(
            "contamination is measured against files that you name",
            next_step="add --against FILE (text, JSON lines or CSV), once for each benchmark",
        )
    sample, embedder = material.sample(), load_embedder()
    found = [_Found(file, embedder) for file in material.against]
    reading = iter(sample)
    while rows := list(islice(reading, AT_ONCE)):
        for one in found:
            one.add(rows)
    files = tuple(one.tell(sample.shown) for one in found)
    return Contamination(
        suite="contamination",
        n=sample.shown,
        n_gram=N,
        clean=all(not file.dirty.value for file in files),
        embedding=embedder.name,
        files=files,
        notes=(
            *spell_sample(sample.shown, sample.seen),
            f"`dirty` sees words only; `alike` (cosine of {ALIKE} or more) also meets harmless neighbours",
            *embedder.notes,
        ),
    )


class _Found:
    """What the records read so far share with one file: counts, and the largest overlaps."""

    def __init__(self, file: Path, embedder: Embedder) -> None:
        self._benchmark, self._embed = Benchmark(file), embedder.embed
        self._theirs = self._embed([text for _, text in self._benchmark.bodies])
        self._records = self._dirty = self._alike = 0
        self._worst: list[Overlap] = []
        self._closest: list[Overlap] = []

    def add(self, rows: Sequence[ExportRow]) -> None:
        """Read some records."""
        parts = [(row.id, part, text) for row in rows for part, text in parts_of(row)]
        overlaps = [
            Overlap(name=name, part=part, line=line, share=round(share, 4))
            for name, part, text in parts
            for line, share in self._benchmark.shares(text).items()
        ]
        self._records += len({o.name for o in overlaps})
        self._dirty += len({o.name for o in overlaps if o.share >= MOST_OF_IT})
        self._worst = _largest([*self._worst, *overlaps])
        closest = self._alike_among(parts)
        self._alike += len({o.name for o in closest})
        self._closest = _largest([*self._closest, *closest])

    def _alike_among(self, parts: Sequence[tuple[str, str, str]]) -> list[Overlap]:
        """Texts whose nearest benchmark text is at least ALIKE."""
        if not parts or not self._benchmark.bodies:
            return []
        likeness = self._embed([text for _, _, text in parts]) @ self._theirs.T
        overlaps = []
        for (name, part, _), place, row in zip(parts, likeness.argmax(axis=1), likeness, strict=True):
            if row[place] >= ALIKE:
                share, line = round(float(np.minimum(row[place], 1.0)), 4), self._benchmark.bodies[place][0]
                overlaps.append(Overlap(name=name, part=part, line=line, share=share))
        return overlaps

    def tell(self, n: int) -> FileOverlap:
        """Return what so many records share with it."""
        return FileOverlap(
            name=self._benchmark.name,
            texts=self._benchmark.texts,
            too_short=self._benchmark.too_short,
            records=rate(self._records, n),
            dirty=rate(self._dirty, n),
            worst=tuple(self._worst),
            alike=rate(self._alike, n),
            closest=tuple(self._closest),
        )


def _largest(overlaps: Sequence[Overlap]) -> list[Overlap]:
    return sorted(overlaps, key=lambda o: (-o.share, o.name, o.line))[:SHOWN]
