"""Near-duplicates among prompts and among answers, by MinHash, within the records and against given files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.eval.material import spell_sample
from solon.eval.reading import read_texts
from solon.eval.result import Figure, SuiteResult, rate
from solon.store.duplicates import PERMUTATIONS, ROWS, signature, similarity

if TYPE_CHECKING:
    from solon.eval.material import Material

THRESHOLD = 0.7
"""Estimated Jaccard similarity of word trigrams from which two texts are near-duplicates."""
SHOWN = 50


class Twins(BaseModel):
    """Two records, or a record and a line of a file, that are near-duplicates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    other: str
    similarity: float


class Duplicates(SuiteResult):
    """Shares of records with a near-duplicate. `pairs`: the most alike, at most 50; `against`: prompts by file,
    `against_answers`: answers by file."""

    threshold: float
    exact_prompts: Figure
    prompts: Figure
    answers: Figure
    across_groups: int
    against: dict[str, Figure]
    against_answers: dict[str, Figure]
    pairs: tuple[Twins, ...]


def evaluate(material: Material) -> Duplicates:
    """Over the records in force. A pair across two seed groups could stand on both sides of a split."""
    rows, seen = material.records()
    group = {row.id: row.split_group for row in rows}
    prompts = [(row.id, row.prompt) for row in rows]
    answers = [(row.id, row.answer) for row in rows if row.answer]
    alike, answers_alike = find_twins(prompts), find_twins(answers)
    same: dict[str, list[str]] = defaultdict(list)
    for name, text in prompts:
        same[text].append(name)
    against: dict[str, Figure] = {}
    against_answers: dict[str, Figure] = {}
    outside: list[Twins] = []
    for file in material.against:
        for own, shares in ((prompts, against), (answers, against_answers)):
            found = find_twins(own, ((f"{file.name}:{i}", text) for i, text in read_texts(file)))
            outside += found
            shares[file.name] = rate(len({twins.name for twins in found}), len(own))
    pairs = sorted([*outside, *alike, *answers_alike], key=lambda t: (-t.similarity, t.name, t.other))
    return Duplicates(
        suite="duplicates",
        n=len(rows),
        threshold=THRESHOLD,
        exact_prompts=rate(sum(len(names) for names in same.values() if len(names) > 1), len(rows)),
        prompts=rate(_touched(alike), len(rows)),
        answers=rate(_touched(answers_alike), len(answers)),
        across_groups=sum(group[t.name] != group[t.other] for t in alike),
        against=against,
        against_answers=against_answers,
        pairs=tuple(pairs[:SHOWN]),
        notes=(
            *spell_sample(len(rows), seen),
            "one prompt with several records counts as a duplicate; templates that differ in a word do too",
        ),
    )


def _touched(found: Sequence[Twins]) -> int:
    return len({name for twins in found for name in (twins.name, twins.other)})


def find_twins(
    texts: Iterable[tuple[str, str]],
    others: Iterable[tuple[str, str]] | None = None,
    threshold: float = THRESHOLD,
) -> list[Twins]:
    """Near-duplicates among named texts, or between them and others; bands of four find a pair of .7 in > .999."""
    own = [(name, signature(text)) for name, text in texts]
    bands: dict[tuple[int, ...], list[int]] = defaultdict(list)
    found: dict[tuple[str, str], float] = {}
    for i, (name, sign) in enumerate(own):
        suspects = set()
        for band in _bands(sign):
            if others is None:
                suspects |= set(bands[band])
            bands[band].append(i)
        for j in suspects:
            alike = similarity(sign, own[j][1])
            if alike >= threshold:
                found[own[j][0], name] = alike
    for name, text in others or ():
        sign = signature(text)
        for j in {j for band in _bands(sign) for j in bands.get(band, ())}:
            alike = similarity(sign, own[j][1])
            if alike >= threshold:
                found[own[j][0], name] = alike
    return [Twins(name=a, other=b, similarity=round(s, 4)) for (a, b), s in sorted(found.items())]


def _bands(sign: Sequence[int]) -> list[tuple[int, ...]]:
    return [(i, *sign[i * ROWS : (i + 1) * ROWS]) for i in range(PERMUTATIONS // ROWS)]
