"""Near-duplicates among prompts and among answers, by MinHash, within the records and against given files."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from solon.eval.material import spell_sample
from solon.eval.result import NO_RECORDS, Figure, SuiteResult, rate
from solon.formats.named_texts import read_texts
from solon.store.runs.duplicates import PERMUTATIONS, ROWS, shingles, signature
from solon.workspace.spool import Spool

if TYPE_CHECKING:
    from solon.eval.material import Material

THRESHOLD = 0.7
"""Jaccard similarity of word trigrams from which two texts are near-duplicates."""
SLACK = 0.15
"""How far under the threshold an estimate may lie for its pair to be looked at: over three of its standard errors."""
CROWD = 64
"""Texts of a band that further ones are compared with: more have a band in common only where they follow a template."""
CLOSEST = 8
"""Pairs that a text is found in as the later one, at most."""
SHOWN = 50
FACTORS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], dtype=np.uint64
)
"""Odd numbers by which the values of a band are made one number."""


class Twins(BaseModel):
    """Two records, or a record and a line of a file, that are near-duplicates.

    Attributes:
        name: id of the record.
        other: id of the other record, or `FILE:LINE`.
        similarity: Jaccard similarity of their word trigrams.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    other: str
    similarity: float


class Duplicates(SuiteResult):
    """Near-duplicates among the records, and with given files.

    Attributes:
        threshold: similarity from which two texts are near-duplicates.
        exact_prompts: share of the records whose prompt another record has too, word by word.
        prompts: share of the records whose prompt has a near-duplicate.
        answers: share of the answers that have one.
        across_groups: pairs of prompts in different seed groups, which a split could part.
        against: by file, the share of prompts that have a near-duplicate in it.
        against_answers: by file, the share of answers that have one in it.
        pairs: the most alike, at most 50.
    """

    threshold: float
    exact_prompts: Figure
    prompts: Figure
    answers: Figure
    across_groups: int
    against: dict[str, Figure]
    against_answers: dict[str, Figure]
    pairs: tuple[Twins, ...]

    def headline(self) -> dict[str, Figure]:
        """Records that are not alone."""
        return {
            "records with a request that another has, too": self.exact_prompts,
            "with one that is nearly the same": self.prompts,
            "with an answer that is nearly the same": self.answers,
        }

    def next_step(self) -> str:
        """Look at the closest pair, once there are records."""
        if not self.n:
            return NO_RECORDS
        if self.across_groups:
            return "give seeds that are nearly the same one `group`, so that a split keeps them together"
        if self.pairs:
            return f"look at the closest pair: `solon show {self.pairs[0].name}`"
        return "nothing was found; is a benchmark in it? `solon eval contamination --against FILE`"


def evaluate(material: Material) -> Duplicates:
    """Return the near-duplicates among the records in force.

    A pair across two seed groups could stand on both sides of a split.
    """
    with Spool() as prompts, Spool() as answers:
        return _compare(material, prompts, answers)


def _compare(material: Material, prompts: Spool, answers: Spool) -> Duplicates:
    """`prompts` and `answers`: where the texts of the records are set aside."""
    sample, same = material.sample(), Counter[bytes]()
    for row in sample:
        prompts.add({"name": row.id, "text": row.prompt}, name=row.id, note=row.split_group)
        same[hashlib.blake2b(row.prompt.encode("utf-8", "surrogatepass"), digest_size=8).digest()] += 1
        if row.answer:
            answers.add({"name": row.id, "text": row.answer})
    alike, answers_alike = find_twins(_named(prompts)), find_twins(_named(answers))
    against: dict[str, Figure] = {}
    against_answers: dict[str, Figure] = {}
    outside: list[Twins] = []
    for file in material.against:
        for own, shares in ((prompts, against), (answers, against_answers)):
            there = ((f"{file.name}:{i}", text) for i, text in read_texts(file))
            twins_in_file = find_twins(_named(own), there)
            outside += twins_in_file
            shares[file.name] = rate(len({twins.name for twins in twins_in_file}), len(own))
    pairs = sorted([*outside, *alike, *answers_alike], key=lambda t: (-t.similarity, t.name, t.other))
    return Duplicates(
        suite="duplicates",
        n=len(prompts),
        threshold=THRESHOLD,
        exact_prompts=rate(sum(n for n in same.values() if n > 1), len(prompts)),
        prompts=rate(_touched(alike), len(prompts)),
        answers=rate(_touched(answers_alike), len(answers)),
        across_groups=sum(prompts.note_of(t.name) != prompts.note_of(t.other) for t in alike),
        against=against,
        against_answers=against_answers,
        pairs=tuple(pairs[:SHOWN]),
        notes=(
            *spell_sample(sample.shown, sample.seen),
            "one prompt with several records counts as a duplicate; templates that differ in a word do too",
        ),
    )


def _named(rows: Spool) -> Iterator[tuple[str, str]]:
    return ((row["name"], row["text"]) for row in rows)


def _touched(found: Sequence[Twins]) -> int:
    return len({name for twins in found for name in (twins.name, twins.other)})


def find_twins(
    texts: Iterable[tuple[str, str]],
    others: Iterable[tuple[str, str]] | None = None,
    threshold: float = THRESHOLD,
) -> list[Twins]:
    """Return the near-duplicates among named texts, or between them and others.

    Bands of four values of their signatures say which pairs to look at, which finds a pair of .7 in > .999;
    the similarity that is returned is that of the texts themselves. Where more than `CROWD` texts share a band, as
    those of one template do, further ones are compared with the first `CROWD` of it, at most `CROWD` in all, and
    paired with the `CLOSEST` of these, so that the work grows with the texts and not with their pairs. Two that are
    nearly equal share bands that the others do not have, and are found all the same.

    Args:
        texts: (name, text).
        others: (name, text); None: the texts are compared with each other.
    """
    found = list[Twins]()
    with Spool() as rows:
        index = _Index(rows, texts, threshold)
        for name, near in index.twins() if others is None else index.near(others):
            found += [Twins(name=a, other=name, similarity=s) for a, s in near]
    return sorted(found, key=lambda twins: (twins.name, twins.other))


class _Index:
    """Named texts by the bands of their signatures: 512 bytes a text in memory, the text itself on the disk."""

    def __init__(self, rows: Spool, texts: Iterable[tuple[str, str]], threshold: float) -> None:
        self._rows, self._threshold = rows, threshold
        signs, bands = array("H"), array("I")
        for name, text in texts:
            rows.add({"name": name, "text": text})
            sign = _sign(text)
            signs.frombytes(sign.astype(np.uint16).tobytes())
            bands.frombytes(_bands(sign).tobytes())
        self._signs = np.array(signs, copy=False).reshape(-1, PERMUTATIONS)
        """Of each value the lower half: two that differ seldom have the same."""
        values = np.array(bands, copy=False).reshape(-1, PERMUTATIONS // ROWS).T
        self._order, self._values = (np.empty(values.shape, dtype=np.uint32) for _ in range(2))
        """Places of the texts by band, those with the same value beside each other, the first ones first."""
        self._alone = np.ones(len(rows), dtype=bool)
        for order, ordered, of_band in zip(self._order, self._values, values, strict=True):
            order[:] = np.argsort(of_band, kind="stable")
            ordered[:] = of_band[order]
            equal = ordered[1:] == ordered[:-1]
            self._alone[order[1:][equal]] = self._alone[order[:-1][equal]] = False

    def twins(self) -> Iterator[tuple[str, Iterator[tuple[str, float]]]]:
        """The name of each text that is not alone, with what `closest` finds among those before it."""
        for place in np.flatnonzero(~self._alone).tolist():
            row = self._rows[place]
            yield row["name"], self._closest(row["text"], before=place)

    def near(self, others: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Iterator[tuple[str, float]]]]:
        """The name of each other text, with what `closest` finds."""
        for name, text in others:
            yield name, self._closest(text)

    def _closest(self, text: str, before: int | None = None) -> Iterator[tuple[str, float]]:
        """The names of up to `CLOSEST` near-duplicates, with their similarity, those first that seem most alike."""
        met: set[int] = set()
        sign = _sign(text)
        for values, order, value in zip(self._values, self._order, _bands(sign), strict=True):
            first = int(np.searchsorted(values, value))
            crowd = order[first : first + CROWD][values[first : first + CROWD] == value]
            met.update(crowd.tolist())
        near = sorted(place for place in met if before is None or place < before)
        if not near:
            return
        seems = (self._signs[near] == sign.astype(np.uint16)).mean(axis=1)
        own = _trigrams(text)
        given = 0
        for at in np.argsort(-seems, kind="stable")[:CROWD]:
            if seems[at] < self._threshold - SLACK or given == CLOSEST:
                return
            row = self._rows[near[at]]
            if (alike := _overlap(own, _trigrams(row["text"]))) >= self._threshold:
                given += 1
                yield row["name"], round(alike, 4)


def overlap(one: str, other: str) -> float:
    """Return the Jaccard similarity of the word trigrams of two texts."""
    return _overlap(_trigrams(one), _trigrams(other))


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    common = len(a & b)
    return common / (len(a) + len(b) - common)


@lru_cache(maxsize=2 * CROWD)
def _trigrams(text: str) -> frozenset[str]:
    return frozenset(shingles(text))


def _sign(text: str) -> npt.NDArray[np.uint32]:
    return np.array(signature(text), dtype=np.uint32)


def _bands(sign: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """A number for each band of a signature: equal bands have equal ones."""
    numbers = (sign.reshape(-1, ROWS) * FACTORS).sum(axis=1, dtype=np.uint64)
    upper: npt.NDArray[np.uint32] = (numbers >> np.uint64(32)).astype(np.uint32)
    return upper
