"""The accepted answers as texts: length, readability, refusals, markdown, personal data, rude words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.eval.material import spell_sample
from solon.eval.result import Figure, SuiteResult, mean, rate
from solon.eval.writing import (
    count_marks,
    find_broken_markdown,
    find_personal,
    find_rude,
    find_words,
    is_refusal,
    measure_readability,
)

if TYPE_CHECKING:
    from solon.eval.material import Material


class Lengths(BaseModel):
    """Words of an answer: the mean with its interval, and the quantiles."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: Figure
    shortest: int
    median: int
    longest: int


class Quality(SuiteResult):
    """`n`: answers read (chosen ones of pairs, responses). Shares are of answers.

    Attributes:
        length_gap: words of the chosen minus words of the rejected answer, pair by pair.
        flagged: ids of the records behind each finding, at most 20 of each.
    """

    words: Lengths | None
    readability: Figure
    length_gap: Figure
    refusals: Figure
    empty: Figure
    with_markdown: Figure
    broken_markdown: Figure
    broken_kinds: dict[str, int]
    personal: Figure
    personal_kinds: dict[str, int]
    rude: Figure
    languages: dict[str, int]
    flagged: dict[str, tuple[str, ...]]


def evaluate(material: Material) -> Quality:
    """Pure measures over the records in force."""
    rows, seen = material.records()
    answered = [(row, row.answer) for row in rows if row.answer is not None]
    texts = [text for _, text in answered]
    n = len(texts)
    words = [len(find_words(text)) for text in texts]
    broken = {row.id: found for row, text in answered if (found := find_broken_markdown(text))}
    personal = {row.id: kinds for row, text in answered if (kinds := find_personal(text))}
    refusing = [row.id for row, text in answered if is_refusal(text)]
    rude = [row.id for row, text in answered if find_rude(text)]
    gaps = [
        float(len(find_words(row.chosen)) - len(find_words(row.rejected)))
        for row in rows
        if row.chosen is not None and row.rejected is not None
    ]
    readable = [value for text in texts if (value := measure_readability(text)) is not None]
    notes = [*spell_sample(len(rows), seen)]
    if any(row.lang not in (None, "en") for row in rows):
        notes.append(
            "readability, refusals and rude words are made for English: read them for that part only"
        )
    if personal:
        notes.append(
            "patterns find forms of personal data, not people: neither finding them nor finding none is proof"
        )
    flagged: dict[str, Iterable[str]] = {
        "refusals": refusing,
        "broken_markdown": broken,
        "personal": personal,
        "rude": rude,
    }
    return Quality(
        suite="quality",
        n=n,
        words=_lengths(words, material.seed),
        readability=mean(readable, material.seed, "no English text of ten words or more"),
        length_gap=mean(gaps, material.seed, "no pair"),
        refusals=rate(len(refusing), n),
        empty=rate(sum(not text.strip() for text in texts), n),
        with_markdown=rate(sum(count_marks(text) > 0 for text in texts), n),
        broken_markdown=rate(len(broken), n),
        broken_kinds=dict(Counter(kind for kinds in broken.values() for kind in kinds)),
        personal=rate(len(personal), n),
        personal_kinds=dict(sum((Counter(kinds) for kinds in personal.values()), Counter[str]())),
        rude=rate(len(rude), n),
        languages=dict(Counter(row.lang or "not stated" for row in rows)),
        flagged={name: tuple(ids)[:20] for name, ids in flagged.items() if ids},
        notes=tuple(notes),
    )


def _lengths(words: list[int], seed: int) -> Lengths | None:
    if not words:
        return None
    ordered = sorted(words)
    return Lengths(
        mean=mean([float(w) for w in words], seed),
        shortest=ordered[0],
        median=ordered[len(ordered) // 2],
        longest=ordered[-1],
    )
